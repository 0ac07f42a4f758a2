"""Binary ResNet-18 for large images (ImageNet): the network of the RBONN paper, layer by layer."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from ..activations import Estimator, Slopes
from .block import Shortcut, block_groups, halved
from .image import ImageShape
from .recurrent_config import RecurrentConfig

GROUPS = (64, 128, 256, 512)
"""Channels of the four groups."""
BLOCKS = 4
"""Blocks, and so binary convolutions, per group."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Of ImageNet's training images, per channel (red, green, blue), pixels from 0 to 1."""
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
"""Standard deviation of the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNet18Config:
    """Options of a `ResNet18`; the defaults are the paper's network.

    Parameters
    ----------
    shortcut : str - between the groups: ``conv1x1`` or ``avgpool_duplicate``
    slopes : str - of the RPReLUs: ``free`` or ``power_of_two``
    pad_value : int - what a padded tap of a binary convolution holds: 0, +1 or -1
    estimator : str - gradient of the activations, ``approximate`` or ``clip``
    recurrent : RecurrentConfig - RBONN's settings, of every binary layer
    """

    kind: Literal["resnet18"] = "resnet18"
    shortcut: Shortcut = "conv1x1"
    slopes: Slopes = "free"
    pad_value: int = 0
    estimator: Estimator = "approximate"
    recurrent: RecurrentConfig = field(default_factory=RecurrentConfig)


class PixelNormalise(nn.Module):
    """``o = (x / 255 - mean[c]) / deviation[c]``: pixels 0..255 to what a real-valued first layer was trained on; any shape
    (batch, channel, height, width).

    The constants are no part of the state, so that a state dict of the layers alone fits.

    Parameters
    ----------
    mean, deviation : tuple[float, ...] - per channel, in units of the full scale
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: tuple[float, ...], deviation: tuple[float, ...]) -> None:
        super().__init__()
        if len(mean) != len(deviation):
            raise ValueError(
                f"Mean and deviation must be per channel: {len(mean)} means, {len(deviation)} deviations"
            )
        for name, values in (("mean", mean), ("deviation", deviation)):
            self.register_buffer(name, 255 * torch.tensor(values)[:, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.deviation

    def extra_repr(self) -> str:
        return f"channels={len(self.mean)}"


class ResNet18(nn.Module):
    """``PixelNormalise, Conv2d 7x7/2, BatchNorm2d, MaxPool2d 3x3/2, 4 groups of 4 Blocks, AdaptiveAvgPool2d, Flatten, Linear``.

    16 binary convolutions of 10 985 472 weights; stem, shortcuts and the last layer are real. The first block of each group but the first
    halves height and width. Pixels 0..255 as float (batch, 3, height, width) to scores (batch, classes).

    Members
    -------
    layers : Sequential - all layers in order, with the names of torchvision's ResNet: ``normalise``, ``conv1``, ``bn1``, ``maxpool``,
        ``layer1`` to ``layer4``, ``avgpool``, ``flatten``, ``fc``

    Raises
    ------
    ValueError - images without three channels, or a height or width that cannot be halved as often as the network does

    References
    ----------
    Xu et al., Recurrent Bilinear Optimization for Binary Neural Networks, ECCV 2022, section 4; Liu et al., ReActNet, ECCV 2020
    """

    def __init__(self, config: ResNet18Config, image: ImageShape, n_classes: int) -> None:
        super().__init__()
        if image.channels != len(IMAGENET_MEAN):
            raise ValueError(f"Images must have 3 channels, not {image.channels}")
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["normalise"] = PixelNormalise(IMAGENET_MEAN, IMAGENET_DEVIATION)
        layers["conv1"] = nn.Conv2d(3, GROUPS[0], 7, stride=2, padding=3, bias=False)
        layers["bn1"] = nn.BatchNorm2d(GROUPS[0])
        layers["maxpool"] = nn.MaxPool2d(3, stride=2, padding=1)
        image = halved(halved(image, GROUPS[0]), GROUPS[0])
        groups, image = block_groups(config, image, GROUPS, BLOCKS)
        layers |= {f"layer{number}": group for number, group in enumerate(groups, start=1)}
        layers["avgpool"] = nn.AdaptiveAvgPool2d(1)
        layers["flatten"] = nn.Flatten()
        layers["fc"] = nn.Linear(image.channels, n_classes)
        self.layers = nn.Sequential(layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
