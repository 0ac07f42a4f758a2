"""The trainable layers that can become hardware: input encodings, products with binary weights, the head.

Tensors are (batch, channel, height, width) or (batch, feature), as PyTorch has them. Inputs of the binary layers are +1 and -1 (padded
taps may be 0), so their integer sums are exact in float32 below 2**24; in eval the sum is formed first and scaled afterwards.

A chain that can be lowered is one `torch.nn.Sequential` of
``InputBinarise or InputThermometer, (RBOConv2d, BatchNorm2d, [MaxPool2d], BinaryActivation)*, [ChannelLastFlatten], (RBOLinear, BatchNorm1d,
BinaryActivation)*, BinaryHead``.
"""

from ..activations import BinaryActivation, RPReLU, RSign
from .convolution import RBOConv2d
from .dense import RBOLinear
from .flatten import ChannelLastFlatten
from .head import BinaryHead
from .input_encoding import InputBinarise, InputThermometer
from .int8_convolution import Int8Conv2d
from .kernel_codebook import KernelCodebook
from .rbo import Mode, RBOLayer, RBOOptions

__all__ = [
    "BinaryActivation",
    "BinaryHead",
    "ChannelLastFlatten",
    "InputBinarise",
    "InputThermometer",
    "Int8Conv2d",
    "KernelCodebook",
    "Mode",
    "RBOConv2d",
    "RBOLayer",
    "RBOLinear",
    "RBOOptions",
    "RPReLU",
    "RSign",
]
