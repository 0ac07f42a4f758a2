"""Binary multilayer perceptron on binarised pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from ..activations import BinaryActivation, Estimator
from ..layers import BinaryHead, BinaryLinear, ChannelLastFlatten, InputBinarise
from .image import ImageShape


@dataclass(frozen=True, slots=True, kw_only=True)
class MlpConfig:
    """Shape of an `Mlp`.

    Parameters
    ----------
    hidden : tuple[int, ...] - neurons of each hidden layer, possibly none
    input_threshold : int - pixels from this value on are +1, 0 to 255
    bilinear_lambda : float - weight of RBONN's bilinear term in every layer
    estimator : str - gradient of the activations, ``approximate`` or ``clip``
    """

    kind: Literal["mlp"] = "mlp"
    hidden: tuple[int, ...]
    input_threshold: int = 128
    bilinear_lambda: float = 1e-4
    estimator: Estimator = "approximate"


class Mlp(nn.Module):
    """``InputBinarise, ChannelLastFlatten, (BinaryLinear, BatchNorm1d, BinaryActivation)*, BinaryHead``.

    Pixels 0..255 as float (batch, channel, height, width) to scores (batch, classes).

    Members
    -------
    layers : Sequential - all layers in order, for lowering to walk
    """

    def __init__(self, config: MlpConfig, image: ImageShape, n_classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [InputBinarise(config.input_threshold), ChannelLastFlatten()]
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
