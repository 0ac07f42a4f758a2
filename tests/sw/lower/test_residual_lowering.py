"""Residual networks as a whole: what `lower` writes, what it asks for, what it refuses."""

import numpy as np
import pytest
import torch
from rbonn.sw.errors import UnsupportedLayerError
from rbonn.sw.lower import FixedPoint, lower
from rbonn.sw.network import EdgeType, Int, UInt, load_network, save_network
from rbonn.sw.train.layers import BinaryHead, InputBinarise, RBOConv2d
from rbonn.sw.train.networks.block import Block
from rbonn.sw.train.networks.image import ImageShape
from rbonn.sw.train.networks.resnet20 import ResNet20, ResNet20Config
from torch import nn

from . import integer_reference
from .residual_modules import Shape, build


def lowered(shape, seed=0, **numbers):
    module, images = build(shape, seed)
    return lower(module, "t", shape.image_type, calibration=images, fixed_point=FixedPoint(**numbers))  # fmt: skip


def test_a_resnet20_becomes_its_nodes():
    module = ResNet20(ResNet20Config(width=2, blocks=1), ImageShape(8, 8, 3), 10).eval()
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
    network = lower(module, "t", EdgeType(UInt(8), (8, 8, 3)), calibration=images)
    assert [(node.name, node.kind, *node.inputs) for node in network.nodes] == [
        ("thermometer", "Thermometer", "image"),
        ("stem", "Conv", "thermometer"),
        ("stem_norm", "Affine", "stem"),
        ("block1_bits", "Threshold", "stem_norm"),
        ("block1_conv", "Conv", "block1_bits"),
        ("block1_norm", "Affine", "block1_conv"),
        ("block1_sum", "Add", "block1_norm", "stem_norm"),
        ("block1", "PReLU", "block1_sum"),
        ("block2_bits", "Threshold", "block1"),
        ("block2_conv", "Conv", "block2_bits"),
        ("block2_norm", "Affine", "block2_conv"),
        ("block2_pool", "AvgPool", "block1"),
        ("block2_average", "Affine", "block2_pool"),
        ("block2_shortcut", "ConcatChannels", "block2_average"),
        ("block2_sum", "Add", "block2_norm", "block2_shortcut"),
        ("block2", "PReLU", "block2_sum"),
        ("block3_bits", "Threshold", "block2"),
        ("block3_conv", "Conv", "block3_bits"),
        ("block3_norm", "Affine", "block3_conv"),
        ("block3_pool", "AvgPool", "block2"),
        ("block3_average", "Affine", "block3_pool"),
        ("block3_shortcut", "ConcatChannels", "block3_average"),
        ("block3_sum", "Add", "block3_norm", "block3_shortcut"),
        ("block3", "PReLU", "block3_sum"),
        ("pool", "GlobalAvgPool", "block3"),
        ("average", "Affine", "pool"),
        ("head", "Dense", "average"),
        ("scores", "Affine", "head"),
        ("label", "ArgMax", "scores"),
    ]
    assert network.edges["block3_sum"].datatype == Int(16)
    assert network.edges["average"].datatype == Int(8)
    assert network.n_host_nodes == 0


def test_a_convolution_in_the_shortcut_stands_between_two_affines():
    network = lowered(Shape(shortcut="conv1x1"))
    nodes = {node.name: node for node in network.nodes}
    path = ["block2_pool", "block2_average", "block2_shortcut_conv", "block2_shortcut"]
    assert [nodes[name].kind for name in path] == ["AvgPool", "Affine", "Conv", "Affine"]
    assert nodes["block2_shortcut_conv"].weight_type == Int(8)
    assert nodes["block2_sum"].inputs == ("block2_norm", "block2_shortcut")
    same_size = lowered(Shape(shortcut="conv1x1", blocks=((8, 1),)))
    names = [node.name for node in same_size.nodes]
    assert "block1_pool" not in names
    assert "block1_shortcut_conv" in names


def test_an_8_bit_stem_reads_the_pixels_with_its_own_padding():
    network = lowered(Shape(stem="int8"))
    stem = network.nodes[0]
    assert (stem.kind, stem.inputs, stem.weight_type) == ("Conv", ("image",), Int(8))
    assert stem.pad_value == 100
    assert stem.weights.min() < -1


