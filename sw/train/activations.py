"""Activations: binarisation with surrogate gradients, where sign(0) = +1, and the shifts and slopes on the residual stream around it."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

Estimator = Literal["approximate", "clip"]
Slopes = Literal["free", "power_of_two"]

SMALLEST_SLOPE_EXPONENT = -7
"""Of power-of-two slopes; the largest is 0."""


def sign(x: Tensor) -> Tensor:
    """``+1 where x >= 0 else -1``, in the shape and the type of `x`; not differentiable. NaN becomes -1."""
    return (x >= 0).to(x.dtype).mul_(2).sub_(1)  # several times faster than torch.where


class _Identity(torch.autograd.Function):
    """Forward sign(x); backward g."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return sign(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


class _Approximate(torch.autograd.Function):
    """Forward sign(x); backward g * max(0, 2 - 2 |x|)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return sign(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return x.abs().mul_(-2).add_(2).clamp_(min=0).mul_(gradients[0])


class _Clip(torch.autograd.Function):
    """Forward sign(x); backward g * (|x| <= 1)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return sign(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradients[0] * (x.abs() <= 1)


def latent_sign(weight: Tensor) -> Tensor:
    """Binary weights of latent ones: forward ``sign(w)``, gradient ``g`` (straight through), same shape."""
    return _Identity.apply(weight)  # type: ignore[return-value]


class BinaryActivation(nn.Module):
    """Binary activation ``o = +1 if x >= 0 else -1``, in float32 or float64, of any shape.

    The gradient is ``g * max(0, 2 - 2 |x|)`` for ``approximate`` (the derivative of the piecewise quadratic that comes close to
    the sign) and ``g * (|x| <= 1)`` for ``clip``.

    Parameters
    ----------
    estimator : str - ``approximate`` or ``clip``

    Raises
    ------
    ValueError - another estimator

    References
    ----------
    Liu et al., Bi-Real Net, ECCV 2018, section 3.3 (approximate); Hubara et al., Binarized Neural Networks, NeurIPS 2016 (clip)
    """

    def __init__(self, estimator: Estimator = "approximate") -> None:
        super().__init__()
        if estimator not in get_args(Estimator):
            raise ValueError(f"Estimator must be 'approximate' or 'clip', not {estimator!r}")
        self.estimator = estimator

    def forward(self, x: Tensor) -> Tensor:
        function = _Approximate if self.estimator == "approximate" else _Clip
        return function.apply(x)  # type: ignore[return-value]

    def extra_repr(self) -> str:
        return f"estimator={self.estimator!r}"


class RSign(BinaryActivation):
    """Binary activation with a learned shift per channel, ``o = sign(x + shift[c])``; channels are axis 1, the gradient as in `BinaryActivation`.

    Parameters
    ----------
    n_channels : int - at least 1
    estimator : str - ``approximate`` or ``clip``

    Members
    -------
    shift : Parameter (n_channels,) - starts at 0

    References
    ----------
    Liu et al., ReActNet, ECCV 2020, section 4.2
    """

    def __init__(self, n_channels: int, estimator: Estimator = "approximate") -> None:
        super().__init__(estimator)
        self.shift = nn.Parameter(torch.zeros(_checked(n_channels)))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + _on_channels(self.shift, x))

    def extra_repr(self) -> str:
        return f"{len(self.shift)}, {super().extra_repr()}"


class RPReLU(nn.Module):
    """A PReLU between two learned shifts: ``y = x + shift_in[c]``, ``o = (y if y >= 0 else slope[c] y) + shift_out[c]``; channels are axis 1.

    Slopes that are powers of two, ``sign(p) 2^round(log2 |p|)`` with exponents -7 to 0, cost no multiplier in hardware; their gradient passes the
    rounding unchanged.

    Parameters
    ----------
    n_channels : int - at least 1
    slopes : str - ``free`` or ``power_of_two``

    Members
    -------
    shift_in, shift_out : Parameter (n_channels,) - start at 0
    slope : Parameter (n_channels,) - latent slopes, start at 0.25; `used_slope` are those computed with

    Raises
    ------
    ValueError - no channels, or another kind of slopes

    References
    ----------
    Liu et al., ReActNet, ECCV 2020, section 4.2
    """

    def __init__(self, n_channels: int, slopes: Slopes = "free") -> None:
        super().__init__()
        if slopes not in get_args(Slopes):
            raise ValueError(f"Slopes must be 'free' or 'power_of_two', not {slopes!r}")
        self.slopes = slopes
        self.shift_in = nn.Parameter(torch.zeros(_checked(n_channels)))
        self.slope = nn.Parameter(torch.full((n_channels,), 0.25))
        self.shift_out = nn.Parameter(torch.zeros(n_channels))

    @property
    def used_slope(self) -> Tensor:
        """The slopes after rounding to powers of two, where that is asked for, (n_channels,)."""
        return power_of_two(self.slope) if self.slopes == "power_of_two" else self.slope

    def forward(self, x: Tensor) -> Tensor:
        y = functional.prelu(x + _on_channels(self.shift_in, x), self.used_slope.to(x.dtype))
        return y + _on_channels(self.shift_out, x)

    def extra_repr(self) -> str:
        return f"{len(self.slope)}, slopes={self.slopes!r}"


def power_of_two(x: Tensor) -> Tensor:
    """``sign(x) 2^round(log2 |x|)`` with the exponent held in -7..0; the gradient is that of x. Any shape."""
    with torch.no_grad():
        exponent = x.abs().log2().round().clamp(SMALLEST_SLOPE_EXPONENT, 0)
        nearest = sign(x) * exponent.exp2()
    return nearest + (x - x.detach())


def _on_channels(values: Tensor, x: Tensor) -> Tensor:
    """`values` (C,) in the type of `x` and in a shape that adds to its axis 1."""
    return values.to(x.dtype).reshape(-1, *(1,) * (x.ndim - 2))


def _checked(n_channels: int) -> int:
    if n_channels < 1:
        raise ValueError(f"Channels must be at least 1, not {n_channels!r}")
    return n_channels
