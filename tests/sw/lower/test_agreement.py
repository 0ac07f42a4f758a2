from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rbonn.sw.lower import compare, lower
from rbonn.sw.network import EdgeType, UInt
from rbonn.sw.train.layers import (
    BinaryActivation,
    BinaryHead,
    ChannelLastFlatten,
    InputBinarise,
    RBOConv2d,
    RBOLinear,
)
from torch import nn

ROOT = Path(__file__).parents[3]
IMAGE = EdgeType(UInt(8), (8, 8, 1))


@pytest.fixture
def network_pair(randomise):
    module = nn.Sequential(
        InputBinarise(),
        RBOConv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.MaxPool2d(2), BinaryActivation(),
        RBOConv2d(4, 6, 3), nn.BatchNorm2d(6), BinaryActivation(), nn.MaxPool2d(2),
        ChannelLastFlatten(),
        RBOLinear(6, 9), nn.BatchNorm1d(9), BinaryActivation(),
        BinaryHead(9, 5),
    )  # fmt: skip
    module = randomise(module, 7)
    return module, lower(module, "pair", IMAGE)


def changed(network, name, **values):
    nodes = (replace(node, **values) if node.name == name else node for node in network.nodes)
    return replace(network, nodes=tuple(nodes))


def node(network, name):
    return {node.name: node for node in network.nodes}[name]


def test_equal_networks_agree_on_every_bit_of_every_binary_edge(network_pair, random_images):
    done = []
    images = random_images(600, IMAGE.shape)
    labels = network_pair[0](torch.from_numpy(images).permute(0, 3, 1, 2).float()).argmax(1).numpy()
    labels[:60] = (labels[:60] + 1) % 5
    found = compare(*network_pair, images, labels, progress=done.append)
    assert found.exact
    assert found.bits == {
        "binarise": 600 * 64,
        "conv1_bits": 600 * 8 * 8 * 4,
        "conv1_pool": 600 * 4 * 4 * 4,
        "conv2_bits": 600 * 2 * 2 * 6,
        "conv2_pool": 600 * 6,
        "dense1_bits": 600 * 9,
    }
    assert set(found.disagreements.values()) == {0}
    assert (found.images, found.accuracy_float, found.accuracy_integer) == (600, 0.9, 0.9)
    assert found.class_agreement == 1
    assert found.float_ties == len(found.differences) == 0
    assert sum(done) == 600
    assert found.metadata() == {
        "accuracy_float": 0.9, "accuracy_integer": 0.9, "test_images": 600, "class_agreement": 1.0,
        "bits_compared": sum(found.bits.values()), "bit_disagreements": 0, "float_ties": 0,
    }  # fmt: skip


def test_a_wrong_threshold_is_found_where_it_is_and_nowhere_else(network_pair, random_images):
    module, network = network_pair
    thresholds = node(network, "conv2_bits").thresholds.copy()
    channel = int(np.argmin(np.abs(thresholds)))
    thresholds[channel] += 2
    images = random_images(300, IMAGE.shape)
    found = compare(
        module, changed(network, "conv2_bits", thresholds=thresholds), images, np.zeros(300)
    )
    wrong = {name for name, count in found.disagreements.items() if count}
    assert wrong == {"conv2_bits", "conv2_pool"}
    assert not found.exact
    first = found.differences[0]
    assert (first.edge, first.channel, first.tie) == ("conv2_bits", channel, False)
    assert first.pre_activation >= 0
    assert 0 <= first.row < 2
    assert 0 <= first.column < 2
    assert found.float_ties == 0
    assert found.metadata()["bit_disagreements"] == sum(found.disagreements.values())
    last = {d.image for d in found.differences}
    assert max(last) > 250  # counted from the first image, not from the first of a batch


@pytest.mark.parametrize("name", ["conv1", "conv2", "dense1"])
def test_a_wrong_weight_is_found_behind_its_layer(network_pair, random_images, name):
    module, network = network_pair
    weights = node(network, name).weights.copy()
    row = int(np.argmin(np.abs(node(network, f"{name}_bits").thresholds)))
    weights[row].reshape(-1)[0] *= -1
    found = compare(
        module,
        changed(network, name, weights=weights),
        random_images(300, IMAGE.shape),
        np.zeros(300),
    )
    assert next(edge for edge, count in found.disagreements.items() if count) == f"{name}_bits"
    assert {d.channel for d in found.differences if d.edge == f"{name}_bits"} == {row}


def test_a_wrong_input_threshold_and_a_wrong_bias_are_found(network_pair, random_images):
    module, network = network_pair
    images = random_images(300, IMAGE.shape)
    found = compare(module, changed(network, "binarise", threshold=129), images, np.zeros(300))
    assert found.disagreements["binarise"] == int((images == 128).sum())
    assert found.disagreements["conv1_bits"] == 0  # compared on the integer network's own bits
    assert not any(difference.tie for difference in found.differences)
    offsets = node(network, "scores").offsets.copy()
    offsets[2] += 1
    found = compare(module, changed(network, "scores", offsets=offsets), images, np.zeros(300))
    assert found.score_disagreements == 300
    assert not found.exact


def test_only_the_first_differences_are_kept_one_by_one(network_pair, random_images):
    module, network = network_pair
    thresholds = np.full(4, 10)  # never
    found = compare(
        module,
        changed(network, "conv1_bits", thresholds=thresholds),
        random_images(300, IMAGE.shape),
        np.zeros(300),
    )
    assert len(found.differences) == 1000 < found.disagreements["conv1_bits"]


def test_a_float_tie_is_listed_with_its_place_and_called_a_tie():
    """Batch norms whose mean is a sum times its scale factor, up to the rounding of float32."""
    torch.manual_seed(0)
    layer = RBOLinear(16, 256)
    norm = nn.BatchNorm1d(256)
    sums = torch.randint(-3, 4, (256,)) * 2
    norm.running_mean = layer.alpha.detach() * sums
    module = nn.Sequential(
        InputBinarise(), ChannelLastFlatten(), layer, norm, BinaryActivation(), BinaryHead(256, 4)
    ).eval()
    image = EdgeType(UInt(8), (4, 4, 1))
    network = lower(module, "ties", image)
    images = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1), np.uint8)
    rounded = compare(module, network, images, np.zeros(40))
    assert rounded.disagreements["dense1_bits"] == len(rounded.differences) > 0
    assert rounded.float_ties == len(rounded.differences)
    assert not rounded.exact
    for tie in rounded.differences:
        assert tie.tie
        assert abs(tie.pre_activation) < 1e-5 * tie.scale
        assert (tie.edge, tie.row, tie.column) == ("dense1_bits", 0, 0)
    assert compare(module, network, images, np.zeros(40), dtype=torch.float64).exact


def test_a_network_of_another_module_is_refused(network_pair, randomise, random_images):
    other = randomise(nn.Sequential(InputBinarise(), nn.Flatten(), BinaryHead(64, 5)), 0)
    with pytest.raises(ValueError, match="Network must be one lowered from the module, not 'pair'"):
        compare(other, network_pair[1], random_images(3, IMAGE.shape), np.zeros(3))


@pytest.mark.parametrize(("n_images", "n_labels"), [(3, 2), (0, 0)])
def test_images_without_labels_are_refused(network_pair, random_images, n_images, n_labels):
    with pytest.raises(ValueError, match="Labels must be one per image"):
        compare(*network_pair, random_images(n_images, IMAGE.shape), np.zeros(n_labels))
