"""`rbonn.hw.avg_pool`: squares, rests, signs, rate."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.avg_pool import AvgPoolConfig

from .stream_driver import Stalls, drive

CONFIGS = [
    AvgPoolConfig(*row)
    for row in (
        (4, 4, 2, 3, 2, 2),  # one word a pixel: the word is needed again at once
        (4, 6, 4, 4, 2, 2),  # two words a pixel
        (4, 4, 6, 2, 2, 2),
        (5, 5, 2, 3, 2, 2),  # a rest on both sides
        (4, 7, 2, 3, 1, 3),  # nine pixels
        (2, 2, 1, 5, 1, 2),  # one square of one word: no memory
        (3, 2, 4, 3, 2, 2),  # one square of two words
        (2, 3, 6, 3, 2, 2),  # of three words
        (3, 6, 2, 3, 2, 3),  # two squares of one word
        (3, 4, 2, 3, 1, 1),  # size 1
        (1, 1, 1, 2, 1, 1),
        (4, 4, 2, 3, 2, 2, False),  # unsigned elements
        (4, 4, 2, 1, 1, 2, False),  # bits
        (4, 6, 2, 16, 1, 2, True, "logic"),
        (6, 4, 4, 16, 2, 2, True, "lut_ram"),
    )
]


def frames(config: AvgPoolConfig, n_frames: int, seed: int = 0) -> tuple[list[int], list[int]]:
    """Random input transfers of `n_frames` frames, the ends of the range among them, and the output transfers they must give."""
    rng = np.random.default_rng(seed)
    shape = (n_frames, config.height, config.width, config.channels)
    least = -(1 << config.element_bits - 1) if config.signed else 0
    images = rng.integers(least, least + (1 << config.element_bits), shape)
    images[0], images[1] = least, least + (1 << config.element_bits) - 1
    size = config.size
    squares = images[:, : config.height // size * size, : config.width // size * size].reshape(
        n_frames, config.out_height, size, config.out_width, size, config.channels
    )
    sums = squares.sum(axis=(2, 4))
    return _pack(images, config.element_bits, config.lanes), _pack(
        sums, config.output_bits, config.lanes
    )


def _pack(elements: np.ndarray, bits: int, lanes: int) -> list[int]:
    return [
        sum(int(value) << (lane * bits) for lane, value in enumerate(group))
        for group in (elements & ((1 << bits) - 1)).reshape(-1, lanes)
    ]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_squares_come_in_order_at_the_documented_rate(config: AvgPoolConfig) -> None:
    inputs, expected = frames(config, n_frames=4)
    run = drive(config.component(), inputs, n_outputs=len(expected))
    assert run.outputs == expected
    assert run.input_cycles["i"] == list(range(len(inputs)))
    assert run.latency(0, 0) == config.latency_cycles
    assert run.intervals(config.outputs_per_frame) == [config.interval_cycles] * 3


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_stalls_change_nothing(config: AvgPoolConfig) -> None:
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
def test_a_reset_starts_a_frame(config: AvgPoolConfig) -> None:
    inputs, expected = frames(config, n_frames=2)
    for part in (2, 3):
        reset_after = -(-config.inputs_per_frame * (part - 1) // part)
        run = drive(config.component(), inputs, n_outputs=len(expected), reset_after=reset_after)
        assert run.outputs == expected


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    groups=st.integers(1, 3),
    lanes=st.integers(1, 3),
    size=st.integers(1, 4),
    bits=st.integers(1, 3),
    signed=st.booleans(),
    seed=st.integers(0, 1000),
    stalled=st.booleans(),
)
def test_any_pool_is_the_sum_with_and_without_stalls(
    height: int, width: int, groups: int, lanes: int, size: int, bits: int, signed: bool, seed: int, stalled: bool,
) -> None:  # fmt: skip
    config = AvgPoolConfig(
        height,
        width,
        groups * lanes,
        bits,
        lanes,
        min(size, height, width),
        signed=signed and bits > 1,
    )
    inputs, expected = frames(config, n_frames=3, seed=seed)
    stalls = Stalls(seed) if stalled else None
    run = drive(config.component(), inputs, n_outputs=len(expected), stalls=stalls)
    assert run.outputs == expected
    if not stalled:
        assert run.intervals(config.outputs_per_frame) == [config.interval_cycles] * 2


def test_a_sum_has_the_bits_that_its_pixels_may_need() -> None:
    bits = {size: AvgPoolConfig(6, 6, 1, 16, 1, size).output_bits for size in (1, 2, 3, 4, 5, 6)}
    assert bits == {1: 16, 2: 18, 3: 20, 4: 20, 5: 21, 6: 22}


def test_the_shortcut_of_a_residual_network_keeps_a_row_of_sums() -> None:
    shortcut = AvgPoolConfig(32, 32, 16, 16, 4, 2)
    assert shortcut.memory_shape == (16 * 4, 4 * 18)
    assert shortcut.interval_cycles == 32 * 32 * 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "Width must be at least 1, not 0"),
        ({"element_bits": 0}, "Element bits must be at least 1, not 0"),
        ({"lanes": 3}, "Lanes must divide channels=4, not 3"),
        ({"size": 0}, "Size must be 1 to 4 for a 4 x 6 image, not 0"),
        ({"size": 5}, "Size must be 1 to 4 for a 4 x 6 image, not 5"),
        ({"element_bits": 1}, "Element bits must be at least 2 for signed elements, not 1"),
        ({"memory": "ram"}, "Memory must be 'block', 'lut_ram' or 'logic', not 'ram'"),
    ],
)
def test_bad_parameters_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        dataclasses.replace(AvgPoolConfig(4, 6, 4, 8, 2, 2), **change)
