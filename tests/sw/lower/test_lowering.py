"""Whole networks: the integer network gives every bit and every score of the float network."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from rbonn.sw.errors import UnsupportedLayerError
from rbonn.sw.lower import compare, lower
from rbonn.sw.network import EdgeType, UInt, load_network, save_network
from rbonn.sw.network.golden import GoldenModel
from rbonn.sw.train.layers import (
    BinaryActivation,
    BinaryHead,
    ChannelLastFlatten,
    InputBinarise,
    InputThermometer,
    RBOConv2d,
    RBOLinear,
)
from torch import nn


@st.composite
def chains(draw):
    """(image shape, layers): up to three convolutions and two dense layers with every order of norm, pool and sign."""
    height, width, channels = draw(
        st.tuples(st.integers(3, 12), st.integers(3, 12), st.integers(1, 3))
    )
    image = EdgeType(UInt(8), (height, width, channels))
    layers = []
    binarised = draw(st.booleans()) or draw(st.booleans())
    if binarised:
        levels = draw(st.integers(0, 4))
        layers.append(
            InputThermometer(levels) if levels else InputBinarise(draw(st.integers(0, 255)))
        )
        channels *= max(1, levels)
        if draw(st.integers(0, 3)) == 0:
            layers.append(nn.MaxPool2d(2))
            height, width = height // 2, width // 2
    for _ in range(draw(st.integers(0, 3))):
        padding = draw(st.integers(0, 2))
        largest = min(height, width) + 2 * padding
        kernel = draw(st.integers(padding + 1, padding + 3))
        stride = draw(st.integers(1, 2))
        if kernel > largest:
            break
        n_out = draw(st.integers(1, 6))
        pad_value = draw(st.sampled_from([-1, 0, 1] if binarised else [0, 1]))
        mode = draw(st.sampled_from(["paper", "official"]))
        layers.append(RBOConv2d(channels, n_out, kernel, stride, padding, pad_value, mode=mode))
        channels, binarised = n_out, True
        height, width = ((size + 2 * padding - kernel) // stride + 1 for size in (height, width))
        size = draw(st.integers(1, min(3, height, width)))
        order = draw(st.sampled_from(["NPS", "PNS", "NSP", "S", "PS", "NNPS"]))
        for letter in order:
            if letter == "N":
                layers.append(nn.BatchNorm2d(channels))
            elif letter == "P":
                layers.append(nn.MaxPool2d(size))
                height, width = height // size, width // size
            else:
                layers.append(BinaryActivation())
    layers.append(draw(st.sampled_from([ChannelLastFlatten, nn.Flatten]))())
    n_in = height * width * channels
    for _ in range(draw(st.integers(0, 2))):
        n_out = draw(st.integers(1, 12))
        layers += [RBOLinear(n_in, n_out), nn.BatchNorm1d(n_out), BinaryActivation()]
        n_in = n_out
    layers.append(BinaryHead(n_in, draw(st.integers(1, 6))))
    return image, layers


def norm_behind_pool(layers):
    kinds = [type(layer) for layer in layers]
    return (nn.MaxPool2d, nn.BatchNorm2d) in itertools.pairwise(kinds)


@settings(
    max_examples=60, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(drawn=chains(), seed=st.integers(0, 2**30))
def test_every_bit_and_score_of_a_random_network_is_equal(drawn, seed, randomise, random_images):
    image, layers = drawn
    module = randomise(nn.Sequential(*layers), seed, falling=not norm_behind_pool(layers))
    assume(module[-1].alpha.item() > 1e-3)
    network = lower(module, "drawn", image)
    images = random_images(20, image.shape, seed % 1000)
    labels = np.arange(20) % len(network.class_names)
    exact = compare(module, network, images, labels, dtype=torch.float64)
    assert exact.exact
    assert exact.class_agreement == 1
    assert exact.saturations == {"scores": 0}
    rounded = compare(module, network, images, labels)
    assert rounded.float_ties == sum(rounded.disagreements.values())
    n_bits = sum(
        network.edges[name].elements for name, edge in network.edges.items() if edge.datatype.bits == 1
        and name not in ("image", "label")
    )  # fmt: skip
    assert sum(exact.bits.values()) == 20 * n_bits


def test_the_intermediate_sums_and_bits_are_those_of_the_layers(randomise, random_images):
    """Without `compare`: layer by layer, by hand."""
    layers = [
        InputBinarise(100),
        RBOConv2d(2, 5, 3, padding=1, pad_value=0), nn.BatchNorm2d(5), nn.MaxPool2d(2), BinaryActivation(),
        nn.Flatten(), RBOLinear(5 * 4 * 5, 7), nn.BatchNorm1d(7), BinaryActivation(),
        BinaryHead(7, 3),
    ]  # fmt: skip
    module = randomise(nn.Sequential(*layers), 3).double()
    network = lower(
        module, "t", EdgeType(UInt(8), (9, 11, 2)), ("a", "b", "c"), {"licence": "none"}
    )
    images = random_images(30, (9, 11, 2))
    edges = GoldenModel(network).edges(images)

    def nhwc(x):
        return (x.permute(0, 2, 3, 1) if x.ndim == 4 else x[:, None, None]).long()

    def equal(edge, x):
        return torch.equal(edge.long(), x)

    with torch.no_grad():
        x = module[0](torch.from_numpy(images).permute(0, 3, 1, 2).double())
        assert equal(edges["binarise"], nhwc(x))
        normed = module[2](module[1](x))
        assert equal(edges["conv1_bits"], nhwc(torch.where(normed >= 0, 1, -1)))
        x = module[4](module[3](normed))
        assert equal(edges["conv1_pool"], nhwc(x))
        x = module[8](module[7](module[6](module[5](x))))
        assert equal(edges["dense1_bits"], nhwc(x))
        assert equal(edges["scores"], nhwc(module[9].integer_scores(x)))
        assert equal(edges["label"].flatten(), module[9](x).argmax(1))
    signs = set(module[2].weight.sign().int().tolist())
    assert {-1, 1} <= signs  # rows are complemented and rows are not
    assert network.class_names == ("a", "b", "c")
    assert network.metadata == {"licence": "none"}
    assert network.n_host_nodes == 1
    assert network.device_input == "binarise"


def test_a_network_without_binarised_input_has_no_host_nodes(randomise):
    module = randomise(
        nn.Sequential(nn.Flatten(), RBOLinear(4, 3), BinaryActivation(), BinaryHead(3, 2)), 0
    )
    network = lower(module, "t", EdgeType(UInt(8), (2, 2, 1)))
    assert network.n_host_nodes == 0
    assert network.class_names == ("0", "1")


def test_a_lowered_network_survives_its_file(randomise, random_images, tmp_path):
    module = randomise(
        nn.Sequential(InputBinarise(), RBOConv2d(1, 3, 3), BinaryActivation(), nn.Flatten(), BinaryHead(27, 4)), 1
    )  # fmt: skip
    network = lower(module, "t", EdgeType(UInt(8), (5, 5, 1)))
    save_network(network, tmp_path / "network.safetensors")
    again = load_network(tmp_path / "network.safetensors")
    assert again.hash() == network.hash()
    images = random_images(9, (5, 5, 1))
    assert torch.equal(
        GoldenModel(again).run(images).scores, GoldenModel(network).run(images).scores
    )


def test_the_module_is_left_as_it_is(randomise):
    module = nn.Sequential(InputBinarise(), ChannelLastFlatten(), BinaryHead(4, 2)).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    lower(module, "t", EdgeType(UInt(8), (2, 2, 1)))
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert module[2].weight.dtype == torch.float32


class Doubled(RBOConv2d):
    def forward(self, x):
        return 2 * super().forward(x) - 3


def test_a_subclass_that_computes_something_else_is_refused(randomise):
    module = randomise(
        nn.Sequential(InputBinarise(), Doubled(1, 8, 2), BinaryActivation(), nn.Flatten(), BinaryHead(72, 3)), 0
    )  # fmt: skip
    with pytest.raises(
        UnsupportedLayerError, match="does not compute what its layers' kinds promise"
    ):
        lower(module, "t", EdgeType(UInt(8), (4, 4, 1)))


def test_a_pad_value_that_is_no_pixel_is_refused_with_the_layer():
    module = nn.Sequential(
        RBOConv2d(1, 2, 3, padding=1, pad_value=-1), BinaryActivation(), nn.Flatten(), BinaryHead(32, 3)
    )  # fmt: skip
    with pytest.raises(
        UnsupportedLayerError,
        match=r"layer 0 \(RBOConv2d\) cannot be lowered: pad_value -1 is not a value of uint8",
    ):
        lower(module, "t", EdgeType(UInt(8), (4, 4, 1)))


def test_another_number_of_class_names_is_refused():
    module = nn.Sequential(InputBinarise(), nn.Flatten(), BinaryHead(4, 3))
    with pytest.raises(ValueError, match="Class names must be 3, not 2"):
        lower(module, "t", EdgeType(UInt(8), (2, 2, 1)), ("a", "b"))
