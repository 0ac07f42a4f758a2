"""`rbonn.hw.bit_planes`: planes in order, their rate, and the constant by which counting codes differs from the sum."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.bit_planes import BitPlanesConfig, code_offset

from .stream_driver import Stalls, drive

CONFIGS = [
    BitPlanesConfig(8, 3, 5),
    BitPlanesConfig(8, 4, 5, signed=True),
    BitPlanesConfig(1, 2, 4),
    BitPlanesConfig(2, 1, 3, signed=True),
    BitPlanesConfig(3, 16, 4),
]


def frames(config: BitPlanesConfig, seed: int = 0) -> tuple[list[int], list[int]]:
    """Random transfers of two frames, and their planes."""
    bits, lanes = config.element_bits, config.lanes
    lowest = -(1 << bits - 1) if config.signed else 0
    rng = np.random.default_rng(seed)
    elements = rng.integers(lowest, lowest + (1 << bits), (2 * config.transfers, lanes))
    inputs = [
        sum((int(x) % (1 << bits)) << (k * bits) for k, x in enumerate(row)) for row in elements
    ]
    planes = [
        sum(((int(x) - lowest) // 2**plane % 2) << k for k, x in enumerate(row))
        for row in elements
        for plane in range(bits)
    ]
    return inputs, planes


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_planes_come_lowest_first_at_the_documented_rate(config: BitPlanesConfig) -> None:
    inputs, planes = frames(config)
    run = drive(config.component(), inputs, n_outputs=len(planes))
    assert run.outputs == planes
    assert run.latency(0, 0) == config.latency_cycles
    assert run.intervals(config.outputs_per_frame) == [config.interval_cycles]
    assert len(inputs) == 2 * config.inputs_per_frame


@settings(max_examples=40, deadline=None)
@given(
    config=st.builds(
        BitPlanesConfig, st.integers(1, 9), st.integers(1, 5), st.integers(1, 4), st.booleans()
    ),
    seed=st.integers(0, 1000),
)
def test_stalls_change_nothing(config: BitPlanesConfig, seed: int) -> None:
    inputs, planes = frames(config, seed)
    run = drive(
        config.component(),
        inputs,
        n_outputs=len(planes),
        stalls=Stalls(seed),
        ready_after_valid=seed % 2 == 1,
    )
    assert run.outputs == planes


def test_a_reset_drops_the_planes_that_are_left() -> None:
    config = CONFIGS[0]
    inputs, planes = frames(config)
    assert drive(config.component(), inputs, n_outputs=len(planes), reset_after=3).outputs == planes


@settings(max_examples=60, deadline=None)
@given(
    bits=st.integers(1, 10),
    signed=st.booleans(),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 12)),
    seed=st.integers(0, 1000),
)
def test_matches_of_planes_are_the_sum_and_the_offset(
    bits: int, signed: bool, shape: tuple[int, int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.choice([-1, 1], shape)
    lowest = -(1 << bits - 1) if signed else 0
    x = rng.integers(lowest, lowest + (1 << bits), shape[1])
    counted = np.zeros(shape[0], np.int64)
    for plane in range(bits):
        ones = (x - lowest) // 2**plane % 2 == 1
        counted += 2**plane * (ones == (weights > 0)).sum(axis=1)
    assert np.array_equal(
        counted, weights.astype(np.int64) @ x + code_offset(weights, bits, signed)
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"element_bits": 0}, "Element bits must be at least 1, not 0"),
        ({"lanes": 0}, "Lanes must be at least 1, not 0"),
        ({"transfers": -1}, "Transfers must be at least 1, not -1"),
    ],
)
def test_bad_parameters_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(CONFIGS[0], **change)
