"""The golden model of whole networks against NumPy int64: every edge, what is kept, what is counted, what is refused."""

import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.sw.errors import InputFileError
from rbonn.sw.network import (
    Add,
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
    PReLU,
    Threshold,
    UInt,
)
from rbonn.sw.network.golden import GoldenModel
from rbonn.sw.network.golden_elementwise import prelu
from rbonn.sw.network.nodes import KINDS

from ...random_residual_networks import (
    BlockShape,
    random_images,
    random_residual_network,
    residual_networks,
)
from .drawn_nodes import SEEDS, network_of, nodes, values
from .integer_reference import network_reference


@pytest.mark.parametrize("kind", KINDS.values())
def test_every_node_equals_its_integer_reference(kind):
    @settings(max_examples=30)
    @given(drawn=nodes(kind), seed=SEEDS, n=st.integers(0, 3))
    def check(drawn, seed, n):
        x, node = drawn
        images = values(np.random.default_rng(seed), x.datatype, (n, *x.shape))
        model = GoldenModel(network_of(x, node))
        edge = model.edges(images)["node"]
        expected, saturations = network_reference(model.network, images)
        np.testing.assert_array_equal(edge.numpy(), expected["node"])
        assert model.saturations.get("node", 0) == saturations["node"]

    check()


def cnn(seed=0):
    """Host binarisation, two convolutions with pool, zero padding, stride and a dense head with a bias."""
    generator = np.random.default_rng(seed)

    def signs(*shape):
        return generator.choice(np.array([-1, 1], np.int8), shape)

    return Network(
        "cnn",
        EdgeType(UInt(8), (13, 12, 2)),
        (
            Binarise("bits", ("image",), 128),
            Conv("conv1", ("bits",), signs(5, 3, 3, 2), Bipolar(), 1, 1, 0),
            Threshold("act1", ("conv1",), generator.integers(-4, 5, 5)),
            MaxPool("pool1", ("act1",), 2),
            Conv("conv2", ("pool1",), signs(7, 3, 3, 5), Bipolar(), 2, 1, -1),
            Threshold("act2", ("conv2",), generator.integers(-4, 5, 7)),
            Dense("dense", ("act2",), signs(4, 3 * 3 * 7), Bipolar()),
            Affine("scores", ("dense",), np.ones(4, int), np.arange(4), 0, Int(8)),
            ArgMax("label", ("scores",)),
        ),
        n_host_nodes=1,
        scores="scores",
        class_names=tuple("abcd"),
    )


def test_every_edge_of_a_whole_network_equals_the_reference_also_across_batches(monkeypatch):
    network = cnn()
    monkeypatch.setattr("rbonn.sw.network.golden.BATCH_ELEMENTS", 3 * 13 * 12 * 5)  # 3 at a time
    model = GoldenModel(network)
    images = np.random.default_rng(1).integers(0, 256, (8, 13, 12, 2), np.uint8)
    edges = model.edges(images)
    expected, _ = network_reference(network, images)
    assert list(edges) == list(expected) == list(network.edges)
    for name, edge in edges.items():
        np.testing.assert_array_equal(edge.numpy(), expected[name], err_msg=name)
        assert edge.is_contiguous(), name

    scores, labels = model.run(images)
    np.testing.assert_array_equal(scores.numpy(), expected["scores"].reshape(8, 4))
    np.testing.assert_array_equal(labels.numpy(), expected["label"].reshape(8))
    assert scores.dtype == labels.dtype == torch.int64
    assert model.saturations == {"scores": 0}


def assert_equal_to_reference(network, images):
    """Compares every edge and every count of saturations; returns the reference's."""
    model = GoldenModel(network)
    edges = model.edges(images)
    expected, saturations = network_reference(network, images)
    for name, edge in edges.items():
        np.testing.assert_array_equal(edge.numpy(), expected[name], err_msg=name)
    assert list(edges) == list(network.edges)
    assert model.saturations == {
        node.name: saturations[node.name]
        for node in network.nodes
        if isinstance(node, Affine | PReLU | Add)
    }
    return expected, saturations


def test_every_edge_of_drawn_residual_networks_equals_the_reference():
    kinds, saturated, labels = set(), [], []

    @settings(max_examples=40)
    @given(network=residual_networks(), seed=SEEDS)
    def check(network, seed):
        expected, saturations = assert_equal_to_reference(network, random_images(network, 3, seed))
        kinds.update(node.kind for node in network.nodes)
        saturated.append(sum(saturations.values()) > 0)
        labels.append(len(np.unique(expected["label"])))

    check()
    assert kinds == KINDS.keys() - {"MaxPool"}
    assert any(saturated)
    assert not all(saturated)
    assert max(labels) > 1


