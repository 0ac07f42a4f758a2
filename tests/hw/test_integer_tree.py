"""`rbonn.hw.integer_tree`: products with binary weights against NumPy, through the stage in front of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.integer_tree import IntegerTreeConfig
from rbonn.hw.pair_sums import PairSumsConfig

from .stream_driver import drive
from .tree_bench import sums_of

SHAPES = [(1, 8), (2, 8), (3, 8), (9, 8), (16, 8), (5, 1), (4, 4)]  # (SIMD, bits)


def check(config: IntegerTreeConfig, signed: bool, seed: int, stalls: int | None) -> None:
    simd, bits = config.simd, config.element_bits
    lowest = -(1 << bits - 1) if signed else 0
    rng = np.random.default_rng(seed)
    x = rng.integers(lowest, lowest + (1 << bits), (12, simd))
    w = rng.choice([-1, 1], (12, simd))
    x[0], w[0] = lowest + (1 << bits) - 1, 1
    x[1], w[1] = lowest, -1
    transfers = [
        sum((int(v) % (1 << bits)) << (k * bits) for k, v in enumerate(beat)) for beat in x
    ]
    pairs = drive(
        PairSumsConfig(bits, simd, 12, signed).component(), transfers, n_outputs=12
    ).outputs
    weights = [sum(int(v > 0) << k for k, v in enumerate(beat)) for beat in w]
    sums = sums_of(
        config.component(), list(zip(pairs, weights, strict=True)), config.latency_cycles, stalls
    )
    assert np.array_equal(np.array(sums) - config.offset(w, signed), (x * w).sum(axis=1))
    assert max(sums) <= config.most


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("simd", "bits"), SHAPES)
def test_it_adds_what_numpy_adds_after_the_documented_latency(
    simd: int, bits: int, signed: bool
) -> None:
    check(IntegerTreeConfig(simd, bits), signed, seed=simd, stalls=None)


@settings(max_examples=30, deadline=None)
@given(
    config=st.builds(IntegerTreeConfig, st.integers(1, 12), st.integers(1, 9)),
    signed=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_any_shape_adds_what_numpy_adds_whatever_the_enable_does(
    config: IntegerTreeConfig, signed: bool, seed: int
) -> None:
    check(config, signed, seed, stalls=seed)


def test_the_offset_counts_every_beat_of_a_row() -> None:
    config = IntegerTreeConfig(3, 8)
    matrix = np.array([[-1, 1, -1, 1, -1, 1], [1, 1, 1, 1, 1, 1]])
    # three weights of -1, and one pair that is negated: lanes 0 and 1 of the first beat
    assert config.offset(matrix, signed=False).tolist() == [3 * 255 + 1, 0]
    assert config.offset(matrix, signed=True).tolist() == [6 * 128 - 3 + 1, 6 * 128]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 8), "SIMD must be at least 1, not 0"),
        ((4, 0), "Element bits must be at least 1, not 0"),
        ((4, 8, "abacus"), r"Form must be one of \('portable', .*\), not 'abacus'"),
    ],
)
def test_bad_parameters_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        IntegerTreeConfig(*arguments)
