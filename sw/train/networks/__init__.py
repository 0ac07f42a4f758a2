"""Networks that can be trained and lowered, each one readable file: a multilayer perceptron and a convolutional network."""

from __future__ import annotations

from .cnn import Cnn, CnnConfig, ConvConfig
from .image import ImageShape
from .mlp import Mlp, MlpConfig

NetworkConfig = MlpConfig | CnnConfig
Network = Mlp | Cnn

__all__ = [
    "Cnn",
    "CnnConfig",
    "ConvConfig",
    "ImageShape",
    "Mlp",
    "MlpConfig",
    "Network",
    "NetworkConfig",
    "build_network",
]


def build_network(config: NetworkConfig, image: ImageShape, n_classes: int) -> Network:
    """A freshly initialised network of that shape (draws from PyTorch's global generator). Raises ValueError where it does not fit."""
    match config:
        case MlpConfig():
            return Mlp(config, image, n_classes)
        case CnnConfig():
            return Cnn(config, image, n_classes)
