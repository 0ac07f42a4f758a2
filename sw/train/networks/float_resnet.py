"""Real-valued residual network for small images: a teacher for binary ones, never lowered itself."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from .block import halved
from .image import ImageShape

_N_GROUPS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatResNetConfig:
    """Shape of a `FloatResNet`.

    Parameters
    ----------
    depth : int - layers with weights, shortcuts not counted: 6 n + 2 for n residual blocks in each of three groups (8, 14, 20, 32 ...)
    width : int - channels of the first group; each later group has twice as many at half the height and width
    """

    kind: Literal["float_resnet"] = "float_resnet"
    depth: Annotated[int, Field(ge=8, le=1000)] = 20
    width: int = 16


class FloatResNet(nn.Module):
    """``BatchNorm2d, (Conv2d 3x3, BatchNorm2d), ReLU, FloatBlock * 3 n, AdaptiveAvgPool2d, Flatten, Linear``.

    Pixels 0..255 as float (batch, channel, height, width) to scores (batch, classes). The first batch norm, without weights of its own, takes
    the place of the data set's mean and deviation. Each block starts as its shortcut (its last batch norm's weights begin at 0),
    which lets the learning rate be high from the first step on.

    Parameters
    ----------
    config : FloatResNetConfig
    image : ImageShape - height and width divisible by 4
    n_classes : int

    Members
    -------
    layers : Sequential - all layers in order: normalise, stem, activation, group1, group2, group3, pool, flatten, head

    Raises
    ------
    ValueError - a depth that is not 6 n + 2, a width below 1, or an image that cannot be halved twice

    References
    ----------
    He et al., Deep residual learning for image recognition, CVPR 2016, section 4.2 (the shape); Goyal et al., Accurate, large minibatch SGD, 2017,
    section 5.1 (blocks that start as the identity); He et al., Bag of tricks, CVPR 2019, section 4 (average pools in the shortcuts)
    """

    def __init__(self, config: FloatResNetConfig, image: ImageShape, n_classes: int) -> None:
        super().__init__()
        n_blocks, rest = divmod(config.depth - 2, 2 * _N_GROUPS)
        if rest or n_blocks < 1:
            raise ValueError(f"Depth must be 8, 14, 20 or another 6 n + 2, not {config.depth!r}")
        if config.width < 1:
            raise ValueError(f"Width must be at least 1, not {config.width!r}")
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["normalise"] = nn.BatchNorm2d(image.channels, affine=False)
        layers["stem"] = _convolution(image.channels, config.width)
        layers["activation"] = nn.ReLU()
        for group in range(_N_GROUPS):
            if group:
                image = halved(image, config.width << group)
                first = FloatBlock(config.width << (group - 1), halve=True)
            else:
                first = FloatBlock(config.width, halve=False)
            others = (FloatBlock(config.width << group, halve=False) for _ in range(n_blocks - 1))
            layers[f"group{group + 1}"] = nn.Sequential(first, *others)
        layers["pool"] = nn.AdaptiveAvgPool2d(1)
        layers["flatten"] = nn.Flatten()
        layers["head"] = nn.Linear(image.channels, n_classes)
        self.layers = nn.Sequential(layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class FloatBlock(nn.Module):
    """``ReLU(BN(conv(ReLU(BN(conv(x))))) + shortcut(x))``, both convolutions 3x3.

    Parameters
    ----------
    n_channels : int - of the input
    halve : bool - halve height and width and double the channels; the shortcut is then an average pool, a 1x1 convolution and a batch norm
    """

    def __init__(self, n_channels: int, *, halve: bool) -> None:
        super().__init__()
        n_out = 2 * n_channels if halve else n_channels
        self.first = _convolution(n_channels, n_out, stride=2 if halve else 1)
        self.second = _convolution(n_out, n_out)
        nn.init.zeros_(self.second[1].weight)  # type: ignore[arg-type] - a batch norm's weight is a tensor
        self.shortcut = (
            nn.Sequential(
                nn.AvgPool2d(2),
                nn.Conv2d(n_channels, n_out, kernel_size=1, bias=False),
                nn.BatchNorm2d(n_out),
            )
            if halve
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        correction = self.second(functional.relu(self.first(x)))
        return functional.relu(correction + self.shortcut(x))


def _convolution(n_in: int, n_out: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution that keeps the size (at stride 1), weights after He et al. 2015, and its batch norm."""
    convolution = nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(n_out))
