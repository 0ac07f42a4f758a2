"""`rbonn.sw.build.presets` and `packing`: start values and words against definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.sw.build.packing import preset_words, weight_words
from rbonn.sw.build.presets import Presets, layer_presets
from rbonn.sw.network import Affine, Bipolar, Conv, Dense, EdgeType, Int, Threshold

# (size, kernel, stride, padding): border classes, from the design's table
CLASSES = {
    (28, 3, 1, 1): 9,
    (32, 3, 2, 1): 4,
    (33, 3, 2, 1): 9,
    (32, 5, 1, 2): 25,
    (4, 5, 1, 2): 16,
    (2, 3, 1, 1): 4,
    (1, 3, 1, 1): 1,
}


def conv_of(rng, shape, kernel, channels, stride, padding, pad_value=0) -> Conv:
    weights = rng.choice([-1, 1], (channels, *kernel, shape[2])).astype(np.int8)
    return Conv("conv", ("image",), weights, Bipolar(), stride, padding, pad_value)


def presets_of(node: Conv | Dense, shape, consumer) -> Presets:
    source = EdgeType(Bipolar(), shape)
    return layer_presets(node, node.output(source), source, consumer)


@pytest.mark.parametrize(("case", "count"), CLASSES.items())
def test_border_classes_are_as_many_as_distinct_sets_of_padded_taps(case, count: int) -> None:
    size, kernel, stride, padding = case
    node = conv_of(np.random.default_rng(0), (size, size, 1), (kernel, kernel), 1, stride, padding)
    presets = presets_of(node, (size, size, 1), None)
    assert presets.values.shape[0] * presets.values.shape[1] == count


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_accumulators_end_where_sums_and_thresholds_say(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    kernel = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    padding = data.draw(st.integers(0, min(kernel) - 1))
    shape = tuple(data.draw(st.integers(max(1, k - 2 * padding), 6)) for k in kernel)
    shape = (*shape, data.draw(st.integers(1, 3)))
    pad_value = data.draw(st.sampled_from([-1, 0, 1]))
    stride = data.draw(st.integers(1, 3))
    node = conv_of(rng, shape, kernel, 3, stride, padding, pad_value)
    n_columns = node.matrix.shape[1]
    thresholds = rng.integers(-n_columns - 2, n_columns + 3, 3)
    presets = presets_of(node, shape, Threshold("bits", ("conv",), thresholds))

    # One image: what the array counts (padded taps read as -1 where the padding is zero), and the true sums.
    image = rng.choice([-1, 1], shape)
    height, width, _ = node.output(EdgeType(Bipolar(), shape)).shape
    padded = np.pad(
        image, ((padding, padding), (padding, padding), (0, 0)), constant_values=pad_value
    )
    for row in range(height):
        for column in range(width):
            taps = padded[
                row * stride : row * stride + kernel[0],
                column * stride : column * stride + kernel[1],
            ].ravel()
            sums = node.matrix.astype(int) @ taps
            matches = (node.matrix == np.where(taps == 0, -1, taps)).sum(axis=1)
            start = presets.values[presets.row_classes[row], presets.column_classes[column]]
            ends = start + matches
            inside = np.abs(thresholds) <= n_columns
            assert np.array_equal((ends >= 0)[inside], (sums >= thresholds)[inside])
            assert np.array_equal(
                (ends >= 0)[thresholds > n_columns], [False] * (thresholds > n_columns).sum()
            )
            assert np.array_equal(
                (ends >= 0)[thresholds < -n_columns], [True] * (thresholds < -n_columns).sum()
            )
            limit = 1 << (presets.accumulator_bits - 1)
            assert start.min() >= -limit
            assert ends.max() < limit
            everywhere = np.tile(sums, (1, height, width, 1))
            assert np.array_equal(presets.observed(everywhere)[0, row, column], ends)


@pytest.mark.parametrize("bias", [None, (3, -200, 0)])
def test_scores_end_at_the_sum_plus_the_bias(bias) -> None:
    rng = np.random.default_rng(1)
    node = Dense("head", ("image",), rng.choice([-1, 1], (3, 10)).astype(np.int8), Bipolar())
    offsets = np.array(bias if bias else (0, 0, 0))
    consumer = Affine("scores", ("head",), np.ones(3), offsets, 0, Int(10)) if bias else None
    presets = presets_of(node, (1, 1, 10), consumer)
    x = rng.choice([-1, 1], 10)
    matches = (node.matrix == x).sum(axis=1)
    sums = node.matrix.astype(int) @ x
    assert np.array_equal(presets.values[0, 0] + 2 * matches, sums + offsets)
    assert np.array_equal(presets.observed(sums.reshape(1, 1, 1, 3))[0, 0, 0], sums + offsets)
    limit = 1 << (presets.accumulator_bits - 1)
    assert presets.values.min() >= -limit
    assert presets.values.max() + 2 * 10 < limit


@pytest.mark.parametrize(("threshold", "bits"), [(9, 5), (-8, 5), (8, 4), (0, 4), (7, 4)])
def test_accumulators_are_just_wide_enough(threshold: int, bits: int) -> None:
    node = Dense("dense", ("image",), np.ones((2, 8), np.int8), Bipolar())
    consumer = Threshold("bits", ("dense",), np.full(2, threshold))
    assert presets_of(node, (1, 1, 8), consumer).accumulator_bits == bits


def test_weight_words_have_rows_of_a_group_and_lanes_of_a_beat_where_the_array_reads_them() -> None:
    rng = np.random.default_rng(2)
    matrix = rng.choice([-1, 1], (6, 8))
    words = weight_words(matrix, 3, 2)
    assert len(words) == 2 * 4
    for row in range(6):
        for column in range(8):
            word = words[row // 3 * 4 + column // 2]
            assert word >> (row % 3 * 2 + column % 2) & 1 == (matrix[row, column] > 0)


def test_preset_words_are_twos_complement_with_row_groups_fastest() -> None:
    values = np.arange(-12, 12).reshape(2, 3, 4)
    words = preset_words(values, 2, 6)
    assert len(words) == 2 * 3 * 2
    assert words[0] == (-12 & 63) | (-11 & 63) << 6
    assert words[1] == (-10 & 63) | (-9 & 63) << 6
    assert words[-1] == 10 | 11 << 6


def test_wide_words_are_whole() -> None:
    assert weight_words(np.ones((40, 40)), 40, 40) == ((1 << 1600) - 1,)
