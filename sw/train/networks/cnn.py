"""Binary convolutional network on binarised pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from ..activations import BinaryActivation, Estimator
from ..layers import BinaryConv2d, BinaryHead, BinaryLinear, ChannelLastFlatten, InputBinarise
from .image import ImageShape


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
    """

    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int = 0
    pad_value: int = -1
    pool: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CnnConfig:
    """Shape of a `Cnn`.

    Parameters
    ----------
    convolutions : tuple[ConvConfig, ...] - in order from the image on
    hidden : tuple[int, ...] - neurons of each dense layer before the head, possibly none
    input_threshold : int - pixels from this value on are +1, 0 to 255
    bilinear_lambda : float - weight of RBONN's bilinear term in every layer
    estimator : str - gradient of the activations, ``approximate`` or ``clip``
    """

    kind: Literal["cnn"] = "cnn"
    convolutions: tuple[ConvConfig, ...]
    hidden: tuple[int, ...] = ()
    input_threshold: int = 128
    bilinear_lambda: float = 1e-4
    estimator: Estimator = "approximate"


class Cnn(nn.Module):
    """``InputBinarise, (BinaryConv2d, BatchNorm2d, [MaxPool2d], BinaryActivation)*, ChannelLastFlatten, (BinaryLinear, BatchNorm1d,
    BinaryActivation)*, BinaryHead``.

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
        layers: list[nn.Module] = [InputBinarise(config.input_threshold)]
        for conv in config.convolutions:
            layers += [
                BinaryConv2d(
                    image.channels,
                    conv.channels,
                    conv.kernel,
                    conv.stride,
                    conv.padding,
                    conv.pad_value,
                    lam=config.bilinear_lambda,
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
                BinaryLinear(n_in, n_out, lam=config.bilinear_lambda),
                nn.BatchNorm1d(n_out),
                BinaryActivation(config.estimator),
            ]
            n_in = n_out
        layers.append(BinaryHead(n_in, n_classes, lam=config.bilinear_lambda))
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
