"""`rbonn.hw.max_pool`: squares, rests, signs, rate."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.max_pool import MaxPoolConfig

from .stream_driver import Stalls, drive

CONFIGS = [
    MaxPoolConfig(*row)
    for row in (
        (4, 4, 2, 1, 2, 2),  # one word a pixel: the word is needed again at once
        (4, 6, 4, 1, 2, 2),  # two words a pixel
        (4, 4, 6, 1, 2, 2),
        (5, 5, 2, 1, 2, 2),  # a rest on both sides
        (5, 4, 2, 1, 1, 2),
        (4, 7, 2, 1, 1, 3),
        (2, 2, 1, 1, 1, 2),  # one square of one word: no memory
        (2, 3, 1, 1, 1, 2),
        (3, 2, 4, 1, 2, 2),  # one square of two words
        (6, 6, 2, 1, 1, 3),
        (3, 4, 2, 1, 1, 1),  # size 1
        (1, 1, 1, 1, 1, 1),
        (4, 4, 2, 3, 2, 2),  # unsigned elements
        (4, 4, 4, 3, 2, 2, True),  # signed elements
        (5, 7, 2, 4, 2, 2, True),
        (4, 6, 2, 2, 1, 2, False, "logic"),
    )
]


def frames(config: MaxPoolConfig, n_frames: int, seed: int = 0) -> tuple[list[int], list[int]]:
    """Random input transfers of `n_frames` frames and the output transfers they must give."""
    rng = np.random.default_rng(seed)
    shape = (n_frames, config.height, config.width, config.channels)
    # Mostly zeros, so that an OR does not hide which bits it took.
    images = rng.integers(0, 1 << config.element_bits, shape) * (rng.random(shape) < 0.4)
    if config.signed:
        images -= (images >> config.element_bits - 1) << config.element_bits
    size = config.size
    squares = images[:, : config.height // size * size, : config.width // size * size].reshape(
        n_frames, config.out_height, size, config.out_width, size, config.channels
    )
    return _pack(images, config), _pack(squares.max(axis=(2, 4)), config)


def _pack(elements: np.ndarray, config: MaxPoolConfig) -> list[int]:
    codes = elements & ((1 << config.element_bits) - 1)
    return [
        sum(int(value) << (lane * config.element_bits) for lane, value in enumerate(group))
        for group in codes.reshape(-1, config.lanes)
    ]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_squares_come_in_order_at_the_documented_rate(config: MaxPoolConfig) -> None:
    inputs, expected = frames(config, n_frames=4)
    run = drive(config.component(), inputs, n_outputs=len(expected))
    assert run.outputs == expected
    assert run.input_cycles["i"] == list(range(len(inputs)))
    assert run.latency(0, 0) == config.latency_cycles
    assert run.intervals(config.outputs_per_frame) == [config.interval_cycles] * 3


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_stalls_change_nothing(config: MaxPoolConfig) -> None:
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
def test_a_reset_starts_a_frame(config: MaxPoolConfig) -> None:
    inputs, expected = frames(config, n_frames=1)
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
def test_any_pool_is_the_maximum_with_and_without_stalls(
    height: int, width: int, groups: int, lanes: int, size: int, bits: int, signed: bool, seed: int, stalled: bool,
) -> None:  # fmt: skip
    config = MaxPoolConfig(
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


def test_one_word_a_row_needs_no_memory() -> None:
    assert MaxPoolConfig(2, 3, 4, 1, 4, 2).memory_shape == (0, 4)
    assert MaxPoolConfig(14, 14, 16, 1, 16, 2).memory_shape == (7, 16)
    assert MaxPoolConfig(14, 14, 16, 1, 4, 2).memory_shape == (28, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "Width must be at least 1, not 0"),
        ({"element_bits": 0}, "Element bits must be at least 1, not 0"),
        ({"lanes": 3}, "Lanes must divide channels=4, not 3"),
        ({"size": 0}, "Size must be 1 to 4 for a 4 x 6 image, not 0"),
        ({"size": 5}, "Size must be 1 to 4 for a 4 x 6 image, not 5"),
        ({"signed": True}, "Element bits must be at least 2 for signed elements, not 1"),
        ({"memory": "ram"}, "Memory must be 'block', 'lut_ram' or 'logic', not 'ram'"),
    ],
)
def test_bad_parameters_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        dataclasses.replace(MaxPoolConfig(4, 6, 4, 1, 2, 2), **change)
