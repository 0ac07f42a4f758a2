"""`rbonn.hw.fifo`: order, exact capacity, latency, throughput."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.fifo import FifoConfig

from .stream_driver import Stalls, capacity, drive

DEPTHS = [0, 1, 2, 3, 4, 5, 8, 9]


def items(n: int, width: int = 8) -> list[int]:
    rng = random.Random(n)
    return [rng.getrandbits(width) for _ in range(n)]


@pytest.mark.parametrize("depth", DEPTHS)
def test_it_takes_and_gives_one_transfer_per_cycle_after_its_latency(depth: int) -> None:
    config = FifoConfig(width=8, depth=depth, transfers_per_frame=10)
    run = drive(config.component(), items(30), n_outputs=30)
    assert run.outputs == items(30)
    assert run.input_cycles["i"] == list(range(30))
    assert {run.latency(k, k) for k in range(30)} == {config.latency_cycles}
    assert run.intervals(10) == [config.interval_cycles] * 2


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("ready_after_valid", [False, True])
def test_stalls_on_both_sides_neither_lose_nor_repeat(depth: int, ready_after_valid: bool) -> None:
    for seed in range(3):
        run = drive(
            FifoConfig(width=8, depth=depth).component(),
            items(60),
            n_outputs=60,
            stalls=Stalls(seed),
            ready_after_valid=ready_after_valid,
        )
        assert run.outputs == items(60)


@pytest.mark.parametrize("depth", DEPTHS)
def test_it_holds_exactly_its_depth(depth: int) -> None:
    assert capacity(FifoConfig(width=8, depth=depth).component(), items(30)) == depth


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_a_reset_empties_it(depth: int) -> None:
    run = drive(
        FifoConfig(width=8, depth=depth).component(),
        items(20),
        n_outputs=20,
        stalls=Stalls(4, longest_wait=9, names=("o",)),
        reset_after=depth,
    )
    assert run.outputs == items(20)


@settings(max_examples=15, deadline=None)
@given(
    width=st.integers(1, 40),
    depth=st.integers(0, 12),
    seed=st.integers(0, 1000),
    memory=st.sampled_from(["block", "logic"]),
)
def test_any_width_and_depth_passes_on_what_it_got(
    width: int, depth: int, seed: int, memory: str
) -> None:
    sent = items(40, width)
    config = FifoConfig(width=width, depth=depth, memory=memory)
    assert drive(config.component(), sent, n_outputs=40, stalls=Stalls(seed)).outputs == sent


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"width": 0, "depth": 2}, "Width must be at least 1, not 0"),
        ({"width": 8, "depth": -1}, "Depth must be at least 0, not -1"),
        (
            {"width": 8, "depth": 2, "transfers_per_frame": 0},
            "Transfers per frame must be at least 1, not 0",
        ),
        (
            {"width": 8, "depth": 2, "memory": "ram"},
            "Memory must be 'block' or 'logic', not 'ram'",
        ),
    ],
)
def test_bad_parameters_are_refused(parameters: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        FifoConfig(**parameters)
