"""The residual block of the RBONN paper, after ReActNet: one binary 3x3 convolution beside a shortcut that stays real."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal, Protocol, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..activations import Estimator, RPReLU, RSign, Slopes
from ..layers import RBOConv2d
from .image import ImageShape
from .recurrent_config import RecurrentConfig

Shortcut = Literal["avgpool_duplicate", "conv1x1"]


class Add(nn.Module):
    """Sum of the block's two branches, of equal shapes; a module, so that lowering and hooks can name the residual stream."""

    def forward(self, x: Tensor, shortcut: Tensor) -> Tensor:
        return x + shortcut


class AvgPoolDuplicate(nn.Module):
    """Average over squares side by side, then copies of all channels one after the other: a shortcut without weights.

    (batch, channel, height, width) to (batch, channel * copies, height / size, width / size); output channel ``j * channels + c`` is
    copy j of channel c.

    Parameters
    ----------
    size : int - of the squares, pixels
    copies : int - of each channel

    References
    ----------
    Liu et al., ReActNet, ECCV 2020, section 4.1; Zhang et al., FracBNN, FPGA 2021, section 3.2
    """

    def __init__(self, size: int = 2, copies: int = 2) -> None:
        super().__init__()
        for name, value in (("Size", size), ("Copies", copies)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value!r}")
        self.size = size
        self.copies = copies

    def forward(self, x: Tensor) -> Tensor:
        if self.size > 1:
            x = functional.avg_pool2d(x, self.size)
        return torch.cat([x] * self.copies, dim=1)

    def extra_repr(self) -> str:
        return f"size={self.size}, copies={self.copies}"


class Block(nn.Module):
    """``o = RPReLU(BatchNorm(RBOConv2d(RSign(x))) + shortcut(x))``, the convolution 3x3 with a border of one pixel.

    (batch, in, height, width) to (batch, out, height / stride, width / stride), of any floating type. The shortcut is the identity where
    nothing changes; else ``avgpool_duplicate`` (see `AvgPoolDuplicate`) or ``conv1x1`` (average pool, real 1x1 convolution, batch norm).

    Parameters
    ----------
    in_channels, out_channels : int
    stride : int - 1 or 2
    shortcut : str - ``avgpool_duplicate`` or ``conv1x1``
    slopes : str - of the RPReLU: ``free`` or ``power_of_two``
    pad_value : int - what a padded tap of the binary convolution holds: 0, +1 or -1
    estimator : str - gradient of the RSign
    recurrent : RecurrentConfig - of the binary convolution

    Members
    -------
    sign, product, norm, shortcut, add, activation : Module - in the order of the data; the shortcut runs beside the first three

    Raises
    ------
    ValueError - another stride or shortcut, or copies that do not give the output channels

    References
    ----------
    Liu et al., ReActNet, ECCV 2020, section 4; Xu et al., Recurrent Bilinear Optimization for Binary Neural Networks, ECCV 2022, section 4
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        *,
        shortcut: Shortcut = "avgpool_duplicate",
        slopes: Slopes = "free",
        pad_value: int = 0,
        estimator: Estimator = "approximate",
        recurrent: RecurrentConfig | None = None,
    ) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"Stride must be 1 or 2, not {stride!r}")
        options = (recurrent or RecurrentConfig()).layer_options()
        self.sign = RSign(in_channels, estimator)
        self.product = RBOConv2d(
            in_channels, out_channels, 3, stride, padding=1, pad_value=pad_value, **options
        )
        self.norm = nn.BatchNorm2d(out_channels)
        self.shortcut = _shortcut(shortcut, in_channels, out_channels, stride)
        self.add = Add()
        self.activation = RPReLU(out_channels, slopes)

    def forward(self, x: Tensor) -> Tensor:
        product = self.norm(self.product(self.sign(x)))
        return self.activation(self.add(product, self.shortcut(x)))


def halved(image: ImageShape, channels: int) -> ImageShape:
    """The shape behind a block of stride 2. Raises ValueError where height or width is odd: pool and convolution would disagree."""
    if image.height % 2 or image.width % 2:
        raise ValueError(
            f"A stride of 2 needs an even height and width, not {image.height} x {image.width}"
        )
    return ImageShape(image.height // 2, image.width // 2, channels)


class BlockSettings(Protocol):
    """What the configs of residual networks say of all their blocks; see `Block`."""

    @property
    def shortcut(self) -> Shortcut: ...
    @property
    def slopes(self) -> Slopes: ...
    @property
    def pad_value(self) -> int: ...
    @property
    def estimator(self) -> Estimator: ...
    @property
    def recurrent(self) -> RecurrentConfig: ...


def block_groups(
    settings: BlockSettings, image: ImageShape, channels: Sequence[int], n_blocks: int
) -> tuple[list[nn.Sequential], ImageShape]:
    """Groups of `n_blocks` blocks with so many `channels` each, and the shape behind the last one.

    The first block of each group but the first halves height and width. Raises ValueError where they cannot be halved.
    """
    block = partial(
        Block,
        shortcut=settings.shortcut,
        slopes=settings.slopes,
        pad_value=settings.pad_value,
        estimator=settings.estimator,
        recurrent=settings.recurrent,
    )
    groups = []
    for number, n_channels in enumerate(channels):
        first = block(image.channels, n_channels, 2 if number else 1)
        image = halved(image, n_channels) if number else image
        rest = [block(n_channels, n_channels) for _ in range(n_blocks - 1)]
        groups.append(nn.Sequential(first, *rest))
    return groups, image


def _shortcut(kind: Shortcut, in_channels: int, out_channels: int, stride: int) -> nn.Module:
    if kind not in get_args(Shortcut):
        raise ValueError(f"Shortcut must be 'avgpool_duplicate' or 'conv1x1', not {kind!r}")
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    if kind == "avgpool_duplicate":
        copies, rest = divmod(out_channels, in_channels)
        if rest:
            raise ValueError(
                f"Output channels must be copies of the input channels: {in_channels} channels, {out_channels} wanted"
            )
        return AvgPoolDuplicate(stride, copies)
    return nn.Sequential(
        nn.AvgPool2d(2) if stride == 2 else nn.Identity(),
        nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False),
        nn.BatchNorm2d(out_channels),
    )
