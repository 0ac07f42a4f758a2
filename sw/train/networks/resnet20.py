"""Binary ResNet-20 for small images (CIFAR): a stem, three groups of blocks, and a real dense layer."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args

from pydantic import Field
from torch import Tensor, nn

from ..activations import Estimator, Slopes
from ..layers import InputThermometer, Int8Conv2d, RBOConv2d
from .block import Shortcut, block_groups
from .image import ImageShape
from .recurrent_config import RecurrentConfig

Stem = Literal["thermometer", "int8"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNet20Config:
    """Shape of a `ResNet20`; the defaults fit hardware with few multipliers.

    Parameters
    ----------
    width : int - channels of the stem and the first group; the second has twice, the third four times as many
    blocks : int - binary convolutions per group, 1 to 100
    stem : str - ``thermometer``: a binary convolution of thermometer bits; ``int8``: 8-bit weights on the pixels themselves
    input_levels : int - bits of the thermometer code of each pixel
    shortcut : str - between the groups: ``avgpool_duplicate`` or ``conv1x1``
    slopes : str - of the RPReLUs: ``free`` or ``power_of_two``
    pad_value : int - what a padded tap of a binary convolution holds: 0, +1 or -1
    estimator : str - gradient of the activations, ``approximate`` or ``clip``
    recurrent : RecurrentConfig - RBONN's settings, of every binary layer
    """

    kind: Literal["resnet20"] = "resnet20"
    width: int = 16
    blocks: Annotated[int, Field(ge=1, le=100)] = 6
    stem: Stem = "thermometer"
    input_levels: int = 16
    shortcut: Shortcut = "avgpool_duplicate"
    slopes: Slopes = "power_of_two"
    pad_value: int = 0
    estimator: Estimator = "approximate"
    recurrent: RecurrentConfig = field(default_factory=RecurrentConfig)


class ResNet20(nn.Module):
    """``stem, BatchNorm2d, 3 groups of 6 Blocks, AdaptiveAvgPool2d, Flatten, Linear``: 18 binary convolutions of 267 264 weights, and the stem.

    The first block of the second and the third group halves height and width. Pixels 0..255 as float (batch, channel, height, width)
    to scores (batch, classes).

    Members
    -------
    layers : Sequential - all layers in order: ``encode`` (thermometer only), ``stem``, ``norm``, ``group1`` to ``group3``, ``pool``,
        ``flatten``, ``head``

    Raises
    ------
    ValueError - a height or width that cannot be halved twice, or a parameter out of its range

    References
    ----------
    He et al., Deep Residual Learning for Image Recognition, CVPR 2016, section 4.2 (shape); Zhang et al., FracBNN, FPGA 2021 (thermometer)
    """

    def __init__(self, config: ResNet20Config, image: ImageShape, n_classes: int) -> None:
        super().__init__()
        for name, value in (("Width", config.width), ("Blocks", config.blocks)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value!r}")
        layers = _stem(config, image)
        image = ImageShape(image.height, image.width, config.width)
        channels = [config.width << group for group in range(3)]
        groups, image = block_groups(config, image, channels, config.blocks)
        layers |= {f"group{number}": group for number, group in enumerate(groups, start=1)}
        layers["pool"] = nn.AdaptiveAvgPool2d(1)
        layers["flatten"] = nn.Flatten()
        layers["head"] = nn.Linear(image.channels, n_classes)
        self.layers = nn.Sequential(layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def _stem(config: ResNet20Config, image: ImageShape) -> OrderedDict[str, nn.Module]:
    """From pixels to the residual stream, under the names of `ResNet20.layers`."""
    if config.stem not in get_args(Stem):
        raise ValueError(f"Stem must be 'thermometer' or 'int8', not {config.stem!r}")
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if config.stem == "thermometer":
        layers["encode"] = InputThermometer(config.input_levels)
        layers["stem"] = RBOConv2d(
            image.channels * config.input_levels,
            config.width,
            3,
            padding=1,
            pad_value=config.pad_value,
            **config.recurrent.layer_options(),
        )
    else:
        layers["stem"] = Int8Conv2d(image.channels, config.width, 3, padding=1)
    layers["norm"] = nn.BatchNorm2d(config.width)
    return layers
