"""Binarisation with surrogate gradients: the sign of activations and of latent weights, with sign(0) = +1."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

Estimator = Literal["approximate", "clip"]


def sign(x: Tensor) -> Tensor:
    """``+1 where x >= 0 else -1``, in the shape and the type of `x`; not differentiable. NaN becomes -1."""
    return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)


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
        return gradients[0] * (2 - 2 * x.abs()).clamp_(min=0)


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
