"""Networks that can be trained, each one readable file: chains of binary layers (mlp, cnn, cnv) and residual networks; float_resnet is a teacher."""

from __future__ import annotations

from .block import Block
from .cnn import Cnn, CnnConfig, ConvConfig
from .cnv import Cnv, CnvConfig
from .float_resnet import FloatResNet, FloatResNetConfig
from .image import ImageShape
from .mlp import Mlp, MlpConfig
from .recurrent_config import RecurrentConfig
from .resnet18 import ResNet18, ResNet18Config
from .resnet20 import ResNet20, ResNet20Config

NetworkConfig = (
    MlpConfig | CnnConfig | CnvConfig | ResNet20Config | ResNet18Config | FloatResNetConfig
)
Network = Mlp | Cnn | Cnv | ResNet20 | ResNet18 | FloatResNet

__all__ = [
    "Block",
    "Cnn",
    "CnnConfig",
    "Cnv",
    "CnvConfig",
    "ConvConfig",
    "FloatResNet",
    "FloatResNetConfig",
    "ImageShape",
    "Mlp",
    "MlpConfig",
    "Network",
    "NetworkConfig",
    "RecurrentConfig",
    "ResNet18",
    "ResNet18Config",
    "ResNet20",
    "ResNet20Config",
    "build_network",
]


def build_network(config: NetworkConfig, image: ImageShape, n_classes: int) -> Network:
    """A freshly initialised network of that shape (draws from PyTorch's global generator). Raises ValueError where it does not fit."""
    match config:
        case MlpConfig():
            return Mlp(config, image, n_classes)
        case CnnConfig():
            return Cnn(config, image, n_classes)
        case CnvConfig():
            return Cnv(config, image, n_classes)
        case ResNet20Config():
            return ResNet20(config, image, n_classes)
        case ResNet18Config():
            return ResNet18(config, image, n_classes)
        case FloatResNetConfig():
            return FloatResNet(config, image, n_classes)
