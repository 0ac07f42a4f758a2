"""`rbonn.hw.global_avg_pool`: sums, signs, rate."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.global_avg_pool import GlobalAvgPoolConfig

from .stream_driver import Stalls, drive

CONFIGS = [
    GlobalAvgPoolConfig(*row)
    for row in (
        (5, 2, 3, 2),  # one word a pixel: no memory
        (4, 4, 3, 2),  # two words a pixel
        (9, 6, 4, 2),
        (1, 4, 3, 2),  # one pixel
        (1, 2, 2, 2),
        (6, 5, 16, 1),
        (8, 3, 4, 1, False),
        (7, 4, 1, 2, False),  # bits
        (4, 6, 3, 2, True, "lut_ram"),
        (4, 4, 3, 1, True, "logic"),
    )
]


def frames(
    config: GlobalAvgPoolConfig, n_frames: int, seed: int = 0
) -> tuple[list[int], list[int]]:
    """Random input transfers of `n_frames` frames, both ends of the range among them, and the output transfers they must give."""
    rng = np.random.default_rng(seed)
    shape = (n_frames, config.pixels, config.channels)
    least = -(1 << config.element_bits - 1) if config.signed else 0
    images = rng.integers(least, least + (1 << config.element_bits), shape)
    images[0], images[1] = least, least + (1 << config.element_bits) - 1
    return (
        _pack(images, config.element_bits, config.lanes),
        _pack(images.sum(axis=1), config.output_bits, config.lanes),
    )


def _pack(elements: np.ndarray, bits: int, lanes: int) -> list[int]:
    return [
        sum(int(value) << (lane * bits) for lane, value in enumerate(group))
        for group in (elements & ((1 << bits) - 1)).reshape(-1, lanes)
    ]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_sums_come_in_order_at_the_documented_rate(config: GlobalAvgPoolConfig) -> None:
    inputs, expected = frames(config, n_frames=4)
    run = drive(config.component(), inputs, n_outputs=len(expected))
    assert run.outputs == expected
    assert run.input_cycles["i"] == list(range(len(inputs)))
    assert run.latency(0, 0) == config.latency_cycles
    assert run.intervals(config.outputs_per_frame) == [config.interval_cycles] * 3


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_stalls_change_nothing(config: GlobalAvgPoolConfig) -> None:
    for seed, names in enumerate((None, ("o",), ("i",))):
        inputs, expected = frames(config, n_frames=3, seed=seed)
        run = drive(
            config.component(),
            inputs,
            n_outputs=len(expected),
            stalls=Stalls(seed, names=names),
            ready_after_valid=seed == 1,
        )
        assert run.outputs == expected


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_a_reset_starts_a_frame(config: GlobalAvgPoolConfig) -> None:
    inputs, expected = frames(config, n_frames=2)
    for part in (2, 3):
        reset_after = -(-config.inputs_per_frame * (part - 1) // part)
        run = drive(config.component(), inputs, n_outputs=len(expected), reset_after=reset_after)
        assert run.outputs == expected


@settings(max_examples=60, deadline=None)
@given(
    pixels=st.integers(1, 20),
    groups=st.integers(1, 4),
    lanes=st.integers(1, 3),
    bits=st.integers(1, 5),
    signed=st.booleans(),
    memory=st.sampled_from(("lut_ram", "block", "logic")),
    seed=st.integers(0, 1000),
    stalled=st.booleans(),
)
def test_any_pool_is_the_sum_with_and_without_stalls(
    pixels: int, groups: int, lanes: int, bits: int, signed: bool, memory: str, seed: int, stalled: bool,
) -> None:  # fmt: skip
    config = GlobalAvgPoolConfig(
        pixels, groups * lanes, bits, lanes, signed=signed and bits > 1, memory=memory
    )
    inputs, expected = frames(config, n_frames=3, seed=seed)
    stalls = Stalls(seed) if stalled else None
    run = drive(config.component(), inputs, n_outputs=len(expected), stalls=stalls)
    assert run.outputs == expected
    if not stalled:
        assert run.intervals(config.outputs_per_frame) == [config.interval_cycles] * 2


def test_a_sum_has_the_bits_that_its_pixels_may_need() -> None:
    bits = {n: GlobalAvgPoolConfig(n, 1, 16, 1).output_bits for n in (1, 2, 3, 49, 64, 65)}
    assert bits == {1: 16, 2: 17, 3: 18, 49: 22, 64: 22, 65: 23}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pixels": 0}, "Pixels must be at least 1, not 0"),
        ({"channels": 0}, "Channels must be at least 1, not 0"),
        ({"element_bits": 0}, "Element bits must be at least 1, not 0"),
        ({"lanes": 0}, "Lanes must be at least 1, not 0"),
        ({"lanes": 3}, "Lanes must divide channels=4, not 3"),
        ({"element_bits": 1}, "Element bits must be at least 2 for signed elements, not 1"),
        ({"memory": "ram"}, "Memory must be 'block', 'lut_ram' or 'logic', not 'ram'"),
    ],
)
def test_bad_parameters_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        dataclasses.replace(GlobalAvgPoolConfig(4, 4, 8, 2), **change)
