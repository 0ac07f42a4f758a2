"""Binary multilayer perceptron on pixels that were made bits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor, nn

from ..activations import BinaryActivation, Estimator
from ..layers import BinaryHead, ChannelLastFlatten, RBOLinear
from .image import ImageShape
from .input_encoding import input_encoding
from .recurrent_config import RecurrentConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class MlpConfig:
    """Shape of an `Mlp`.

    Parameters
    ----------
    hidden : tuple[int, ...] - neurons of each hidden layer, possibly none
    input_threshold : int - pixels from this value on are +1, 0 to 255
    input_levels : int or None - bits of a thermometer code of each pixel, in place of the one bit by `input_threshold`
    estimator : str - gradient of the activations, ``approximate`` or ``clip``
    recurrent : RecurrentConfig - RBONN's settings, of every binary layer but the head
    """

    kind: Literal["mlp"] = "mlp"
    hidden: tuple[int, ...]
    input_threshold: int = 128
    input_levels: int | None = None
    estimator: Estimator = "approximate"
    recurrent: RecurrentConfig = field(default_factory=RecurrentConfig)


class Mlp(nn.Module):
    """``InputBinarise or InputThermometer, ChannelLastFlatten, (RBOLinear, BatchNorm1d, BinaryActivation)*, BinaryHead``.

    Pixels 0..255 as float (batch, channel, height, width) to scores (batch, classes).

    Members
    -------
    layers : Sequential - all layers in order, for lowering to walk
    """

    def __init__(self, config: MlpConfig, image: ImageShape, n_classes: int) -> None:
        super().__init__()
        encode, image = input_encoding(config.input_threshold, config.input_levels, image)
        layers: list[nn.Module] = [encode, ChannelLastFlatten()]
        options = config.recurrent.layer_options()
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
