import numpy as np
import torch
from rbonn.sw.host.packing import device_values, pack
from rbonn.sw.lower.host_input import host_input
from rbonn.sw.network import Binarise, Bipolar, Dense, EdgeType, Network, Thermometer, UInt
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


def test_a_leading_thermometer_goes_to_the_host_where_its_bits_are_fewer_than_the_pixels():
    for n_levels, goes in ((3, 1), (7, 1), (8, 0), (12, 0)):
        thresholds = np.arange(1, n_levels + 1) * 256 // (n_levels + 1)
        weights = np.ones((3, 4 * n_levels), np.int8)
        nodes = (
            Thermometer("thermometer", ("image",), thresholds),
            Dense("scores", ("thermometer",), weights, Bipolar()),
        )
        before = Network("t", IMAGE, nodes, 0, "scores", tuple("abc"))
        after = host_input(before)
        assert after.n_host_nodes == goes
        images = np.random.default_rng(1).integers(0, 256, (20, 2, 2, 1), np.uint8)
        golden = GoldenModel(before).edges(images)["thermometer" if goes else "image"].numpy()
        entry = after.edges[after.device_input]
        for image, expected in zip(images, golden, strict=True):
            values = device_values(image, after)
            assert np.array_equal(values, expected)
            assert len(pack(values, entry)) == -(-4 * (n_levels if goes else 8) // 8)


def test_a_network_that_reads_pixels_has_no_host_nodes():
    node = Dense("scores", ("image",), np.ones((3, 4), np.int8), Bipolar())
    network = Network("t", IMAGE, (node,), 0, "scores", tuple("abc"))
    assert host_input(network).n_host_nodes == 0
