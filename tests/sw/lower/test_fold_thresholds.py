"""Thresholds against the trained layers themselves, at every sum, and against exact rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.sw.errors import UnsupportedLayerError
from rbonn.sw.lower.fold_thresholds import fold_thresholds, reachable_sums
from rbonn.sw.lower.stages import Stage
from rbonn.sw.lower.trace import Layer
from rbonn.sw.network import Bipolar, EdgeType, UInt
from rbonn.sw.train.layers import RBOConv2d, RBOLinear
from torch import nn

FLOATS = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, 1e-30, -1e-30, 1e30, -1e30]),
    st.floats(-4, 4, width=32),
    st.floats(-1e4, 1e4, width=32),
)


def dense(n_in, channels, *between):
    layer = RBOLinear(n_in, len(channels))
    layer.scale.data = torch.tensor([c["inverse_scale"] for c in channels])  # A = 1 / alpha
    norm = nn.BatchNorm1d(len(channels))
    norm.weight.data = torch.tensor([c["weight"] for c in channels])
    norm.bias.data = torch.tensor([c["bias"] for c in channels])
    norm.running_mean = torch.tensor([c["mean"] for c in channels])
    norm.running_var = torch.tensor([c["variance"] for c in channels])
    return stage(layer.double().eval(), norm.double().eval(), *between)


def stage(product, *between):
    return Stage(
        "dense1", Layer("0", product), tuple(Layer(str(i + 1), m) for i, m in enumerate(between))
    )


def channel(**values):
    return {"inverse_scale": 1.0, "weight": 1.0, "bias": 0.0, "mean": 0.0, "variance": 1.0} | values


CHANNELS = st.fixed_dictionaries(
    {
        "inverse_scale": st.one_of(
            st.sampled_from([1e-6, 1e30]), st.floats(0.015625, 1024, width=32)
        ),
        "weight": FLOATS,
        "bias": FLOATS,
        "mean": FLOATS,
        "variance": st.one_of(st.just(0.0), st.floats(0, 1e6, width=32)),
    }
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(n_in=st.integers(1, 24), channels=st.lists(CHANNELS, min_size=1, max_size=6))
def test_thresholds_give_the_bits_of_the_trained_layers_at_every_sum(n_in, channels):
    folded = dense(n_in, channels)
    fold = fold_thresholds(folded, EdgeType(Bipolar(), (1, 1, n_in)))
    product, norm = folded.product.module, folded.between[0].module
    assert np.all((fold.thresholds >= -n_in) & (fold.thresholds <= n_in + 1))
    for c in range(len(channels)):
        row = product.binary_weight[c].detach()
        wrong = torch.ones(n_in + 1, n_in).tril(-1).bool()  # image k differs from the row in k taps
        x = torch.where(wrong, -row, row)
        with torch.no_grad():
            expected = norm(product(x))[:, c] >= 0
        weights = -row if fold.complement[c] else row
        actual = (x @ weights).long() >= int(fold.thresholds[c])
        assert torch.equal(actual, expected), channels[c]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(n_in=st.integers(1, 200), parameters=CHANNELS)
def test_thresholds_agree_with_the_formula_in_exact_arithmetic(n_in, parameters):
    fold = fold_thresholds(dense(n_in, [parameters]), EdgeType(Bipolar(), (1, 1, n_in)))
    exact = {name: Fraction(float(np.float32(value))) for name, value in parameters.items()}
    root = Fraction(float(np.sqrt(float(exact["variance"]) + 1e-5)))
    for total in range(-n_in, n_in + 1, 2):
        normed = total / exact["inverse_scale"] - exact["mean"]
        value = normed * exact["weight"] / root + exact["bias"]
        terms = (n_in / exact["inverse_scale"], exact["mean"])
        size = max(abs(term * exact["weight"] / root) for term in terms) + abs(exact["bias"])
        if abs(value) <= size / 10**13 and value:
            continue  # float64, in which the fold is defined, may round to the other side
        signed = -total if fold.complement[0] else total
        if value or not size:
            assert (signed >= fold.thresholds[0]) == (value >= 0), total


def test_a_threshold_is_the_lowest_sum_that_gives_one():
    channels = [
        channel(mean=2.5),  # sums of 6 taps are even: 4 is the first above 2.5
        channel(mean=2.0),  # sign(0) = +1
        channel(weight=-1.0, mean=2.0),  # +1 up to 2, so the negated sum is at least -2
        channel(weight=0.0, bias=1.0),
        channel(weight=0.0, bias=-1.0),
        channel(weight=0.0, bias=0.0),
        channel(mean=-100.0),
        channel(mean=100.0),
        channel(weight=-1.0, mean=-100.0),
        channel(weight=-1.0, mean=100.0),
    ]
    fold = fold_thresholds(dense(6, channels), EdgeType(Bipolar(), (1, 1, 6)))
    assert fold.thresholds.tolist() == [4, 2, -2, -6, 7, -6, -6, 7, 7, -6]
    assert np.flatnonzero(fold.complement).tolist() == [2]
    assert fold.thresholds.dtype == np.int64


def test_without_batch_norm_the_threshold_is_zero():
    fold = fold_thresholds(stage(RBOLinear(6, 3).double()), EdgeType(Bipolar(), (1, 1, 6)))
    assert fold.thresholds.tolist() == [0, 0, 0]
    fold = fold_thresholds(stage(RBOLinear(5, 3).double()), EdgeType(Bipolar(), (1, 1, 5)))
    assert fold.thresholds.tolist() == [1, 1, 1]


def test_pixels_are_folded_over_their_whole_range_also_in_pieces(monkeypatch):
    channels = [channel(mean=100.5), channel(weight=-1.0, mean=-300.0), channel(mean=508.5)]
    x = EdgeType(UInt(8), (1, 1, 2))
    whole = fold_thresholds(dense(2, channels), x)
    assert whole.thresholds.tolist() == [101, 300, 509]
    monkeypatch.setattr("rbonn.sw.lower.fold_thresholds._CHUNK_ELEMENTS", 21)  # 7 sums at a time
    pieces = fold_thresholds(dense(2, channels), x)
    assert pieces.thresholds.tolist() == whole.thresholds.tolist()
    assert pieces.scale.tolist() == whole.scale.tolist()


def test_the_scale_is_the_largest_pre_activation():
    fold = fold_thresholds(
        dense(6, [channel(mean=2.0), channel(inverse_scale=1 / 3, bias=1.0)]),
        EdgeType(Bipolar(), (1, 1, 6)),
    )
    np.testing.assert_allclose(fold.scale, [8, 19], rtol=1e-4)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    height=st.integers(1, 7), width=st.integers(1, 7), kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.integers(1, 3), padding=st.integers(0, 3), pad_value=st.sampled_from([-1, 0, 1]), channels=st.integers(1, 3),
)  # fmt: skip
def test_reachable_sums_are_those_of_the_taps_inside_the_image(
    height, width, kernel, stride, padding, pad_value, channels
):
    padding = min(padding, *(k - 1 for k in kernel))
    if kernel[0] > height + 2 * padding or kernel[1] > width + 2 * padding:
        return
    layer = RBOConv2d(channels, 1, kernel, stride, padding, pad_value)
    layer.weight.data.fill_(1.0)
    with torch.no_grad():  # with zero padding, a sum of ones counts the taps inside
        counts = layer.sums(torch.ones(1, channels, height, width)).unique().int().tolist()
    if pad_value:
        counts = [channels * kernel[0] * kernel[1]]
    expected = sorted({s for n in counts for s in range(-n, n + 1, 2)})
    sums = reachable_sums(stage(layer), EdgeType(Bipolar(), (height, width, channels)))
    assert sums.tolist() == expected


def test_zero_padding_brings_in_the_other_parity():
    layer = RBOConv2d(1, 1, 3, padding=1, pad_value=0).double()
    layer.scale.data.fill_(1.0)
    norm = nn.BatchNorm2d(1).double().eval()
    norm.running_mean.fill_(
        2.5
    )  # inside the image 3 is the first sum above, at the edges (6 taps) it is 4
    fold = fold_thresholds(stage(layer, norm), EdgeType(Bipolar(), (5, 5, 1)))
    assert fold.thresholds.tolist() == [3]
    norm.running_mean.fill_(1.5)
    fold = fold_thresholds(stage(layer, norm), EdgeType(Bipolar(), (5, 5, 1)))
    assert fold.thresholds.tolist() == [2]


class Square(nn.Module):
    def forward(self, x):
        return x.square() - 4


def test_a_bit_that_switches_twice_is_refused_with_its_channel():
    layer = RBOLinear(6, 2)
    layer.scale.data.fill_(1.0)
    folded = stage(layer.double(), Square())
    with pytest.raises(UnsupportedLayerError) as error:
        fold_thresholds(folded, EdgeType(Bipolar(), (1, 1, 6)))
    assert str(error.value) == (
        "layer 0 (RBOLinear): the bit of channels 0, 1 does not switch once as its sum grows"
    )


def test_a_falling_batch_norm_behind_a_pool_is_refused_with_its_channel():
    norm = nn.BatchNorm2d(3).double().eval()
    norm.weight.data[1] = -1.0
    x = EdgeType(Bipolar(), (4, 4, 1))
    layer = RBOConv2d(1, 3, 3).double()
    with pytest.raises(UnsupportedLayerError) as error:
        fold_thresholds(stage(layer, nn.MaxPool2d(2), norm), x)
    assert str(error.value) == (
        "layer 2 (BatchNorm2d): negative weight in channel 1, behind a max pool"
    )
    assert fold_thresholds(stage(layer, norm, nn.MaxPool2d(2)), x).complement.tolist() == [
        False,
        True,
        False,
    ]
