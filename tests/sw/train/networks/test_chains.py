"""The chains `mlp`, `cnn` and `cnv`: layers in the order that lowering reads, inputs of one bit or a thermometer code."""

import pytest
import torch
from rbonn.sw.network import EdgeType, UInt
from rbonn.sw.train.layers import InputBinarise, InputThermometer, RBOConv2d, RBOLayer
from rbonn.sw.train.networks import (
    Cnn,
    CnnConfig,
    Cnv,
    CnvConfig,
    ConvConfig,
    ImageShape,
    Mlp,
    MlpConfig,
)
from rbonn.sw.train.networks.input_encoding import input_encoding

CIFAR = ImageShape(32, 32, 3)
SMALL = ImageShape(6, 6, 2)


def kinds(network):
    return [type(layer).__name__ for layer in network.layers]


def test_cnv_is_finns_shape():
    network = Cnv(CnvConfig(input_levels=None), CIFAR, 10)
    products = [layer for layer in network.layers if hasattr(layer, "binary_weight")]
    assert [tuple(product.weight.shape[:2]) for product in products] == [
        (64, 3), (64, 64), (128, 64), (128, 128), (256, 128), (256, 256), (512, 256), (512, 512), (10, 512),
    ]  # fmt: skip
    convolutions = [product for product in products if isinstance(product, RBOConv2d)]
    assert {(conv.kernel_size, conv.stride, conv.padding) for conv in convolutions} == {
        ((3, 3), 1, 0)
    }
    assert sum(product.weight.numel() for product in products) == 1_542_848


def test_cnv_pools_before_the_sign_after_the_second_and_the_fourth_convolution():
    conv, pooled, dense = (
        ["RBOConv2d", "BatchNorm2d", "BinaryActivation"],
        ["RBOConv2d", "BatchNorm2d", "MaxPool2d", "BinaryActivation"],
        ["RBOLinear", "BatchNorm1d", "BinaryActivation"],
    )
    assert kinds(Cnv(CnvConfig(width=2), CIFAR, 10)) == [
        "InputThermometer", *conv, *pooled, *conv, *pooled, *conv, *conv, "ChannelLastFlatten", *dense, *dense, "BinaryHead",
    ]  # fmt: skip


def test_cnv_scales_with_its_width():
    network = Cnv(CnvConfig(width=8, input_levels=4), CIFAR, 10)
    shapes = [tuple(p.weight.shape[:2]) for p in network.layers if hasattr(p, "binary_weight")]
    assert shapes == [(8, 12), (8, 8), (16, 8), (16, 16), (32, 16), (32, 32), (64, 32), (64, 64), (10, 64)]  # fmt: skip
    with pytest.raises(ValueError, match="Width must be at least 1, not 0"):
        Cnv(CnvConfig(width=0), CIFAR, 10)
    with pytest.raises(ValueError, match="does not fit"):
        Cnv(CnvConfig(width=2), ImageShape(28, 28, 1), 10)


def test_each_convolution_of_a_cnn_is_as_its_configuration_says():
    configs = (
        ConvConfig(channels=3, kernel=3, padding=1, pad_value=1),
        ConvConfig(channels=4, kernel=2, stride=2, padding=1, pad_value=0),
        ConvConfig(channels=5, kernel=3, padding=2, pad_value=-1),
    )
    layers = Cnn(CnnConfig(convolutions=configs), SMALL, 4).layers
    convolutions = [layer for layer in layers if isinstance(layer, RBOConv2d)]
    assert [
        (c.out_channels, c.kernel_size[0], c.stride, c.padding, c.pad_value) for c in convolutions
    ] == [(3, 3, 1, 1, 1), (4, 2, 2, 1, 0), (5, 3, 1, 2, -1)]


@pytest.mark.parametrize(
    "make",
    [
        lambda levels: Mlp(MlpConfig(hidden=(3,), input_levels=levels), SMALL, 4),
        lambda levels: Cnn(
            CnnConfig(convolutions=(ConvConfig(channels=3),), input_levels=levels), SMALL, 4
        ),
    ],
)
def test_a_thermometer_widens_the_first_product(make):
    one, five = make(None), make(5)
    assert isinstance(one.layers[0], InputBinarise)
    assert isinstance(five.layers[0], InputThermometer)
    first = [next(m for m in n.modules() if isinstance(m, RBOLayer)) for n in (one, five)]
    assert first[1].weight.shape[1] == 5 * first[0].weight.shape[1]
    x = torch.randint(0, 256, (2, 2, 6, 6)).float()
    assert one(x).shape == five(x).shape == (2, 4)


def test_the_encoding_states_the_shape_that_it_gives():
    for threshold, levels in ((7, None), (128, 3)):
        layer, image = input_encoding(threshold, levels, SMALL)
        bits = layer(torch.full((1, 2, 6, 6), 7.0))
        assert tuple(bits.shape[1:]) == (image.channels, image.height, image.width)
        assert bits.unique().tolist() in ([1.0], [-1.0])
    with pytest.raises(ValueError, match="Threshold must be an integer from 0 to 255, not 256"):
        input_encoding(256, None, SMALL)
    with pytest.raises(ValueError, match="Levels must be"):
        input_encoding(128, 0, SMALL)


@pytest.mark.parametrize("levels", [None, 3])
def test_a_small_cnv_can_be_lowered(disturbed, levels):
    lower = pytest.importorskip("rbonn.sw.lower").lower
    network = Cnv(CnvConfig(width=2, input_levels=levels), CIFAR, 10)
    disturbed(network)
    lowered = lower(network.eval(), "cifar10_cnv_1w1a", EdgeType(UInt(8), (32, 32, 3)))
    assert [node.name for node in lowered.nodes][-3:] == ["head", "scores", "label"]
