"""The trainable layers that can become hardware: binary products with RBONN's scale factors, the head, input binarisation.

Tensors are (batch, channel, height, width) or (batch, feature), as PyTorch has them. Inputs of the binary layers are +1 and -1 (padded
taps may be 0), so their integer sums are exact in float32 below 2**24; in eval the sum is formed first and scaled afterwards.

A network that can be lowered is one `torch.nn.Sequential` of
``InputBinarise, (BinaryConv2d, BatchNorm2d, [MaxPool2d], BinaryActivation)*, [ChannelLastFlatten], (BinaryLinear, BatchNorm1d,
BinaryActivation)*, BinaryHead``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .activations import BinaryActivation, latent_sign, sign

__all__ = [
    "BinaryActivation",
    "BinaryConv2d",
    "BinaryHead",
    "BinaryLayer",
    "BinaryLinear",
    "ChannelLastFlatten",
    "InputBinarise",
]


class InputBinarise(nn.Module):
    """Pixels to bits: ``o = +1 if x >= threshold else -1``; any shape, float32 or float64, no gradient.

    Parameters
    ----------
    threshold : int - in pixel units, 0 to 255
    """

    def __init__(self, threshold: int = 128) -> None:
        super().__init__()
        if not isinstance(threshold, int) or not 0 <= threshold <= 255:
            raise ValueError(f"Threshold must be an integer from 0 to 255, not {threshold!r}")
        self.threshold = threshold

    def forward(self, x: Tensor) -> Tensor:
        return sign(x - self.threshold)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}"


class ChannelLastFlatten(nn.Module):
    """(batch, channel, height, width) to (batch, height * width * channel), channels fastest: the order of the hardware's streams."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1).flatten(1)


class BinaryLayer(nn.Module):
    """A product with binary weights ``b = sign(w)`` and positive scale factors ``alpha``: what convolution and dense layers share.

    ``alpha = |scale|`` multiplies the integer sums, one factor per output channel (or one for the whole layer). With ``A = 1 / alpha``
    the bilinear term of RBONN ``G = lam * sum ||b - A w||^2`` (its form 2, b constant) ties latent weights and scale factors:
    ``dG/dw = 2 lam A (A w - b)`` and ``dG/dA = 2 lam (A ||w||^2 - ||w||_1)`` per channel. The gradient passes the sign unchanged.

    Parameters
    ----------
    weight_shape : tuple[int, ...] - of the latent weights, output channel first
    n_scales : int - output channels, or 1
    lam : float - weight of the bilinear term
    weight_limit : float - `limit_weights` keeps the latent weights in -weight_limit..weight_limit

    Members
    -------
    weight : Parameter - latent weights
    scale : Parameter (n_scales,) - alpha is its absolute value

    References
    ----------
    Xu et al., Recurrent Bilinear Optimization for Binary Neural Networks, ECCV 2022, section 3
    """

    def __init__(
        self, weight_shape: tuple[int, ...], n_scales: int, *, lam: float, weight_limit: float
    ) -> None:
        super().__init__()
        if not lam >= 0:
            raise ValueError(f"Lam must be at least 0, not {lam!r}")
        if not weight_limit > 0:
            raise ValueError(f"Weight limit must be positive, not {weight_limit!r}")
        self.lam = lam
        self.weight_limit = weight_limit
        self.weight = nn.Parameter(torch.empty(weight_shape))
        self.scale = nn.Parameter(torch.empty(n_scales))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Latent weights uniform in -0.1..0.1, of which a step of Adam is a noticeable part; scale factors where the bilinear term is least."""
        nn.init.uniform_(self.weight, -0.1, 0.1)
        with torch.no_grad():
            rows = self.weight.reshape(len(self.scale), -1)
            self.scale.copy_(rows.square().sum(1) / rows.abs().sum(1))

    @property
    def alpha(self) -> Tensor:
        """The positive scale factors, (n_scales,)."""
        return self.scale.abs()

    @property
    def binary_weight(self) -> Tensor:
        """+1 and -1 in the shape of `weight`, differentiable straight through."""
        return latent_sign(self.weight)

    def bilinear_loss(self) -> Tensor:
        """``lam * sum ||b - A w||^2`` over the layer, a scalar."""
        rows = self.weight.reshape(len(self.scale), -1)  # (n_scales, weights per scale)
        residual = rows / self.alpha[:, None] - sign(rows.detach())
        return self.lam * residual.square().sum()

    @torch.no_grad()
    def limit_weights(self) -> None:
        """Clamp the latent weights in place; the training loop calls it after every step of the optimiser."""
        self.weight.clamp_(-self.weight_limit, self.weight_limit)


class BinaryConv2d(BinaryLayer):
    """Binary convolution ``o = alpha[c] * conv(x, sign(w))``: (batch, in, height, width) to (batch, out, height', width').

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int or (height, width)
    stride, padding : int - pixels, the same on both axes and all four sides; padding below the kernel size
    pad_value : int - what a padded tap holds: 0, +1 or -1
    lam, weight_limit : float - see `BinaryLayer`

    Raises
    ------
    ValueError - a parameter out of its range
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int = 1,
        padding: int = 0,
        pad_value: int = 0,
        *,
        lam: float = 1e-4,
        weight_limit: float = 1.5,
    ) -> None:
        kernel = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        for name, value in (
            ("Input channels", in_channels),
            ("Output channels", out_channels),
            ("Kernel height", kernel[0]),
            ("Kernel width", kernel[1]),
            ("Stride", stride),
        ):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value!r}")
        if not 0 <= padding < min(kernel):
            raise ValueError(f"Padding must be 0 to kernel size - 1, not {padding!r}")
        if pad_value not in (-1, 0, 1):
            raise ValueError(f"Pad value must be -1, 0 or 1, not {pad_value!r}")
        super().__init__(
            (out_channels, in_channels, *kernel), out_channels, lam=lam, weight_limit=weight_limit
        )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel
        self.stride = stride
        self.padding = padding
        self.pad_value = pad_value

    def sums(self, x: Tensor) -> Tensor:
        """The integer sums before scaling, (batch, out, height', width')."""
        return self._convolve(x, self.binary_weight)

    def forward(self, x: Tensor) -> Tensor:
        alpha = self.alpha[:, None, None]
        if self.training:  # the same product; scaling the weights costs less memory traffic
            return self._convolve(x, self.binary_weight * alpha[:, None])
        return self.sums(x) * alpha

    def _convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        padding = self.padding
        if padding and self.pad_value:
            x = functional.pad(x, (padding,) * 4, value=float(self.pad_value))
            padding = 0
        return functional.conv2d(x, weight, stride=self.stride, padding=padding)

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, pad_value={self.pad_value}"
        )


