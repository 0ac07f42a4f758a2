import numpy as np
import torch
from rbonn.sw.lower.host_input import host_input
from rbonn.sw.network import Binarise, Bipolar, Dense, EdgeType, Network, UInt
from rbonn.sw.network.golden import GoldenModel

IMAGE = EdgeType(UInt(8), (2, 2, 1))


def test_a_leading_binarise_goes_to_the_host_and_nothing_else_changes():
    weights = np.random.default_rng(0).choice(np.array([-1, 1], np.int8), (3, 4))
    nodes = (
        Binarise("binarise", ("image",), 128),
        Dense("scores", ("binarise",), weights, Bipolar()),
    )
    before = Network("t", IMAGE, nodes, 0, "scores", tuple("abc"), {"title": "T"})
    after = host_input(before)
    assert (before.n_host_nodes, after.n_host_nodes) == (0, 1)
    assert after.device_input == "binarise"
    assert after.metadata == before.metadata
    images = np.random.default_rng(1).integers(0, 256, (20, 2, 2, 1), np.uint8)
    edges = zip(
        *(GoldenModel(network).edges(images).values() for network in (before, after)), strict=True
    )
    assert all(torch.equal(a, b) for a, b in edges)


def test_a_network_that_reads_pixels_has_no_host_nodes():
    node = Dense("scores", ("image",), np.ones((3, 4), np.int8), Bipolar())
    network = Network("t", IMAGE, (node,), 0, "scores", tuple("abc"))
    assert host_input(network).n_host_nodes == 0
