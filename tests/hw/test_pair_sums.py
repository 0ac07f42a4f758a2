"""`rbonn.hw.pair_sums`: sums and differences of pairs, the lane without a partner, rate."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.pair_sums import PairSumsConfig

from .stream_driver import Stalls, drive

CONFIGS = [
    PairSumsConfig(8, 2, 5),
    PairSumsConfig(8, 3, 5, signed=True),
    PairSumsConfig(8, 1, 5),
    PairSumsConfig(1, 4, 3),
    PairSumsConfig(4, 9, 4, signed=True),
]


def frames(config: PairSumsConfig, seed: int = 0) -> tuple[list[int], list[int]]:
    """Random transfers of two frames, and their sums."""
    bits, lanes = config.element_bits, config.lanes
    lowest = -(1 << bits - 1) if config.signed else 0
    rng = np.random.default_rng(seed)
    elements = rng.integers(lowest, lowest + (1 << bits), (2 * config.transfers, lanes))
    inputs, outputs = [], []
    for row in elements.tolist():
        inputs.append(sum((x % (1 << bits)) << (k * bits) for k, x in enumerate(row)))
        codes, word, at = [x - lowest for x in row], 0, 0
        for k in range(0, lanes - 1, 2):
            # x0 + ~x1 is the difference, moved so that it starts at 0; its lowest bit is not sent
            total, difference = codes[k] + codes[k + 1], codes[k] - codes[k + 1] + 2**bits - 1
            word |= (total | difference // 2 << (bits + 1)) << at
            at += 2 * bits + 1
        outputs.append(word | codes[-1] << at if lanes % 2 else word)
    return inputs, outputs


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_sums_and_differences_come_at_the_documented_rate(config: PairSumsConfig) -> None:
    inputs, sums = frames(config)
    run = drive(config.component(), inputs, n_outputs=len(sums))
    assert run.outputs == sums
    assert run.latency(0, 0) == config.latency_cycles
    assert run.intervals(config.outputs_per_frame) == [config.interval_cycles]
    assert len(inputs) == 2 * config.inputs_per_frame
    assert max(sums) < 1 << config.output_width


@settings(max_examples=30, deadline=None)
@given(
    config=st.builds(
        PairSumsConfig, st.integers(1, 9), st.integers(1, 6), st.integers(1, 6), st.booleans()
    ),
    seed=st.integers(0, 1000),
)
def test_stalls_change_nothing(config: PairSumsConfig, seed: int) -> None:
    inputs, sums = frames(config, seed)
    run = drive(
        config.component(),
        inputs,
        n_outputs=len(sums),
        stalls=Stalls(seed),
        ready_after_valid=seed % 2 == 1,
    )
    assert run.outputs == sums


def test_a_reset_drops_what_is_held() -> None:
    config = CONFIGS[1]
    inputs, sums = frames(config)
    assert drive(config.component(), inputs, n_outputs=len(sums), reset_after=3).outputs == sums


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"element_bits": 0}, "Element bits must be at least 1, not 0"),
        ({"lanes": 0}, "Lanes must be at least 1, not 0"),
        ({"transfers": 0}, "Transfers must be at least 1, not 0"),
    ],
)
def test_bad_parameters_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(CONFIGS[0], **change)