@pytest.mark.parametrize(("slopes", "shift"), [("power_of_two", 7), ("free", None)])
def test_slopes_that_are_powers_of_two_are_told_by_their_shift(slopes, shift):
    network = lowered(Shape(slopes=slopes), 2)
    prelus = [node for node in network.nodes if node.kind == "PReLU"]
    magnitudes = np.abs(np.concatenate([node.slopes for node in prelus]))
    powers = np.all((magnitudes & (magnitudes - 1) == 0) & (magnitudes > 0))
    assert bool(powers) == (slopes == "power_of_two")
    assert any((node.slopes < 0).any() for node in prelus)
    if shift is not None:
        assert {node.shift for node in prelus} == {shift}


def test_widths_and_fraction_can_be_chosen_and_are_stated():
    network = lowered(Shape(), stream_bits=20, stream_fraction=7, head_bits=5)
    numbers = network.metadata["fixed_point"]
    assert numbers | {"score_fraction": 0} == {
        "stream_bits": 20, "stream_fraction": 7, "head_bits": 5, "score_fraction": 0, "calibration_images": 40,
    }  # fmt: skip
    assert network.edges["block2"].datatype == Int(20)
    assert network.edges["average"].datatype == Int(5)


def test_a_fraction_that_the_ranges_overflow_is_refused():
    with pytest.raises(UnsupportedLayerError, match=r"edge block\d\w* reaches .* needs \d+ bits with 9 fractional bits; the stream has 8"):  # fmt: skip
        lowered(Shape(), stream_bits=8, stream_fraction=9)


@pytest.mark.parametrize("images", [None, np.zeros((0, 8, 8, 3), np.uint8)])
def test_a_residual_network_without_calibration_images_is_refused(images):
    module, _ = build(Shape())
    with pytest.raises(UnsupportedLayerError, match="Sequential has a residual stream, whose ranges have to be measured"):  # fmt: skip
        lower(module, "t", Shape().image_type, calibration=images)


def test_a_chain_with_a_fixed_point_format_is_refused():
    chain = nn.Sequential(InputBinarise(), nn.Flatten(), BinaryHead(4, 2))
    with pytest.raises(UnsupportedLayerError, match="has no residual stream, so it has no fixed-point format"):  # fmt: skip
        lower(chain, "t", EdgeType(UInt(8), (2, 2, 1)), fixed_point=FixedPoint())


class Doubled(Block):
    def forward(self, x):
        return 2 * super().forward(x)


class Louder(RBOConv2d):
    def forward(self, x):
        return super().forward(x) + 1


@pytest.mark.parametrize("where", ["block", "product"])
def test_a_subclass_that_computes_something_else_is_refused(where):
    module, images = build(Shape())
    layer = module[3][0] if where == "block" else module[3][0].product
    layer.__class__ = Doubled if where == "block" else Louder
    with pytest.raises(UnsupportedLayerError, match="does not compute what its layers' kinds"):
        lower(module, "t", Shape().image_type, calibration=images)


def test_a_pad_value_that_is_no_pixel_is_refused_with_the_stem():
    module, images = build(Shape(stem="pixels"))
    module[0].pad_value = -1
    with pytest.raises(UnsupportedLayerError, match=r"layer 0 \(RBOConv2d\) cannot be lowered: pad_value -1"):  # fmt: skip
        lower(module, "t", Shape().image_type, calibration=images)


def test_a_lowered_network_survives_its_file_and_the_module_is_left_as_it_is(tmp_path):
    shape = Shape(shortcut="conv1x1")
    module, images = build(shape)
    before = {name: value.clone() for name, value in module.train().state_dict().items()}
    network = lower(module, "t", shape.image_type, calibration=images)
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    save_network(network, tmp_path / "network.safetensors")
    again = load_network(tmp_path / "network.safetensors")
    assert again.hash() == network.hash()
    assert again.metadata == network.metadata
    edges = [integer_reference.run(n, images[:3])["scores"] for n in (network, again)]
    assert np.array_equal(*edges)
    assert lower(module, "t", shape.image_type, calibration=images).hash() == network.hash()


def test_nothing_saturates_on_the_calibration_images():
    for seed in range(4):
        module, images = build(Shape(), seed)
        network = lower(module, "t", Shape().image_type, calibration=images)
        edges = integer_reference.run(network, images)
        for name in ("block2_sum", "block3", "average", "scores"):
            kind = network.edges[name].datatype
            assert edges[name].min() > kind.minimum
            assert edges[name].max() < kind.maximum