class BinaryLinear(BinaryLayer):
    """Binary dense layer ``o = alpha[c] * (sign(w) x)``: (batch, in) to (batch, out).

    Parameters
    ----------
    in_features, out_features : int
    lam, weight_limit : float - see `BinaryLayer`

    Raises
    ------
    ValueError - a parameter out of its range
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        lam: float = 1e-4,
        weight_limit: float = 1.5,
        n_scales: int | None = None,
    ) -> None:
        if in_features < 1 or out_features < 1:
            raise ValueError(f"Features must be at least 1, not {in_features!r}, {out_features!r}")
        n_scales = out_features if n_scales is None else n_scales
        super().__init__((out_features, in_features), n_scales, lam=lam, weight_limit=weight_limit)
        self.in_features = in_features
        self.out_features = out_features

    def sums(self, x: Tensor) -> Tensor:
        """The integer sums before scaling, (batch, out)."""
        return functional.linear(x, self.binary_weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.sums(x) * self.alpha

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}"


class BinaryHead(BinaryLinear):
    """The last layer: scores ``o = alpha * (sign(w) x + n)`` with one scale factor and an integer ``n[c] = round(bias[c] / alpha)``.

    ``alpha`` is positive and common to all classes, so the integers ``sign(w) x + n`` rank the classes as the scores do: the hardware
    needs no multiplier. Gradients pass the rounding unchanged. (batch, in) to (batch, classes).

    Parameters
    ----------
    in_features, n_classes : int
    lam, weight_limit : float - see `BinaryLayer`

    Members
    -------
    bias : Parameter (classes,) - in units of the scores
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        *,
        lam: float = 1e-4,
        weight_limit: float = 1.5,
    ) -> None:
        super().__init__(in_features, n_classes, lam=lam, weight_limit=weight_limit, n_scales=1)
        self.bias = nn.Parameter(torch.zeros(n_classes))
        with torch.no_grad():  # scores of about unit variance at the start
            self.scale.fill_(1 / math.sqrt(in_features))

    def integer_bias(self) -> Tensor:
        """The bias in units of the integer sums, (classes,) int64."""
        return (self.bias.detach().double() / self.alpha.detach().double()).round().long()

    def integer_scores(self, x: Tensor) -> Tensor:
        """``sign(w) x + n``: what the hardware gives, (batch, classes), in the type of `x`."""
        return self.sums(x) + self.integer_bias().to(x.dtype)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return self.integer_scores(x) * self.alpha
        offset = self.bias / self.alpha
        rounded = offset + (self.integer_bias().to(x.dtype) - offset).detach()
        return (self.sums(x) + rounded) * self.alpha