def residual_network(**changes):
    """Two halvings, one shortcut of either kind, and a narrow stream that saturates."""
    blocks = (
        BlockShape(4),
        BlockShape(8, stride=2),
        BlockShape(6, stride=2, shortcut="conv1x1", power_of_two=False),
    )
    return random_residual_network((8, 12, 3), blocks, **{"stream_bits": 8, "seed": 25} | changes)


def test_a_residual_network_with_shortcuts_of_either_kind_equals_the_reference_across_batches(
    monkeypatch,
):
    monkeypatch.setattr("rbonn.sw.network.golden.BATCH_ELEMENTS", 2 * 8 * 12 * 9)  # 2 at a time
    network = residual_network()
    _, saturations = assert_equal_to_reference(network, random_images(network, 5))
    kinds = {node.kind for node in network.nodes if saturations[node.name]}
    assert kinds == {"Affine", "PReLU", "Add"}


def test_a_network_of_the_size_that_ships_equals_the_reference():
    """18 blocks of 16, 32 and 64 channels on 32 x 32 pixels, and a 16-bit stream."""
    blocks = [
        BlockShape(16 << group, 1 + (group > 0 and not k)) for group in range(3) for k in range(6)
    ]
    network = random_residual_network((32, 32, 3), blocks, stem_channels=16, n_classes=10)
    assert_equal_to_reference(network, random_images(network, 1))


def test_what_is_kept_changes_no_value_and_neither_does_freeing_the_rest():
    network = residual_network()
    images = random_images(network, 4)
    model = GoldenModel(network)
    every = model.edges(images)
    for name, values_ in every.items():
        (alone,) = model.edges(images, [name]).values()
        assert torch.equal(alone, values_), name
    assert torch.equal(model.run(images).scores, every["scores"].flatten(1).to(torch.int64))


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield 3
    torch.set_num_threads(before)


def test_batches_on_several_threads_come_in_order_and_count_all_saturations(
    monkeypatch, three_threads
):
    """40 batches of one image each, which takes a different thread at every turn."""
    network = residual_network()
    images = random_images(network, 40)
    expected = GoldenModel(network)
    edges = expected.edges(images)
    monkeypatch.setattr("rbonn.sw.network.golden.BATCH_ELEMENTS", 1)
    model = GoldenModel(network)
    for name, edge in model.edges(images).items():
        assert torch.equal(edge, edges[name]), name
    assert torch.equal(model.run(images).labels, edges["label"].flatten().to(torch.int64))
    assert model.saturations == {name: 2 * n for name, n in expected.saturations.items()}
    assert sum(expected.saturations.values()) > 40
    assert torch.get_num_threads() == three_threads


def test_a_bad_image_in_any_batch_is_refused_on_several_threads_too(monkeypatch, three_threads):
    monkeypatch.setattr("rbonn.sw.network.golden.BATCH_ELEMENTS", 1)
    images = np.zeros((9, 13, 12, 2), np.int64)
    images[7, 3, 4, 1] = 300
    with pytest.raises(InputFileError, match=r"images have values 0\.\.300"):
        GoldenModel(cnn()).run(images)
    assert torch.get_num_threads() == three_threads


def test_each_thread_computes_alone(monkeypatch, three_threads):
    monkeypatch.setattr("rbonn.sw.network.golden.BATCH_ELEMENTS", 1)
    used = set()

    def watched(node, x, count):
        step = prelu(node, x, count)
        return lambda values_: used.add(torch.get_num_threads()) or step(values_)

    monkeypatch.setattr("rbonn.sw.network.golden.prelu", watched)
    network = residual_network()
    GoldenModel(network).run(random_images(network, 6))
    assert used == {1}


def test_edges_that_nobody_reads_any_more_are_freed(monkeypatch):
    """In a chain of equal edges at most two are alive when a node runs: what it reads and one that is being made."""
    x = EdgeType(Int(16), (1, 1, 2))
    chain = [PReLU("n1", ("image",), np.ones(2, np.int64), 1)]
    chain += [PReLU(f"n{i}", (f"n{i - 1}",), np.ones(2, np.int64), 1) for i in range(2, 9)]
    alive, most = weakref.WeakSet(), []

    def watched(node, x, count):
        step = prelu(node, x, count)

        def run(values_):
            result = step(values_).clone()
            alive.add(result)
            most.append(len(alive))
            return result

        return run

    monkeypatch.setattr("rbonn.sw.network.golden.prelu", watched)
    network = Network("chain", x, tuple(chain), 0, "n8", ("a", "b"))
    GoldenModel(network).run(np.full((1, 1, 1, 2), -9))
    assert max(most) == 2
    most.clear()
    GoldenModel(network).edges(np.full((1, 1, 1, 2), -9))
    assert len(most) == 8


