import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.sw.lower import fixed_point
from rbonn.sw.train.activations import RSign, power_of_two

REALS = st.floats(-300, 300).filter(lambda x: x == 0 or abs(x) > 1e-12)


@given(values=st.lists(REALS, min_size=1, max_size=5))
def test_multipliers_are_as_near_as_one_shift_and_16_bits_allow(values):
    scales = np.array(values)
    numbers, shift = fixed_point.multipliers(scales)
    assert np.abs(numbers).max() <= 32767
    assert np.all(np.abs(numbers / 2.0**shift - scales) <= 2.0 ** -(shift + 1))
    finer = math.floor(np.abs(scales).max() * 2.0 ** (shift + 1) + 0.5)
    assert shift == 31 or finer > 32767


@pytest.mark.parametrize(
    ("scale", "expected"),
    [(0.0, (0, 31)), (1.0, (16384, 14)), (-1.0, (-16384, 14)), (32767.4, (32767, 0)), (0.25, (16384, 16)), (2.0**-40, (0, 31))],
)  # fmt: skip
def test_multipliers_of_single_scales(scale, expected):
    numbers, shift = fixed_point.multipliers(np.array([scale]))
    assert (int(numbers[0]), shift) == expected


@pytest.mark.parametrize("scale", [32767.5, -32768.0, 1e9])
def test_a_scale_beyond_16_bits_is_refused(scale):
    with pytest.raises(OverflowError, match="does not fit a multiplier of 16 bits"):
        fixed_point.multipliers(np.array([1.0, scale]))


def test_slopes_that_are_powers_of_two_stay_so():
    latent = torch.tensor([1.0, -1.0, 0.25, -0.3, 0.001, 0.0, 7.0, -0.01])
    used = power_of_two(latent).double().numpy()
    numbers, shift = fixed_point.slopes(used, power_of_two=True)
    assert numbers.tolist() == [128, -128, 32, -32, 1, 1, 128, -1]
    assert shift == 7
    assert np.array_equal(numbers / 2.0**shift, used)


@given(values=st.lists(st.floats(-2, 2), min_size=1, max_size=5))
def test_free_slopes_are_within_half_a_step(values):
    numbers, shift = fixed_point.slopes(np.array(values), power_of_two=False)
    assert np.all(np.abs(numbers / 2.0**shift - values) <= 2.0 ** -(shift + 1))
    assert np.abs(numbers).max() <= 32767


@settings(deadline=None)
@given(shifts=st.lists(st.floats(-9, 9), min_size=1, max_size=4), fraction=st.integers(-2, 6))
def test_a_threshold_is_the_trained_sign_at_every_value_of_the_stream(shifts, fraction):
    layer = RSign(len(shifts)).double()
    layer.shift.data = torch.tensor(shifts, dtype=torch.float64)
    lowest, highest = -512, 511
    limits = fixed_point.thresholds(np.array(shifts), fraction, lowest, highest)
    assert np.all((limits >= lowest) & (limits <= highest + 1))
    values = np.arange(lowest, highest + 1)[:, None]
    trained = layer(torch.from_numpy(values * 2.0**-fraction).expand(-1, len(shifts)))
    # A sum below the last bit of float64 is rounded by the layer, not by the threshold.
    clear = np.abs(values * 2.0**-fraction + shifts) > 1e-12
    assert np.array_equal((values >= limits)[clear], (trained.detach().numpy() > 0)[clear])


def test_thresholds_at_the_ends_of_the_stream():
    limits = fixed_point.thresholds(np.array([0.0, 0.25, -0.25, 1e9, -1e9]), 1, -8, 7)
    assert limits.tolist() == [0, 0, 1, -8, 8]


@given(
    rows=st.lists(st.lists(REALS, min_size=3, max_size=3), min_size=1, max_size=4),
    bits=st.integers(2, 8),
)
def test_weights_fill_their_bits_and_are_within_half_a_step(rows, bits):
    weights = np.array(rows)
    integers, scale = fixed_point.symmetric_weights(weights, bits)
    assert integers.dtype == np.int8
    limit = 2 ** (bits - 1) - 1
    assert np.abs(integers.astype(int)).max() <= limit
    assert np.all(np.abs(integers * scale[:, None] - weights) <= scale[:, None] * (0.5 + 1e-9))
    filled = np.abs(integers.astype(int)).max(axis=1)
    assert np.array_equal(filled, np.where(np.any(weights, axis=1), limit, 0))


@pytest.mark.parametrize(
    ("magnitude", "fraction", "bits"),
    [(1.0, 0, 2), (1.5, 0, 3), (2.0, 0, 3), (7.99, 8, 12), (8.0, 8, 13), (0.0, 4, 1), (40.0, -3, 4)],
)  # fmt: skip
def test_bits_needed(magnitude, fraction, bits):
    assert fixed_point.bits_needed(magnitude, fraction) == bits
