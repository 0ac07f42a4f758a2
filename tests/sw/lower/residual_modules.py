"""Residual networks as a training could leave them: random parameters, batch norms that know the data."""

from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st
from rbonn.sw.network import EdgeType, UInt
from rbonn.sw.train.activations import RPReLU, RSign
from rbonn.sw.train.layers import InputBinarise, InputThermometer, Int8Conv2d, RBOConv2d, RBOLayer
from rbonn.sw.train.networks.block import Block
from torch import nn


@dataclass(frozen=True)
class Shape:
    """Of a small residual network: a stem, then blocks of (output channels, stride)."""

    image: tuple[int, int, int] = (8, 8, 3)
    stem: str = "thermometer"
    channels: int = 4
    blocks: tuple[tuple[int, int], ...] = ((4, 1), (8, 2), (8, 1))
    shortcut: str = "avgpool_duplicate"
    slopes: str = "power_of_two"
    pad_value: int = 0
    mode: str = "paper"
    n_classes: int = 5

    @property
    def image_type(self):
        return EdgeType(UInt(8), self.image)


def build(shape, seed=0):
    """(module in eval mode, 40 images on which its batch norms were measured)."""
    images = np.random.default_rng(seed).integers(0, 256, (40, *shape.image), np.uint8)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = nn.Sequential(*_layers(shape))
        for layer in module.modules():
            _randomise(layer)
        with torch.no_grad():
            module.train()(torch.from_numpy(images).permute(0, 3, 1, 2).float())
    return module.eval(), images


def _layers(shape):
    n_in = shape.image[2]
    stem = {
        "thermometer": [InputThermometer(4), RBOConv2d(4 * n_in, shape.channels, 3, padding=1, mode=shape.mode)],
        "binarise": [InputBinarise(), RBOConv2d(n_in, shape.channels, 3, padding=1, mode=shape.mode)],
        "int8": [Int8Conv2d(n_in, shape.channels, 3, padding=1, pad_value=100)],
        "pixels": [RBOConv2d(n_in, shape.channels, 3, padding=1, mode=shape.mode)],
    }[shape.stem]  # fmt: skip
    channels = shape.channels
    blocks = []
    for n_out, stride in shape.blocks:
        blocks.append(
            Block(channels, n_out, stride, shortcut=shape.shortcut, slopes=shape.slopes, pad_value=shape.pad_value)
        )  # fmt: skip
        channels = n_out
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, shape.n_classes)]
    return [*stem, nn.BatchNorm2d(shape.channels), nn.Sequential(*blocks), *head]


def _randomise(layer):
    def normal(like, spread, centre=0.0):
        return centre + spread * torch.randn_like(like)

    if isinstance(layer, RBOLayer):
        layer.weight.data = normal(layer.weight, 1)
        layer.scale.data = normal(layer.scale, 0.3, 1).abs().clamp(min=0.05)
    elif isinstance(layer, nn.BatchNorm2d):
        layer.weight.data = normal(layer.weight, 0.4, 1)
        layer.weight.data[torch.rand(len(layer.weight)) < 0.2] *= -1
        layer.bias.data = normal(layer.bias, 0.3)
        layer.momentum = None  # the average over all that it has seen
    elif isinstance(layer, RSign):
        layer.shift.data = normal(layer.shift, 0.3)
    elif isinstance(layer, RPReLU):
        layer.shift_in.data = normal(layer.shift_in, 0.3)
        layer.slope.data = normal(layer.slope, 0.4)
        layer.shift_out.data = normal(layer.shift_out, 0.3)


@st.composite
def shapes(draw):
    """Small residual networks of every kind."""
    channels = draw(st.integers(1, 6))
    n_stride_2 = draw(st.integers(0, 2))
    sizes = st.integers(1, 3).map(lambda half: half << n_stride_2)
    shortcut = draw(st.sampled_from(["avgpool_duplicate", "conv1x1"]))
    blocks, n_out = [], channels
    for _ in range(n_stride_2):
        blocks += [(n_out, 1)] * draw(st.integers(0, 1))
        n_out = (
            draw(st.integers(1, 6)) if shortcut == "conv1x1" else n_out * draw(st.integers(1, 2))
        )
        blocks.append((n_out, 2))
    blocks += [(n_out, 1)] * draw(st.integers(0 if blocks else 1, 1))
    if draw(st.booleans()):  # more channels on the same image
        blocks.append((2 * n_out, 1))
    return Shape(
        image=(draw(sizes), draw(sizes), draw(st.integers(1, 3))),
        stem=draw(st.sampled_from(["thermometer", "binarise", "int8", "pixels"])),
        channels=channels,
        blocks=tuple(blocks),
        shortcut=shortcut,
        slopes=draw(st.sampled_from(["free", "power_of_two"])),
        pad_value=draw(st.sampled_from([-1, 0, 1])),
        mode=draw(st.sampled_from(["paper", "official"])),
        n_classes=draw(st.integers(2, 6)),
    )
