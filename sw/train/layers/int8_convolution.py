"""A convolution of integer pixels with 8-bit weights: the stem that a multiplier array computes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_WEIGHT_STEPS = 128
"""A latent weight of 1 would be the integer 128; the range is -128..127."""
_PIXEL_RANGE = 256


class Int8Conv2d(nn.Module):
    """Convolution with integer weights ``q = clamp(round(128 w), -128, 127)``: ``o = conv(x, q) / 32768``.

    The input is integer pixels 0..255, so the sums are integers, exact in float32 (up to 514 taps). Gradients pass the rounding
    unchanged and stop where the clamp holds. (batch, in, height, width) to (batch, out, height', width').

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding : int - as in `torch.nn.Conv2d`, no bias
    pad_value : int - the pixel that a padded tap holds, 0 to 255

    Members
    -------
    weight : Parameter (out, in, kernel, kernel) - latent weights w, about -1 to 1

    Raises
    ------
    ValueError - a parameter out of its range, or a sum that would not be exact
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        pad_value: int = 0,
    ) -> None:
        super().__init__()
        for name, value in (
            ("Input channels", in_channels),
            ("Output channels", out_channels),
            ("Kernel size", kernel_size),
            ("Stride", stride),
        ):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value!r}")
        if not 0 <= padding < kernel_size:
            raise ValueError(f"Padding must be 0 to kernel size - 1, not {padding!r}")
        if not 0 <= pad_value < _PIXEL_RANGE:
            raise ValueError(f"Pad value must be a pixel, 0 to 255, not {pad_value!r}")
        n_taps = in_channels * kernel_size**2
        if n_taps * _WEIGHT_STEPS * (_PIXEL_RANGE - 1) >= 1 << 24:
            raise ValueError(f"Taps must be at most 514 for exact sums, not {n_taps}")
        self.stride = stride
        self.padding = padding
        self.pad_value = pad_value
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size, kernel_size))
        nn.init.kaiming_uniform_(self.weight)

    def integer_weight(self) -> Tensor:
        """The integers q in the shape and type of `weight`, differentiable straight through."""
        steps = (self.weight * _WEIGHT_STEPS).clamp(-_WEIGHT_STEPS, _WEIGHT_STEPS - 1)
        return steps.detach().round() + (steps - steps.detach())

    def sums(self, x: Tensor) -> Tensor:
        """The integer sums before scaling, (batch, out, height', width')."""
        return self._convolve(x, self.integer_weight())

    def forward(self, x: Tensor) -> Tensor:
        if self.training:  # the same product; scaling the weights costs less memory traffic
            return self._convolve(x, self.integer_weight() / (_WEIGHT_STEPS * _PIXEL_RANGE))
        return self.sums(x) / (_WEIGHT_STEPS * _PIXEL_RANGE)

    def _convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        padding = self.padding
        if padding and self.pad_value:
            x = functional.pad(x, (padding,) * 4, value=float(self.pad_value))
            padding = 0
        return functional.conv2d(x, weight, stride=self.stride, padding=padding)

    def extra_repr(self) -> str:
        out_channels, in_channels, kernel_size, _ = self.weight.shape
        return f"{in_channels}, {out_channels}, kernel_size={kernel_size}, stride={self.stride}, padding={self.padding}, pad_value={self.pad_value}"
