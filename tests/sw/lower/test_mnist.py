"""Lowering on the real MNIST, whose files are laid out beside a checkout; skipped where they are not."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from rbonn.sw.datasets import load_dataset
from rbonn.sw.lower import compare, lower
from rbonn.sw.network import EdgeType, UInt, load_network
from rbonn.sw.network.golden import GoldenModel
from rbonn.sw.train.networks import Cnn, CnnConfig, ConvConfig, ImageShape

ROOT = Path(__file__).parents[3]
UNPACK = ROOT.parent / "shared" / "data" / "unpack.py"
SHIPPED = sorted((ROOT / "models").glob("mnist_*.safetensors"))
LEAST = {"mnist_cnn_1w1a": 0.988, "mnist_mlp_1w1a": 0.95, "mnist_mlp_tiny_1w1a": 0.86}

pytestmark = pytest.mark.skipif(not UNPACK.exists(), reason="no MNIST in ../shared/data")


@pytest.fixture(scope="module")
def mnist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    command = [sys.executable, str(UNPACK), str(folder), "mnist"]
    subprocess.run(command, check=True, capture_output=True)
    return load_dataset("mnist", folder)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_network_reaches_the_accuracy_that_its_file_states(mnist, path):
    network = load_network(path)
    labels = GoldenModel(network).run(mnist.test.images).labels.numpy()
    accuracy = float((labels == mnist.test.labels).mean())
    stated = network.metadata
    assert accuracy == stated["accuracy_integer"] >= LEAST.get(network.name, 0)
    assert stated["test_images"] == 10_000
    assert stated["bit_disagreements"] == stated["float_ties"]


@pytest.mark.parametrize("pad_value", [-1, 0, 1])
def test_every_bit_of_an_untrained_network_is_equal_on_real_images(mnist, pad_value):
    torch.manual_seed(0)
    convolutions = (
        ConvConfig(channels=8, padding=1, pad_value=pad_value, pool=2),
        ConvConfig(channels=16, padding=1, pad_value=pad_value, pool=2),
        ConvConfig(channels=16, stride=2),
    )
    module = Cnn(CnnConfig(convolutions=convolutions, hidden=(32,)), ImageShape(28, 28, 1), 10)
    with torch.no_grad():  # statistics of real images, so that the bits are balanced
        module(torch.from_numpy(np.array(mnist.train.images[:200])).permute(0, 3, 1, 2).float())
    network = lower(module.eval(), "untrained", EdgeType(UInt(8), (28, 28, 1)))
    images, labels = mnist.test.images[:500], mnist.test.labels[:500]
    assert compare(module, network, images, labels, dtype=torch.float64).exact
    rounded = compare(module, network, images, labels)
    assert sum(rounded.disagreements.values()) == rounded.float_ties
    bits = GoldenModel(network).edges(images, ["conv1_bits", "conv3_bits", "dense1_bits"])
    for name, values in bits.items():
        assert 0.1 < (values > 0).float().mean() < 0.9, name
