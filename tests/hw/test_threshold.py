"""`rbonn.hw.threshold`: every value around every threshold, channels in groups, rate."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.threshold import ThresholdConfig

from .stream_driver import Stalls, drive

CONFIGS = [
    ThresholdConfig(*row)
    for row in (
        (8, (128,), 1, 12),  # one constant for raw pixels
        (8, (1, 1, 1), 3, 4),
        (3, (0, 8, 4, 9), 4, 8),  # never and always
        (3, (-4, 3, 4, -5, 0, -1), 2, 8, True),
        (4, (3, 3, 9, 9), 2, 6),
        (2, (1, 2, 3), 1, 5),
        (3, (12, 2, -3, 5), 1, 20),  # out of range, in a table
        (1, (1, 0), 1, 5),
        (1, (0, -1), 2, 5, True),
        (11, (-1024, 1023, 1024, 5), 2, 5, True),
    )
]


def frames(config: ThresholdConfig, n_frames: int, seed: int = 0) -> tuple[list[int], list[int]]:
    """Input transfers, half of the values close to the thresholds, and the output transfers they must give."""
    rng = np.random.default_rng(seed)
    lowest = -(1 << config.input_bits - 1) if config.signed else 0
    highest = lowest + (1 << config.input_bits) - 1
    thresholds = np.array(config.thresholds)
    shape = (n_frames * config.pixels, config.channels)
    near = np.clip(thresholds + rng.integers(-2, 3, shape), lowest, highest)
    anywhere = rng.integers(lowest, highest + 1, shape)
    values = np.where(rng.random(shape) < 0.5, near, anywhere)
    codes = values & ((1 << config.input_bits) - 1)
    return (
        _pack(codes, config.input_bits, config),
        _pack((values >= thresholds).astype(int), 1, config),
    )


def _pack(elements: np.ndarray, bits: int, config: ThresholdConfig) -> list[int]:
    return [
        sum(int(value) << (lane * bits) for lane, value in enumerate(group))
        for group in elements.reshape(-1, config.lanes)
    ]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_bits_come_in_order_at_the_documented_rate(config: ThresholdConfig) -> None:
    inputs, expected = frames(config, n_frames=3)
    run = drive(config.component(), inputs, n_outputs=len(expected))
    assert run.outputs == expected
    assert {run.latency(k, k) for k in range(len(inputs))} == {config.latency_cycles}
    assert run.intervals(config.outputs_per_frame) == [config.interval_cycles] * 2
    stalled = drive(
        config.component(),
        inputs,
        n_outputs=len(expected),
        stalls=Stalls(1),
        ready_after_valid=True,
    )
    assert stalled.outputs == expected


def test_every_pixel_value_is_compared_exactly() -> None:
    for threshold in (0, 1, 127, 128, 200, 255, 256):
        config = ThresholdConfig(8, (threshold,), 1, 256)
        run = drive(config.component(), list(range(256)), n_outputs=256)
        assert run.outputs == [int(value >= threshold) for value in range(256)]


def test_a_reset_starts_with_the_first_channel() -> None:
    config = ThresholdConfig(2, (0, 1, 2, 3), 1, 2)
    inputs = [1, 1, 1, 1, 2, 2, 2, 2]
    run = drive(config.component(), inputs, n_outputs=8, reset_after=3)
    assert run.outputs == [1, 1, 0, 0, 1, 1, 1, 0]


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_thresholds_agree_with_numpy_under_stalls(data: st.DataObject) -> None:
    bits, lanes = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 3))
    channels = lanes * data.draw(st.integers(1, 4))
    limits = st.integers(-(1 << bits) - 1, (1 << bits) + 1)
    thresholds = data.draw(st.lists(limits, min_size=channels, max_size=channels))
    config = ThresholdConfig(bits, tuple(thresholds), lanes, 3, data.draw(st.booleans()))
    seed = data.draw(st.integers(0, 1000))
    inputs, expected = frames(config, n_frames=3, seed=seed)
    run = drive(config.component(), inputs, n_outputs=len(expected), stalls=Stalls(seed))
    assert run.outputs == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_bits": 0}, "Input bits must be at least 1, not 0"),
        ({"pixels": 0}, "Pixels must be at least 1, not 0"),
        ({"lanes": 0}, "Lanes must be at least 1, not 0"),
        ({"lanes": 2}, "Lanes must divide channels=3, not 2"),
        ({"thresholds": ()}, r"Thresholds must be at least one, not \(\)"),
    ],
)
def test_bad_parameters_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        dataclasses.replace(ThresholdConfig(8, (1, 2, 3), 1, 4), **change)
