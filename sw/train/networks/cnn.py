"""Binary convolutional network on pixels that were made bits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor, nn

from ..activations import BinaryActivation, Estimator
from ..layers import BinaryHead, ChannelLastFlatten, RBOConv2d, RBOLinear
from .image import ImageShape
from .input_encoding import input_encoding
from .recurrent_config import RecurrentConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvConfig:
    """One convolution with what follows it.

    Parameters
    ----------
    channels : int - output channels
    kernel : int - height and width, pixels
    stride, padding : int - pixels
    pad_value : int - what a padded tap holds: -1 and +1 are free in hardware, 0 costs a table
    pool : int - size of the max pool that follows, 1 for none
    codewords : int or None - different kernels that the layer may use, see `KernelCodebook`; None for all
    """

    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int = 0
    pad_value: int = -1
    pool: int = 1
    codewords: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CnnConfig:
    """Shape of a `Cnn`.

    Parameters
    ----------
    convolutions : tuple[ConvConfig, ...] - in order from the image on
    hidden : tuple[int, ...] - neurons of each dense layer before the head, possibly none
    input_threshold : int - pixels from this value on are +1, 0 to 255
    input_levels : int or None - bits of a thermometer code of each pixel, in place of the one bit by `input_threshold`
    estimator : str - gradient of the activations, ``approximate`` or ``clip``
    recurrent : RecurrentConfig - RBONN's settings, of every binary layer but the head
    """

    kind: Literal["cnn"] = "cnn"
    convolutions: tuple[ConvConfig, ...]
    hidden: tuple[int, ...] = ()
    input_threshold: int = 128
    input_levels: int | None = None
    estimator: Estimator = "approximate"
    recurrent: RecurrentConfig = field(default_factory=RecurrentConfig)


class Cnn(nn.Module):
    """``InputBinarise or InputThermometer, (RBOConv2d, BatchNorm2d, [MaxPool2d], BinaryActivation)*, ChannelLastFlatten, (RBOLinear,
    BatchNorm1d, BinaryActivation)*, BinaryHead``.

    Batch norm comes before the max pool: in hardware, the threshold comes before an OR. Pixels 0..255 as float
    (batch, channel, height, width) to scores (batch, classes).

    Members
    -------
    layers : Sequential - all layers in order, for lowering to walk

    Raises
    ------
    ValueError - a kernel or a pool that is larger than what reaches it
    """

    def __init__(self, config: CnnConfig, image: ImageShape, n_classes: int) -> None:
        super().__init__()
        encode, image = input_encoding(config.input_threshold, config.input_levels, image)
        layers: list[nn.Module] = [encode]
        options = config.recurrent.layer_options()
        for conv in config.convolutions:
            layers += [
                RBOConv2d(
                    image.channels,
                    conv.channels,
                    conv.kernel,
                    conv.stride,
                    conv.padding,
                    conv.pad_value,
                    n_codewords=conv.codewords,
                    **options,
                ),
                nn.BatchNorm2d(conv.channels),
                *([nn.MaxPool2d(conv.pool)] if conv.pool > 1 else []),
                BinaryActivation(config.estimator),
            ]
            image = _after(conv, image)
        layers.append(ChannelLastFlatten())
        n_in = image.elements
        for n_out in config.hidden:
            layers += [
                RBOLinear(n_in, n_out, **options),
                nn.BatchNorm1d(n_out),
                BinaryActivation(config.estimator),
            ]
            n_in = n_out
        layers.append(BinaryHead(n_in, n_classes))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def _after(conv: ConvConfig, image: ImageShape) -> ImageShape:
    """Shape after a convolution and its pool. Raises ValueError where nothing is left."""
    if conv.pool < 1:
        raise ValueError(f"Pool must be at least 1, not {conv.pool!r}")
    height, width = (
        ((size + 2 * conv.padding - conv.kernel) // conv.stride + 1) // conv.pool
        for size in (image.height, image.width)
    )
    if height < 1 or width < 1:
        raise ValueError(
            f"Kernel {conv.kernel} with pool {conv.pool} does not fit into {image.height} x {image.width} pixels"
        )
    return ImageShape(height, width, conv.channels)
