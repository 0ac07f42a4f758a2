"""`rbonn.hw.prelu`: every rounding of negative integers, slopes of any kind, rate and latency."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.prelu import PReLUConfig

from .affine_case import packed
from .stream_driver import Stalls, drive

CONFIGS: dict[str, PReLUConfig] = {
    "powers of two": PReLUConfig(16, (2048, 4096, 8192, 1024, 512, 2048), 14, 2, 6),
    "one power": PReLUConfig(16, (4096,) * 4, 14, 2, 6),
    "different lanes": PReLUConfig(12, (1, 16, 2, 16, 4, 16, 1, 16), 5, 2, 6),
    "powers of both signs": PReLUConfig(10, (8, -4, 0, 2, -1, -2), 4, 1, 6),
    "negative only": PReLUConfig(10, (-8, -4), 4, 1, 6),
    "zero only": PReLUConfig(10, (0, 0), 4, 1, 6),
    "steep powers": PReLUConfig(7, (32, -16, 8, -8, 64, 1), 3, 3, 6),
    "all passes": PReLUConfig(7, (8, 8), 3, 1, 6),
    "shifted away": PReLUConfig(6, (1, 2, -1, 64), 12, 1, 8),
    "two groups": PReLUConfig(8, (4, 2), 3, 1, 6),
    "one group": PReLUConfig(8, (4, 2, 1), 3, 3, 6),
    "joined ready": PReLUConfig(8, (4, 2, 1), 3, 1, 6, output_places=0),
    "free slopes": PReLUConfig(16, (3000, 5000, -77, 16000, 1, 9), 14, 2, 6),
    "free slopes, steep": PReLUConfig(9, (300, -500, 77, 256), 7, 2, 6),
    "free slopes, steep above only": PReLUConfig(9, (-100, 7, 77, -128), 7, 2, 6),
    "free slopes, no shift": PReLUConfig(6, (3, -1, 0, 5), 0, 2, 6),
    "free slopes, common zeros": PReLUConfig(9, (48, 16, 80, -16), 6, 1, 6),
    "free slopes, logic": PReLUConfig(9, (37, 12, 80, -16), 6, 1, 6, multiplier="logic"),
    "free slopes, joined ready": PReLUConfig(9, (37, 12, 80), 6, 1, 6, output_places=0),
}


def prelu(x: np.ndarray, config: PReLUConfig) -> np.ndarray:
    """The layer by its formula, in int64: x and result (pixels, channels)."""
    half = (1 << config.shift - 1) if config.shift else 0
    end = 1 << config.element_bits - 1
    negative = np.clip(
        (x * np.array(config.slopes, np.int64) + half) >> config.shift, -end, end - 1
    )
    return np.where(x >= 0, x, negative)


def streams(config: PReLUConfig, x: np.ndarray) -> tuple[list[int], list[int]]:
    shape = config.element_bits, config.lanes
    return packed(x, *shape), packed(prelu(x, config), *shape)


def random_streams(config: PReLUConfig, n_frames: int = 3, seed: int = 0) -> tuple[list[int], list[int]]:  # fmt: skip
    """Half of the inputs are small or at an end, where rounding and saturation show."""
    rng = np.random.default_rng(seed)
    shape = (n_frames * config.pixels, config.channels)
    end = 1 << config.element_bits - 1
    anywhere = rng.integers(-end, end, shape)
    chosen = rng.choice(np.clip([-end, 1 - end, -3, -2, -1, 0, 1, end - 1], -end, end - 1), shape)
    return streams(config, np.where(rng.random(shape) < 0.5, chosen, anywhere))


@pytest.mark.parametrize("name", CONFIGS)
def test_results_come_in_order_at_the_documented_rate(name: str) -> None:
    config = CONFIGS[name]
    inputs, expected = random_streams(config)
    run = drive(config.component(), inputs, n_outputs=len(expected))
    assert run.outputs == expected
    assert {run.latency(k, k) for k in range(len(inputs))} == {config.latency_cycles}
    assert run.intervals(config.outputs_per_frame) == [config.interval_cycles] * 2


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("late", [False, True])
def test_stalls_on_both_sides_change_nothing(name: str, late: bool) -> None:
    config = CONFIGS[name]
    inputs, expected = random_streams(config, seed=1)
    run = drive(
        config.component(), inputs, n_outputs=len(expected), stalls=Stalls(2), ready_after_valid=late
    )  # fmt: skip
    assert run.outputs == expected


@pytest.mark.parametrize("name", CONFIGS)
def test_only_free_slopes_need_multipliers(name: str) -> None:
    config = CONFIGS[name]
    is_free = "free slopes" in name
    assert config.is_multiplier_free != is_free
    assert config.n_multipliers == (
        config.lanes if is_free and config.multiplier == "inferred" else 0
    )


@pytest.mark.parametrize("shift", range(6))
@pytest.mark.parametrize("slope", [*(sign << k for k in range(6) for sign in (1, -1)), 0, 3, -5])
def test_every_integer_of_six_bits_is_rounded_exactly(slope: int, shift: int) -> None:
    config = PReLUConfig(6, (slope, 1), shift, 2, 64)
    x = np.arange(-32, 32)[:, None] * np.array([1, -1])
    inputs, expected = streams(config, np.clip(x, -32, 31))
    run = drive(config.component(), inputs, n_outputs=len(expected))
    assert run.outputs == expected


def test_ties_are_rounded_towards_plus_infinity_and_positive_integers_pass() -> None:
    config = PReLUConfig(6, (1,), 1, 1, 4)
    run = drive(config.component(), [63, 61, 31, 1], n_outputs=4)
    assert run.outputs == [0, 63, 31, 1]


def test_the_opposite_of_the_lowest_integer_saturates() -> None:
    config = PReLUConfig(6, (-2, 4), 1, 1, 2)
    run = drive(config.component(), [32, 32, 33, 63], n_outputs=4)
    assert run.outputs == [31, 32, 31, 62]


@pytest.mark.parametrize("reset_after", [1, 2, 3, 7])
@pytest.mark.parametrize("name", ["powers of two", "two groups", "free slopes", "joined ready"])
def test_a_reset_starts_with_the_first_channel(name: str, reset_after: int) -> None:
    config = CONFIGS[name]
    inputs, expected = random_streams(config, seed=2)
    run = drive(
        config.component(), inputs, n_outputs=len(expected), reset_after=reset_after, stalls=Stalls(3)
    )  # fmt: skip
    assert run.outputs == expected


def any_slopes(draw: Any, channels: int) -> tuple[int, ...]:
    powers = st.tuples(st.sampled_from([1, -1, 0]), st.integers(0, 14)).map(lambda p: p[0] << p[1])
    free = st.integers(-(2**15), 2**15 - 1)
    one = draw(st.sampled_from([powers, free]))
    return tuple(draw(st.lists(one, min_size=channels, max_size=channels)))


@settings(max_examples=60)
@given(data=st.data())
def test_any_slopes_agree_with_numpy_under_stalls(data: st.DataObject) -> None:
    lanes = data.draw(st.integers(1, 3))
    config = PReLUConfig(
        data.draw(st.integers(2, 18)),
        any_slopes(data.draw, lanes * data.draw(st.integers(1, 4))),
        data.draw(st.integers(0, 20)),
        lanes,
        3,
        data.draw(st.sampled_from(["inferred", "logic"])),
        data.draw(st.sampled_from([0, 2])),
    )
    seed = data.draw(st.integers(0, 1000))
    inputs, expected = random_streams(config, n_frames=2, seed=seed)
    stalls = Stalls(seed) if data.draw(st.booleans()) else None
    run = drive(config.component(), inputs, n_outputs=len(expected), stalls=stalls)
    assert run.outputs == expected
    if stalls is None:
        assert run.latency(0, 0) == config.latency_cycles
        assert run.intervals(config.outputs_per_frame) == [config.interval_cycles]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"element_bits": 1}, "Element bits must be at least 2, not 1"),
        ({"lanes": 0}, "Lanes must be at least 1, not 0"),
        ({"lanes": 2}, "Lanes must divide channels=3, not 2"),
        ({"pixels": 0}, "Pixels must be at least 1, not 0"),
        ({"slopes": ()}, r"Slopes must be at least one, not \(\)"),
        ({"slopes": (1, 32768, 0)}, "Slopes must have at most 16 bits, not 32768"),
        ({"shift": -1}, "Shift must be 0 to 31, not -1"),
        ({"shift": 32}, "Shift must be 0 to 31, not 32"),
        ({"multiplier": "dsp", "slopes": (4, 1, 2)}, r"Multiplier must be one of \('inferred', .*\), not 'dsp'"),
        ({"output_places": 1}, "Output places must be 0 or 2, not 1"),
        ({"multiplier": "ice40", "shift": 15}, "Operands of 'ice40' must have at most 16 and 16 bits, not 8 and 17"),
        ({"multiplier": "ecp5", "shift": 17}, "Operands of 'ecp5' must have at most 35 and 18 bits, not 8 and 19"),
    ],
)  # fmt: skip
def test_bad_parameters_are_refused(change: dict, message: str) -> None:
    config = PReLUConfig(8, (4, 5, 6), 3, 1)
    with pytest.raises(ValueError, match=f"^{message}$"):
        dataclasses.replace(config, **change)
