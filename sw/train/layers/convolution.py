"""The binary convolution."""

from __future__ import annotations

from typing import Unpack

from torch import Tensor
from torch.nn import functional

from ..activations import latent_sign
from .kernel_codebook import KernelCodebook
from .rbo import RBOLayer, RBOOptions


class RBOConv2d(RBOLayer):
    """Binary convolution ``o = alpha[c] * conv(x, sign(w))``: (batch, in, height, width) to (batch, out, height', width').

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int or (height, width)
    stride, padding : int - pixels, the same on both axes and all four sides; padding below the kernel size
    pad_value : int - what a padded tap holds: 0, +1 or -1
    n_codewords : int or None - each kernel is the nearest of that many codewords in place of sign(w): 2 to 2^taps, in kernels of at most 9 taps, not in
        the official modes
    options - mode, lam, tau, u0, eta_u, weight_limit of `RBOLayer`

    Members
    -------
    codebook : KernelCodebook or None - chosen from the first latent weights, and again from those that stage one ends with

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
        n_codewords: int | None = None,
        **options: Unpack[RBOOptions],
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
        super().__init__((out_channels, in_channels, *kernel), **options)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel
        self.stride = stride
        self.padding = padding
        self.pad_value = pad_value
        self.codebook = None if n_codewords is None else KernelCodebook(n_codewords, kernel)
        if self.codebook is not None:
            if self.official:
                raise ValueError(f"Codewords must be None in mode {self.mode!r}, not {n_codewords!r}")  # fmt: skip
            self.codebook.choose(self.weight)

    def reset_parameters(self) -> None:
        super().reset_parameters()
        # The base class calls this before there is a codebook.
        codebook = getattr(self, "codebook", None)
        if codebook is not None:
            codebook.choose(self.weight)

    def start_binary(self) -> None:
        super().start_binary()
        if self.codebook is not None:
            self.codebook.choose(self.weight)

    @property
    def binary_weight(self) -> Tensor:
        if self.codebook is None:
            return latent_sign(self.weight)
        return self.codebook.binarise(self.weight)

    def sums(self, x: Tensor) -> Tensor:
        """The integer sums before scaling, (batch, out, height', width')."""
        return self._convolve(x, self.binary_weight)

    def forward(self, x: Tensor) -> Tensor:
        # In training the same product; scaling the weights costs less memory traffic.
        if self.training or self.real_weights:
            return self._convolve(x, self.training_weight())
        return self.sums(x) * self.alpha[:, None, None]

    def _convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        padding = self.padding
        if padding and self.pad_value:
            x = functional.pad(x, (padding,) * 4, value=float(self.pad_value))
            padding = 0
        return functional.conv2d(x, weight, stride=self.stride, padding=padding)

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, pad_value={self.pad_value}, mode={self.mode!r}"
        )
