import dataclasses

import numpy as np
import pytest
from rbonn.sw.network import (
    Affine,
    ArgMax,
    Binarise,
    Bipolar,
    Conv,
    Dense,
    EdgeType,
    Int,
    MaxPool,
    Network,
    Threshold,
    UInt,
)


def network(**changes):
    nodes = (
        Binarise("bits", ("image",), 128),
        Conv("conv", ("bits",), np.ones((3, 3, 3, 1), np.int8), Bipolar(), 1, 1, 0),
        Threshold("act", ("conv",), np.zeros(3, np.int64)),
        MaxPool("pool", ("act",), 2),
        Dense("head", ("pool",), np.ones((5, 12), np.int8), Bipolar()),
        Affine("scores", ("head",), np.ones(5, np.int64), np.arange(5), 0, Int(6)),
        ArgMax("label", ("scores",)),
    )
    values = {
        "name": "tiny",
        "input_type": EdgeType(UInt(8), (4, 5, 1)),
        "nodes": nodes,
        "n_host_nodes": 1,
        "scores": "scores",
        "class_names": tuple("abcde"),
        "metadata": {"dataset": "none"},
    }
    return Network(**values | changes)


def test_every_edge_has_its_type_in_the_order_of_execution():
    assert network().edges == {
        "image": EdgeType(UInt(8), (4, 5, 1)),
        "bits": EdgeType(Bipolar(), (4, 5, 1)),
        "conv": EdgeType(Int(5), (4, 5, 3)),
        "act": EdgeType(Bipolar(), (4, 5, 3)),
        "pool": EdgeType(Bipolar(), (2, 2, 3)),
        "head": EdgeType(Int(5), (1, 1, 5)),
        "scores": EdgeType(Int(6), (1, 1, 5)),
        "label": EdgeType(UInt(3), (1, 1, 1)),
    }


def test_the_host_computes_the_leading_nodes():
    tiny = network()
    assert [node.name for node in tiny.host_nodes] == ["bits"]
    assert [node.name for node in tiny.device_nodes][:1] == ["conv"]
    assert tiny.device_input == "bits"
    whole = network(n_host_nodes=0)
    assert (whole.device_input, whole.host_nodes) == ("image", ())
    assert len(whole.device_nodes) == 7


def test_consumers_weights_and_work_are_counted():
    tiny = network()
    assert [node.name for node in tiny.consumers("act")] == ["pool"]
    assert list(tiny.consumers("label")) == []
    assert tiny.weight_bits == 3 * 9 + 5 * 12
    assert tiny.binary_macs == 4 * 5 * 3 * 9 + 5 * 12


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nodes": (Binarise("image", ("image",), 1),)}, "Node 'image': another edge has the same name"),
        ({"nodes": (Binarise("a", ("b",), 1), Binarise("b", ("image",), 1))}, "Node 'a': reads edge 'b', which no earlier node writes"),
        ({"nodes": (MaxPool("p", ("image",), 9),)}, r"Node 'p' \(MaxPool\): a 9 x 9 pool does not fit"),
        ({"scores": "nothing"}, "Scores must be an edge of the network, not 'nothing'"),
        ({"class_names": ("a", "b")}, r"Scores must have shape \(1, 1, 2\), not \(1, 1, 5\)"),
        ({"n_host_nodes": 7}, "Host nodes must be 0 to 6, not 7"),
        ({"n_host_nodes": -1}, "Host nodes must be 0 to 6, not -1"),
    ],
)  # fmt: skip
def test_a_graph_that_does_not_hold_together_is_refused_with_the_node(changes, message):
    with pytest.raises(ValueError, match=message):
        network(**changes)


def test_the_hash_changes_with_everything_that_is_computed_and_with_nothing_else():
    tiny = network()
    assert network(metadata={}).hash() == tiny.hash() == network().hash()
    nodes = tiny.nodes
    others = [
        network(name="other"),
        network(n_host_nodes=0),
        network(class_names=tuple("abcdf")),
        network(input_type=EdgeType(UInt(7), (4, 5, 1))),
        network(nodes=(dataclasses.replace(nodes[0], threshold=127), *nodes[1:])),
        network(nodes=(*nodes[:1], dataclasses.replace(nodes[1], pad_value=1), *nodes[2:])),
        network(nodes=(*nodes[:2], dataclasses.replace(nodes[2], thresholds=np.array([0, 0, 1])), *nodes[3:])),
        network(nodes=(*nodes[:5], dataclasses.replace(nodes[5], output_type=Int(7)), nodes[6])),
    ]  # fmt: skip
    hashes = {tiny.hash(), *(other.hash() for other in others)}
    assert len(hashes) == len(others) + 1
