"""ResNet-20: its shape, its two stems, and what it refuses."""

import pytest
import torch
from rbonn.sw.train.layers import InputThermometer, Int8Conv2d, RBOConv2d, RPReLU
from rbonn.sw.train.networks import Block, ImageShape, RecurrentConfig, ResNet20, ResNet20Config
from rbonn.sw.train.networks.block import AvgPoolDuplicate
from torch import nn

CIFAR = ImageShape(32, 32, 3)


def pixels(n=2, size=32):
    return torch.randint(0, 256, (n, 3, size, size)).float()


def test_eighteen_binary_convolutions_have_267264_weights():
    network = ResNet20(ResNet20Config(), CIFAR, 10)
    products = [module.product for module in network.modules() if isinstance(module, Block)]
    assert len(products) == 18
    assert sum(product.weight.numel() for product in products) == 267_264
    assert {product.mode for product in products} == {"paper"}


def test_the_groups_halve_the_image_and_double_the_channels():
    network = ResNet20(ResNet20Config(), CIFAR, 10).eval()
    shapes = {}
    for name, module in network.layers.named_children():
        module.register_forward_hook(
            lambda _, __, output, name=name: shapes.update({name: tuple(output.shape[1:])})
        )
    assert network(pixels()).shape == (2, 10)
    assert shapes == {
        "encode": (48, 32, 32),
        "stem": (16, 32, 32),
        "norm": (16, 32, 32),
        "group1": (16, 32, 32),
        "group2": (32, 16, 16),
        "group3": (64, 8, 8),
        "pool": (64, 1, 1),
        "flatten": (64,),
        "head": (10,),
    }


def test_the_default_needs_few_multipliers():
    network = ResNet20(ResNet20Config(), CIFAR, 10)
    real = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear | Int8Conv2d)]
    assert real == [network.layers.head]
    assert sum(isinstance(module, AvgPoolDuplicate) for module in network.modules()) == 2
    assert {m.slopes for m in network.modules() if isinstance(m, RPReLU)} == {"power_of_two"}


def test_shortcuts_may_be_real_convolutions():
    layers = ResNet20(ResNet20Config(shortcut="conv1x1"), CIFAR, 10).layers
    real = [module for module in layers.modules() if isinstance(module, nn.Conv2d)]
    assert real == [layers.group2[0].shortcut[1], layers.group3[0].shortcut[1]]


def test_the_thermometer_stem_is_a_binary_convolution_of_all_levels():
    config = ResNet20Config(
        input_levels=8, width=4, blocks=1, recurrent=RecurrentConfig(mode="off")
    )
    layers = ResNet20(config, CIFAR, 10).layers
    assert isinstance(layers.encode, InputThermometer)
    assert isinstance(layers.stem, RBOConv2d)
    assert layers.stem.mode == "off"
    assert layers.stem.weight.shape == (4, 24, 3, 3)


def test_the_int8_stem_reads_the_pixels_themselves():
    config = ResNet20Config(stem="int8", shortcut="conv1x1", slopes="free", width=4, blocks=1)
    network = ResNet20(config, CIFAR, 10).eval()
    x = pixels()
    assert isinstance(network.layers.stem, Int8Conv2d)
    assert not hasattr(network.layers, "encode")
    sums = network.layers.stem.sums(x)
    assert torch.equal(sums, sums.round())
    assert sums.abs().max() > 255
    assert network(x).shape == (2, 10)


def test_width_depth_and_pad_value_are_choices():
    network = ResNet20(ResNet20Config(width=8, blocks=2, pad_value=-1), ImageShape(28, 28, 1), 5)
    products = [m for m in network.modules() if isinstance(m, RBOConv2d)]
    assert [product.out_channels for product in products] == [8, 8, 8, 16, 16, 32, 32]
    assert {product.pad_value for product in products} == {-1}
    assert network(torch.zeros(2, 1, 28, 28)).shape == (2, 5)


@pytest.mark.parametrize(
    ("options", "image", "message"),
    [
        ({"width": 0}, CIFAR, "Width must be at least 1, not 0"),
        ({"blocks": 0}, CIFAR, "Blocks must be at least 1, not 0"),
        ({"stem": "real"}, CIFAR, "Stem must be 'thermometer' or 'int8', not 'real'"),
        ({"input_levels": 0}, CIFAR, "Levels must be"),
        ({}, ImageShape(30, 30, 3), "even height and width, not 15 x 15"),
    ],
)
def test_an_impossible_network_is_refused(options, image, message):
    with pytest.raises(ValueError, match=message):
        ResNet20(ResNet20Config(**options), image, 10)
