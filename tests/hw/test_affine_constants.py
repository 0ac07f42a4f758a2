"""`rbonn.hw.affine_constants`: the same result for every input, and nothing that could have been left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.affine_constants import MOST_INPUTS, affine_constants, trailing_zeros


def results(multipliers: list[int], offsets: list[int], shift: int, x: np.ndarray) -> np.ndarray:
    """(x, channel), by the formula."""
    half = (1 << shift - 1) if shift else 0
    return (x[:, None] * np.array(multipliers, np.int64) + np.array(offsets) + half) >> shift


@settings(max_examples=100)
@given(
    multipliers=st.lists(st.integers(-(2**15), 2**15), min_size=3, max_size=3),
    offsets=st.lists(st.integers(-(2**25), 2**25), min_size=3, max_size=3),
    shift=st.integers(0, 20),
    ends=st.tuples(st.integers(-300, 300), st.integers(-300, 300)).map(sorted),
    complements=st.booleans(),
    zeros=st.integers(0, 8),
)
def test_folded_constants_have_the_same_results(
    multipliers: list[int], offsets: list[int], shift: int, ends: list[int], complements: bool, zeros: int
) -> None:  # fmt: skip
    multipliers = [value >> zeros << zeros for value in multipliers]
    folded = affine_constants(multipliers, offsets, shift, *ends, complements=complements)
    x = np.arange(ends[0], ends[1] + 1)
    expected = results(multipliers, offsets, shift, x)
    products = x[:, None] * np.array(folded.multipliers)
    if complements:
        products -= np.array(folded.multipliers) < 0
    dropped = folded.dropped
    assert not any(value & (1 << dropped) - 1 for value in folded.offsets)
    sums = (products >> dropped) + (np.array(folded.offsets) >> dropped)
    assert np.array_equal(sums >> folded.shift - dropped, expected)
    assert (folded.lowest, folded.highest) == (expected.min(), expected.max())


def test_as_much_is_dropped_as_any_offset_with_the_same_results_allows() -> None:
    rng = np.random.default_rng(0)
    x = np.arange(-7, 8)
    for _ in range(20):
        multiplier, offset = int(rng.integers(-50, 50)) * 2 + 1, int(rng.integers(-999, 999))
        expected = results([multiplier], [offset], 6, x)
        same = [
            sums
            for sums in range(offset - 64, offset + 128)
            if np.array_equal((x * multiplier + sums)[:, None] >> 6, expected)
        ]
        most = max(min(trailing_zeros(sums), 6) if sums else 6 for sums in same)
        assert affine_constants([multiplier], [offset], 6, -7, 7).dropped == most


def test_powers_of_two_that_all_multipliers_have_leave_with_the_shift() -> None:
    folded = affine_constants([48, -16, 0], [5, 6, 7], 3, -4, 4)
    assert folded.multipliers == (6, -2, 0)
    assert folded.shift == 0
    assert affine_constants([48, -16], [5, 6], 9, -4, 4).shift == 5


def test_offsets_of_any_size_are_exact() -> None:
    folded = affine_constants([3], [1 << 70], 2, -4, 3)
    assert (folded.lowest, folded.highest) == ((1 << 68) - 3, (1 << 68) + 2)


def test_wide_inputs_keep_their_offsets() -> None:
    folded = affine_constants([3], [1234567], 10, -MOST_INPUTS, MOST_INPUTS)
    assert folded.offsets == (1234567 + 512,)
    assert folded.dropped == 0


@pytest.mark.parametrize(("value", "zeros"), [(1, 0), (-1, 0), (8, 3), (-24, 3)])
def test_trailing_zeros_are_those_of_twos_complement(value: int, zeros: int) -> None:
    assert trailing_zeros(value) == zeros
