import dataclasses

import numpy as np
import pytest
from rbonn.sw.network import (
    Add,
    Affine,
    ArgMax,
    AvgPool,
    Binarise,
    Bipolar,
    ConcatChannels,
    Conv,
    Dense,
    EdgeType,
    GlobalAvgPool,
    Int,
    MaxPool,
    Network,
    PReLU,
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


def residual(**changes):
    """A block between a stem of pixels and a pooled head; `changes` replace nodes by name."""
    ones, zeros = np.ones(3, np.int64), np.zeros(3, np.int64)
    nodes = (
        Conv("stem", ("image",), np.ones((3, 1, 1, 1), np.int8), Int(8), 1, 0, 0),
        Affine("stream", ("stem",), ones, zeros, 0, Int(16)),
        Threshold("sign", ("stream",), zeros),
        Conv("conv", ("sign",), np.ones((6, 3, 3, 3), np.int8), Bipolar(), 2, 1, 0),
        Affine("branch", ("conv",), np.ones(6, np.int64), np.zeros(6, np.int64), 0, Int(16)),
        AvgPool("squares", ("stream",), 2),
        Affine("mean", ("squares",), ones, zeros, 2, Int(16)),
        ConcatChannels("copies", ("mean",), 2),
        Add("sum", ("branch", "copies")),
        PReLU("act", ("sum",), np.arange(6), 3),
        GlobalAvgPool("scores", ("act",)),
    )
    nodes = tuple(changes.get(node.name, node) for node in nodes)
    image = EdgeType(UInt(8), (4, 6, 1))
    return Network("residual", image, nodes, 0, "scores", tuple("abcdef"))


def test_a_residual_graph_has_edges_with_several_readers_and_nodes_with_two_inputs():
    network = residual()
    assert [node.name for node in network.consumers("stream")] == ["sign", "squares"]
    assert network.edges["squares"] == EdgeType(Int(18), (2, 3, 3))
    assert network.edges["copies"] == network.edges["branch"] == network.edges["act"]
    assert network.edges["scores"] == EdgeType(Int(19), (1, 1, 6))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sum": Add("sum", ("branch",))}, r"Node 'sum' \(Add\): reads 1 edges, not 2"),
        ({"sum": Add("sum", ("branch", "copies", "copies"))}, "reads 3 edges, not 2"),
        ({"act": PReLU("act", ("sum", "copies"), np.arange(6), 3)}, r"Node 'act' \(PReLU\): reads 2 edges, not 1"),
        ({"squares": AvgPool("squares", (), 2)}, "reads 0 edges, not 1"),
        ({"sum": Add("sum", ("branch", "act"))}, "Node 'sum': reads edge 'act', which no earlier node writes"),
        ({"sum": Add("sum", ("branch", "stream"))}, r"Node 'sum' \(Add\): shapes must be equal, not \(2, 3, 6\) and \(4, 6, 3\)"),
        ({"copies": ConcatChannels("copies", ("mean",), 3)}, r"Node 'sum' \(Add\): shapes must be equal"),
    ],
)  # fmt: skip
def test_a_residual_graph_that_does_not_hold_together_is_refused_with_the_node(changes, message):
    with pytest.raises(ValueError, match=message):
        residual(**changes)


def changed(node):
    """Copies of a node, each with one of its constants changed in one place."""
    for item in dataclasses.fields(node):
        value = getattr(node, item.name)
        if item.name in node.ARRAYS:
            other = value.copy()
            other[(-1,) * other.ndim] -= 1 + (
                item.name == "weights" and node.weight_type == Bipolar()
            )
        elif isinstance(value, Int):
            other = Int(value.bits + 1)
        elif isinstance(value, int):
            other = value + 1
        else:
            continue
        yield item.name, dataclasses.replace(node, **{item.name: other})


def test_the_hash_of_a_residual_graph_changes_with_every_constant_of_every_node():
    hashes, constants = [residual().hash()], []
    for node in residual().nodes:
        for name, other in changed(node):
            try:
                network = residual(**{node.name: other})
            except ValueError:  # shapes or types that no longer agree
                continue
            hashes.append(network.hash())
            constants.append(f"{node.kind}.{name}")
    assert len(set(hashes)) == len(hashes)
    assert {
        "Conv.weights", "Threshold.thresholds", "Affine.multipliers", "Affine.offsets", "Affine.shift", "PReLU.slopes", "PReLU.shift",
    } <= set(constants)  # fmt: skip


def test_the_hash_changes_with_pools_copies_and_the_order_of_inputs():
    def hashed(node):
        x = EdgeType(Int(8), (4, 4, 1))
        dense = Dense("scores", ("image",), np.ones((1, 16), np.int8), Int(8))
        return Network(
            "t", x, (MaxPool("b", ("image",), 1), node, dense), 0, "scores", ("a",)
        ).hash()

    others = [
        AvgPool("n", ("image",), 1), AvgPool("n", ("image",), 2), AvgPool("n", ("b",), 2), MaxPool("n", ("image",), 2),
        GlobalAvgPool("n", ("image",)), ConcatChannels("n", ("image",), 1), ConcatChannels("n", ("image",), 2),
        Add("n", ("image", "b")), Add("n", ("b", "image")),
    ]  # fmt: skip
    assert len({hashed(node) for node in others}) == len(others)


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