def test_edges_come_in_the_narrowest_dtype_that_holds_their_type():
    edges = GoldenModel(cnn()).edges(np.zeros((1, 13, 12, 2), np.uint8))
    assert {name: edge.dtype for name, edge in edges.items()} == {
        "image": torch.uint8, "bits": torch.int8, "conv1": torch.int8, "act1": torch.int8,
        "pool1": torch.int8, "conv2": torch.int8, "act2": torch.int8, "dense": torch.int8,
        "scores": torch.int8, "label": torch.uint8,
    }  # fmt: skip


def test_only_the_edges_asked_for_are_kept():
    assert list(GoldenModel(cnn()).edges(np.zeros((1, 13, 12, 2), np.uint8), ["act2", "bits"])) == [
        "bits",
        "act2",
    ]


def test_the_lowest_class_wins_a_tie():
    x = EdgeType(Int(4), (1, 1, 5))
    node = Affine("scores", ("image",), np.ones(5, int), np.zeros(5, int), 0, Int(4))
    model = GoldenModel(Network("t", x, (node,), 0, "scores", tuple("abcde")))
    images = np.array([[1, 3, 3, 2, 3], [0, 0, 0, 0, 0], [-8, -8, -7, -7, -8]])
    assert model.run(images.reshape(3, 1, 1, 5)).labels.tolist() == [1, 0, 2]


def test_affine_rounds_ties_up_and_counts_what_it_saturates():
    x = EdgeType(Int(8), (1, 1, 7))
    node = Affine("node", ("image",), np.ones(7, int), np.zeros(7, int), 1, Int(6))
    model = GoldenModel(network_of(x, node))
    images = np.array([-3, -1, 1, 3, 62, 63, -66]).reshape(1, 1, 1, 7)
    assert model.edges(images)["node"].flatten().tolist() == [-1, 0, 1, 2, 31, 31, -32]
    assert model.saturations == {"node": 2}
    model.run(images)
    assert model.saturations == {"node": 4}


@pytest.mark.parametrize(("offset", "expected"), [(1, [-7, 7]), (-1, [-8, 6])])
def test_a_single_step_beyond_the_type_saturates(offset, expected):
    node = Affine("node", ("image",), np.ones(1, int), np.full(1, offset), 0, Int(4))
    model = GoldenModel(network_of(EdgeType(Int(4), (1, 1, 1)), node))
    images = np.array([-8, 7]).reshape(2, 1, 1, 1)
    assert model.edges(images)["node"].flatten().tolist() == expected
    assert model.saturations == {"node": 1}


def test_images_may_be_read_only_strided_or_torch():
    model = GoldenModel(cnn())
    images = np.random.default_rng(1).integers(0, 256, (6, 13, 12, 2), np.uint8)
    expected = model.run(images).scores
    read_only = np.frombuffer(images.tobytes(), np.uint8).reshape(images.shape)
    mirrored = np.ascontiguousarray(images[:, :, ::-1])[:, :, ::-1]
    for same in (
        read_only,
        mirrored,
        images.astype(np.int32),
        torch.from_numpy(images),
        images.astype(">u2"),
    ):
        assert torch.equal(model.run(same).scores, expected)
    assert model.run(images[:0]).scores.shape == (0, 4)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 28, 28, 1), np.uint8), r"images have shape \(2, 28, 28, 1\), the network takes .* with 13x12x2"),
        (np.zeros((13, 12, 2), np.uint8), r"images have shape \(13, 12, 2\)"),
        (np.zeros((1, 13, 12, 2), np.float32), "images have values of float32, the network takes uint8"),
        (torch.zeros((1, 13, 12, 2), dtype=torch.bool), "images have values of torch.bool"),
        (np.full((1, 13, 12, 2), 256), r"images have values 256\.\.256, the network takes uint8"),
        (np.full((1, 13, 12, 2), -1, np.int8), r"images have values -1\.\.-1"),
    ],
)  # fmt: skip
def test_images_that_do_not_fit_are_refused_in_one_line(images, message):
    model = GoldenModel(cnn())
    for method in (model.run, model.edges):
        with pytest.raises(InputFileError, match=message) as error:
            method(images)
        assert "\n" not in error.value.message + error.value.hint


def test_a_bipolar_input_refuses_zeros():
    x = EdgeType(Bipolar(), (1, 1, 2))
    with pytest.raises(
        InputFileError, match=r"images have values 0\.\.1, the network takes bipolar"
    ):
        GoldenModel(network_of(x)).run(np.array([[[[0, 1]]]]))


def test_an_unknown_edge_cannot_be_kept():
    with pytest.raises(ValueError, match="Kept edges must be edges of the network, not 'conv9'"):
        GoldenModel(cnn()).edges(np.zeros((1, 13, 12, 2), np.uint8), ["conv9"])
