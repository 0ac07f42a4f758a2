"""The golden model against straightforward NumPy int64, one loop per output element."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.sw.errors import InputFileError, UnsupportedLayerError
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
    Thermometer,
    Threshold,
    UInt,
)
from rbonn.sw.network.golden import GoldenModel, product_dtype

# ---- the reference: (n, height, width, channels) int64 in and out


def reference(node, x):
    match node:
        case Binarise():
            return np.where(x >= node.threshold, 1, -1)
        case Threshold():
            return np.where(x >= node.thresholds, 1, -1)
        case Thermometer():
            n, height, width, channels = x.shape
            out = np.empty((n, height, width, channels * len(node.thresholds)), np.int64)
            for c in range(channels):
                for level, threshold in enumerate(node.thresholds):
                    out[..., c * len(node.thresholds) + level] = np.where(
                        x[..., c] >= threshold, 1, -1
                    )
            return out
        case Conv():
            return reference_conv(node, x)
        case Dense():
            out = np.zeros((len(x), 1, 1, len(node.weights)), np.int64)
            for i, image in enumerate(x):
                for row, weights in enumerate(node.weights.astype(np.int64)):
                    out[i, 0, 0, row] = (weights * image.reshape(-1)).sum()
            return out
        case Affine():
            out = np.empty(x.shape, np.int64)
            for index in np.ndindex(x.shape):  # Python integers: no width to overflow
                m, b = int(node.multipliers[index[3]]), int(node.offsets[index[3]])
                exact = int(x[index]) * m + b
                rounded = (exact + 2 ** (node.shift - 1)) // 2**node.shift if node.shift else exact
                out[index] = min(max(rounded, node.output_type.minimum), node.output_type.maximum)
            return out
        case MaxPool():
            n, height, width, channels = x.shape
            s = node.size
            out = np.empty((n, height // s, width // s, channels), np.int64)
            for r in range(height // s):
                for c in range(width // s):
                    out[:, r, c] = x[:, r * s : r * s + s, c * s : c * s + s].max(axis=(1, 2))
            return out
        case ArgMax():
            flat = x.reshape(len(x), x.shape[3])
            return np.array(
                [min(i for i, v in enumerate(row) if v == row.max()) for row in flat]
            ).reshape(-1, 1, 1, 1)


def reference_conv(node, x):
    n, height, width, channels = x.shape
    p, s = node.padding, node.stride
    padded = np.full((n, height + 2 * p, width + 2 * p, channels), node.pad_value, np.int64)
    padded[:, p : p + height, p : p + width] = x
    weights = node.weights.astype(np.int64)
    n_out, kernel_height, kernel_width, _ = weights.shape
    rows = range(0, height + 2 * p - kernel_height + 1, s)
    columns = range(0, width + 2 * p - kernel_width + 1, s)
    out = np.zeros((n, len(rows), len(columns), n_out), np.int64)
    for i, r in enumerate(rows):
        for j, c in enumerate(columns):
            window = padded[:, r : r + kernel_height, c : c + kernel_width]
            for k in range(n_out):
                out[:, i, j, k] = (window * weights[k]).sum(axis=(1, 2, 3))
    return out


# ---- drawing nodes

SEEDS = st.integers(0, 2**32 - 1)
NARROW = st.one_of(
    st.just(Bipolar()), st.integers(1, 9).map(UInt), st.integers(2, 9).map(Int), st.just(Int(16))
)
WIDE = st.one_of(st.just(Int(28)), st.just(UInt(35)), st.just(Int(46)))
TYPES = st.one_of(NARROW, NARROW, WIDE)
SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 5))


def values(generator, datatype, shape):
    """Random values of `datatype` in which its ends are frequent."""
    if isinstance(datatype, Bipolar):
        return generator.choice(np.array([-1, 1]), shape)
    drawn = generator.integers(datatype.minimum, datatype.maximum, shape, endpoint=True)
    ends = generator.choice(np.array([datatype.minimum, datatype.maximum]), shape)
    return np.where(generator.random(shape) < generator.random(), ends, drawn)


def thresholds_near(generator, datatype, n):
    low, high = datatype.minimum - 2, datatype.maximum + 2
    return generator.integers(low, high, n, endpoint=True)


@st.composite
def convolutions(draw, x):
    height, width, channels = x.shape
    padding = draw(st.integers(0, 2))
    kernel_height = draw(st.integers(padding + 1, min(padding + 4, height + 2 * padding)))
    kernel_width = draw(st.integers(padding + 1, min(padding + 4, width + 2 * padding)))
    weight_type = draw(st.sampled_from([Bipolar(), Int(8)]))
    generator = np.random.default_rng(draw(SEEDS))
    shape = (draw(st.integers(1, 5)), kernel_height, kernel_width, channels)
    pads = [
        v
        for v in (0, 1, -1, x.datatype.maximum, x.datatype.minimum)
        if isinstance(x.datatype, Bipolar) or x.datatype.minimum <= v <= x.datatype.maximum
    ]
    return Conv(
        "node", ("image",),
        weights=values(generator, weight_type, shape).astype(np.int8),
        weight_type=weight_type,
        stride=draw(st.integers(1, 3)),
        padding=padding,
        pad_value=draw(st.sampled_from(pads)),
    )  # fmt: skip


@st.composite
def nodes(draw, kind):
    """(input edge, a node of that kind that reads it)."""
    x = EdgeType(draw(TYPES), draw(SHAPES))
    if kind in (Binarise, Thermometer) and isinstance(x.datatype, Bipolar):
        x = EdgeType(UInt(8), x.shape)
    if kind is ArgMax:
        x = EdgeType(
            draw(st.sampled_from([Bipolar(), Int(3), UInt(8), Int(46)])), (1, 1, x.shape[2])
        )
    if kind is Conv:
        return x, draw(convolutions(x))
    generator = np.random.default_rng(draw(SEEDS))
    channels = x.shape[2]
    match kind.__name__:
        case "Binarise":
            node = Binarise("node", ("image",), int(thresholds_near(generator, x.datatype, 1)[0]))
        case "Threshold":
            node = Threshold("node", ("image",), thresholds_near(generator, x.datatype, channels))
        case "Thermometer":
            rising = np.unique(thresholds_near(generator, x.datatype, draw(st.integers(1, 9))))
            node = Thermometer("node", ("image",), rising)
        case "Dense":
            weight_type = draw(st.sampled_from([Bipolar(), Int(8)]))
            shape = (draw(st.integers(1, 6)), x.elements)
            weights = values(generator, weight_type, shape).astype(np.int8)
            node = Dense("node", ("image",), weights, weight_type)
        case "Affine":
            if x.datatype.bits > 40:
                x = EdgeType(Int(40), x.shape)
            shift = draw(st.integers(0, 31))
            node = Affine(
                "node", ("image",),
                multipliers=generator.integers(-(2**15) + 1, 2**15, channels),
                offsets=generator.integers(-(2**40), 2**40, channels) >> int(generator.integers(0, 40)),
                shift=shift,
                output_type=draw(st.sampled_from([Int(8), UInt(8), Int(16), Int(48)])),
            )  # fmt: skip
        case "MaxPool":
            node = MaxPool("node", ("image",), draw(st.integers(1, min(x.shape[:2]))))
        case "ArgMax":
            node = ArgMax("node", ("image",))
    return x, node


def network_of(x, *chain):
    """A network of `chain` with scores that nobody looks at."""
    zeros = np.zeros((2, x.elements), np.int8)
    return Network(
        "test", x, (*chain, Dense("unused", ("image",), zeros, Int(8))), 0, "unused", ("0", "1")
    )


# ---- tests


@pytest.mark.parametrize(
    "kind", [Binarise, Thermometer, Conv, Dense, Threshold, Affine, MaxPool, ArgMax]
)
def test_every_node_equals_its_integer_reference(kind):
    dtypes = set()

    @settings(max_examples=120, deadline=None, derandomize=True)
    @given(drawn=nodes(kind), seed=SEEDS, n=st.integers(0, 3))
    def check(drawn, seed, n):
        x, node = drawn
        images = values(np.random.default_rng(seed), x.datatype, (n, *x.shape))
        edge = GoldenModel(network_of(x, node)).edges(images)["node"]
        np.testing.assert_array_equal(edge.numpy(), reference(node, images))
        if kind in (Conv, Dense):
            dtypes.add(product_dtype(node.matrix, x.datatype))

    check()
    if kind in (Conv, Dense):
        assert dtypes == {torch.float32, torch.float64, torch.int64}


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
    expected = {"image": images.astype(np.int64)}
    for node in network.nodes:
        expected[node.name] = reference(node, *(expected[name] for name in node.inputs))
    assert list(edges) == list(expected) == list(network.edges)
    for name, edge in edges.items():
        np.testing.assert_array_equal(edge.numpy(), expected[name], err_msg=name)
        assert edge.is_contiguous(), name

    scores, labels = model.run(images)
    np.testing.assert_array_equal(scores.numpy(), expected["scores"].reshape(8, 4))
    np.testing.assert_array_equal(labels.numpy(), expected["label"].reshape(8))
    assert scores.dtype == labels.dtype == torch.int64
    assert model.saturations == {"scores": 0}


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


def test_an_affine_beyond_63_bits_is_refused():
    node = Affine("node", ("image",), np.full(1, 2**14), np.zeros(1, int), 0, Int(62))
    with pytest.raises(
        UnsupportedLayerError, match="'node': its products reach -4611686018427387904"
    ):
        GoldenModel(network_of(EdgeType(Int(49), (1, 1, 1)), node))


def test_the_arithmetic_is_chosen_by_its_bound():
    def chosen(n, weight, datatype):
        return product_dtype(np.full((1, n), weight, np.int64), datatype)

    assert chosen(2**18 - 1, 64, Bipolar()) == torch.float32
    assert chosen(2**18, 64, Bipolar()) == torch.float64
    assert chosen(2**15, -1, Int(9)) == torch.float32  # factors of 256
    assert chosen(1, 1, UInt(9)) == torch.float64  # 511 is not exact in bfloat16
    assert chosen(2**14, 127, Int(33)) == torch.float64
    assert chosen(2**15, -128, Int(32)) == torch.int64


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
