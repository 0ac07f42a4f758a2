"""The head alone, on streams of any values: averages in their bits, weights in theirs, and scores that cannot saturate."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.sw.lower.residual_head import HEAD_MARGIN, head_nodes
from rbonn.sw.lower.stream_format import Ranges, StreamFormat
from rbonn.sw.network import EdgeType, Int, Network

from . import integer_reference

STREAM = StreamFormat(16, 9)


def make(seed, n_channels=6, n_classes=4, pixels=(3, 5), head_bits=8, spread=1.0):
    """(weights, bias, averages in real numbers, head as a network that reads the stream, integer streams)."""
    generator = np.random.default_rng(seed)
    weights = generator.normal(size=(n_classes, n_channels))
    bias = generator.normal(size=n_classes)
    level = generator.normal(size=n_channels) * 5
    widths = np.exp(generator.normal(size=n_channels) * spread)
    means = level + generator.normal(size=(50, 1, 1, n_channels)) * widths
    values = means + generator.normal(size=(50, *pixels, n_channels))
    stream = np.round(values * STREAM.scale).clip(-32768, 32767).astype(int)
    averages = stream.mean(axis=(1, 2)) / STREAM.scale
    ranges = Ranges({}, averages.min(axis=0), averages.max(axis=0), 50)
    x = EdgeType(Int(16), (*pixels, n_channels))
    merged = SimpleNamespace(weights=weights, bias=bias)
    nodes, fraction = head_nodes(merged, "image", x, STREAM, ranges, head_bits)
    network = Network("head", x, nodes, 0, "scores", tuple("abcdefgh")[:n_classes])
    return weights, bias, averages, network, stream, fraction


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 9999),
    n_channels=st.integers(1, 9),
    n_classes=st.integers(1, 8),
    pixels=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    head_bits=st.integers(2, 12),
    spread=st.floats(0, 3),
)
def test_scores_are_within_the_bound_of_their_roundings(
    seed, n_channels, n_classes, pixels, head_bits, spread
):
    weights, bias, averages, network, stream, fraction = make(seed, n_channels, n_classes, pixels, head_bits, spread)  # fmt: skip
    edges = integer_reference.run(network, stream)
    node = network.nodes[1]
    step = 2.0**node.shift / (node.multipliers * stream[0, ..., 0].size * STREAM.scale)
    integers = edges["average"][:, 0, 0]
    assert np.abs(integers).max() <= 1 << (head_bits - 1)
    weight_step = np.abs(weights * step).max(axis=1) / 127
    score = network.nodes[3]
    rounding = 0.5 + (np.abs(edges["head"][:, 0, 0]) + 1) * 2.0 ** -(score.shift + 1)
    bound = (
        np.abs(weights) @ (step / 2)
        + np.abs(integers).sum(axis=1, keepdims=True) * weight_step / 2
        + rounding * 2.0**-fraction
    )
    error = np.abs(edges["scores"][:, 0, 0] * 2.0**-fraction - (averages @ weights.T + bias))
    assert np.all(error <= bound * (1 + 1e-9))


def test_averages_use_their_bits_up_to_the_margin():
    *_, network, stream, _ = make(1)
    edges = integer_reference.run(network, stream)["average"][:, 0, 0]
    used = np.ptp(edges, axis=0)
    assert np.all(used >= 255 / (1 + 2 * HEAD_MARGIN) - 2)
    assert np.all(np.abs(edges.max(axis=0) + edges.min(axis=0) + 1) <= 2)  # in the middle


def test_the_largest_and_smallest_sums_do_not_saturate_the_scores():
    *_, network, _, _ = make(2)
    dense, scores = network.nodes[2], network.nodes[3]
    for sign in (1, -1):
        ends = np.where(sign * dense.weights > 0, 127, -128)
        sums = (dense.weights * ends).sum(axis=1)
        wide = (sums * scores.multipliers + scores.offsets + (1 << scores.shift >> 1)) >> scores.shift  # fmt: skip
        assert scores.output_type.minimum <= wide.min()
        assert wide.max() <= scores.output_type.maximum
    assert scores.output_type.bits <= 17


@pytest.mark.parametrize("n_channels", [1, 3])
def test_channels_that_never_change_are_averaged_all_the_same(n_channels):
    x = EdgeType(Int(16), (2, 2, n_channels))
    level = np.full(n_channels, 3.0)
    merged = SimpleNamespace(weights=np.ones((2, n_channels)), bias=np.array([0.0, 1.0]))
    nodes, fraction = head_nodes(merged, "image", x, STREAM, Ranges({}, level, level, 1), 8)
    network = Network("head", x, nodes, 0, "scores", ("a", "b"))
    stream = np.full((1, 2, 2, n_channels), 3 * 512)
    scores = integer_reference.run(network, stream)["scores"][0, 0, 0] * 2.0**-fraction
    assert np.abs(scores - (3 * n_channels + merged.bias)).max() < 0.02 * n_channels


def test_a_head_of_zeros_gives_its_bias():
    x = EdgeType(Int(16), (1, 1, 2))
    merged = SimpleNamespace(weights=np.zeros((2, 2)), bias=np.array([0.5, -0.25]))
    nodes, fraction = head_nodes(merged, "image", x, STREAM, Ranges({}, -np.ones(2), np.ones(2), 1), 8)  # fmt: skip
    edges = integer_reference.run(Network("head", x, nodes, 0, "scores", ("a", "b")), np.zeros((1, 1, 1, 2)))  # fmt: skip
    assert np.allclose(edges["scores"][0, 0, 0] * 2.0**-fraction, merged.bias, atol=2.0**-fraction)
