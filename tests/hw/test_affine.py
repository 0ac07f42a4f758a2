"""`rbonn.hw.affine`: every rounding, both ends of saturation, every way to multiply, rate and latency."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.affine import AffineConfig
from rbonn.hw.shift_add import ShiftAddConfig

from .affine_case import affine, all_inputs, random_constants, streams
from .stream_driver import Stalls, drive

FREE = random_constants(1, 8, 16, 24)

CONFIGS: dict[str, AffineConfig] = {
    "free multipliers": AffineConfig(10, *FREE, 12, 16, 2, 4),
    "saturating": AffineConfig(10, *FREE, 9, 8, 2, 4),
    "saturating above only": AffineConfig(6, (3, 211), (40000, 40000), 4, 10, 1, 8, signed=False),
    "logic": AffineConfig(10, *FREE, 12, 16, 2, 4, multiplier="logic"),
    "logic, narrow x": AffineConfig(3, *FREE, 12, 16, 2, 4, multiplier="logic"),
    "logic, one bit": AffineConfig(1, *FREE, 12, 16, 4, 4, signed=False, multiplier="logic"),
    "block memory": AffineConfig(10, *FREE, 12, 16, 2, 4, memory="block"),
    "block memory, slow": AffineConfig(10, *FREE, 12, 16, 1, 4, memory="block", read_latency=2),
    "joined ready": AffineConfig(10, *FREE, 12, 16, 2, 4, output_places=0),
    "unsigned": AffineConfig(8, *FREE, 14, 8, 4, 4, signed=False, output_signed=False),
    "no shift": AffineConfig(4, (5, -3, 9, 1), (7, -100, 0, 30), 0, 7, 1, 4),
    "one group": AffineConfig(9, *FREE, 12, 16, 8, 6),
    "one channel": AffineConfig(9, (300,), (1234,), 8, 16, 1, 6),
    "given range": AffineConfig(11, *FREE, 12, 16, 2, 4, lowest=-145, highest=144),
    "powers of two": AffineConfig(9, (4, 16, 1, 64), (5, -900, 77, 0), 3, 10, 2, 6),
    "powers of both signs": AffineConfig(9, (4, -16, 0, -64, 1, 2), (5, -900, 77, 0, 13, -1), 3, 8, 2, 6),
    "negative powers": AffineConfig(9, (-4, -16, -4, -8), (5, -900, 77, 0), 3, 10, 2, 6),
    "many powers": AffineConfig(8, (1, -2, 4, 8, 16, -32, 64, 0), FREE[1], 6, 16, 1, 6),
    "powers, block memory": AffineConfig(9, (4, 16, -1, 64), FREE[1][:4], 3, 10, 1, 6, memory="block", read_latency=2),
    "all equal": AffineConfig(9, (7,) * 4, (5, -900, 77, 0), 3, 10, 2, 6),
    "all equal, logic": AffineConfig(9, (-23333,) * 4, (5, -900, 77, 0), 14, 10, 2, 6, multiplier="logic"),
    "average of four": AffineConfig(18, (1,) * 4, (0,) * 4, 2, 16, 2, 6),
    "no multiplier but 0": AffineConfig(9, (0,) * 4, (5, -900, 77, 0), 3, 10, 2, 6),
    "many groups": AffineConfig(9, *random_constants(7, 20, 16, 24), 12, 16, 1, 2),
    "many groups, one constant": AffineConfig(18, (1,) * 20, (0,) * 20, 2, 16, 1, 2, memory="block"),
    "many groups, powers": AffineConfig(9, (2, -4, 8, 1, 16) * 4, tuple(range(-99, 101, 10)), 3, 16, 1, 2),
    "odd number of groups": AffineConfig(9, FREE[0][:3], FREE[1][:3], 12, 16, 1, 6),
}  # fmt: skip

FREE_OF_MULTIPLIERS = {
    "powers of two", "powers of both signs", "negative powers", "many powers", "powers, block memory", "all equal", "all equal, logic",
    "average of four", "no multiplier but 0", "many groups, powers", "many groups, one constant",
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_results_come_in_order_at_the_documented_rate(name: str) -> None:
    config = CONFIGS[name]
    inputs, expected = streams(config)
    run = drive(config.component(), inputs, n_outputs=len(expected))
    assert run.outputs == expected
    assert {run.latency(k, k) for k in range(len(inputs))} == {config.latency_cycles}
    assert run.intervals(config.outputs_per_frame) == [config.interval_cycles] * 2


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("late", [False, True])
def test_stalls_on_both_sides_change_nothing(name: str, late: bool) -> None:
    config = CONFIGS[name]
    inputs, expected = streams(config, seed=1)
    for seed in range(2):
        run = drive(
            config.component(), inputs, n_outputs=len(expected), stalls=Stalls(seed), ready_after_valid=late
        )  # fmt: skip
        assert run.outputs == expected


@pytest.mark.parametrize("name", CONFIGS)
def test_only_constants_of_one_odd_factor_do_without_multipliers(name: str) -> None:
    config = CONFIGS[name]
    assert config.is_multiplier_free == (name in FREE_OF_MULTIPLIERS)
    assert isinstance(config.product, ShiftAddConfig) == config.is_multiplier_free
    is_logic = config.multiplier == "logic"
    assert config.n_multipliers == (0 if config.is_multiplier_free or is_logic else config.lanes)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"shift": 7},
        {"output_bits": 6},
        {"multiplier": "logic"},
        {"output_signed": False},
        {"signed": False},
        {"multipliers": (-8, 2, 0, 16), "shift": 5},
        {"multipliers": (-96, 12, 0, 3), "shift": 5},
        {"multipliers": (-96, 12, 0, 3), "shift": 5, "output_bits": 7},
    ],
)
def test_every_input_is_rounded_exactly(change: dict) -> None:
    """Half of the sums of these constants tie, or are next to a tie."""
    config = AffineConfig(8, (208, -112, 16, -3), (16, 47, -8, 8), 5, 14, 2, 256)
    config = dataclasses.replace(config, **change)
    inputs, expected = all_inputs(config)
    run = drive(config.component(), inputs, n_outputs=len(expected))
    assert run.outputs == expected


def test_ties_are_rounded_towards_plus_infinity() -> None:
    config = AffineConfig(6, (5,), (0,), 1, 8, 1, 4)
    run = drive(config.component(), [1, 3, 63, 61], n_outputs=4)
    assert run.outputs == [3, 8, 256 - 2, 256 - 7]


def test_results_saturate_at_both_ends() -> None:
    config = AffineConfig(8, (100, -100), (0, 0), 0, 8, 1, 3)
    run = drive(config.component(), [1, 1, 2, 2, 254, 254], n_outputs=6)
    assert run.outputs == [100, 156, 127, 128, 128, 127]
    assert config.saturates


def test_saturation_is_left_out_where_no_input_needs_it() -> None:
    config = AffineConfig(10, (100, -101), (0, 0), 0, 16, 1)
    assert config.saturates
    narrow = dataclasses.replace(config, lowest=-300, highest=300)
    assert not narrow.saturates
    assert narrow.latency_cycles == config.latency_cycles - 1


def test_a_range_is_not_looked_for_beyond_the_inputs_that_there_are() -> None:
    """Sums of 144 signs: offsets lose bits that none of their 289 products' results depends on."""
    multipliers, offsets = random_constants(3, 16, 16, 26)
    config = AffineConfig(9, multipliers, offsets, 14, 16, 4, lowest=-144, highest=144)
    assert config.constants.dropped >= 3
    x = np.arange(-144, 145)[:, None]
    constants = config.constants
    sums = x * np.array(constants.multipliers) + np.array(constants.offsets)
    assert not np.any(np.array(constants.offsets) % (1 << constants.dropped))
    assert np.array_equal(sums >> constants.shift, affine(x, config))


@pytest.mark.parametrize("reset_after", [1, 3, 4, 9])
@pytest.mark.parametrize(
    "name", ["free multipliers", "block memory, slow", "many powers", "joined ready"]
)
def test_a_reset_starts_with_the_first_channel(name: str, reset_after: int) -> None:
    config = CONFIGS[name]
    inputs, expected = streams(config, seed=2)
    run = drive(
        config.component(), inputs, n_outputs=len(expected), reset_after=reset_after, stalls=Stalls(3)
    )  # fmt: skip
    assert run.outputs == expected


def any_constants(draw: Any, channels: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Multipliers of any kind, and offsets."""
    kind = draw(st.sampled_from(["free", "powers", "equal", "narrow"]))
    powers = st.tuples(st.sampled_from([1, -1, 0]), st.integers(0, 14)).map(lambda p: p[0] << p[1])
    one = {
        "free": st.integers(-(2**15) + 1, 2**15 - 1),
        "powers": powers,
        "equal": st.just(draw(st.integers(-300, 300))),
        "narrow": st.integers(-3, 3).map(lambda value: value * 64),
    }[kind]
    return tuple(
        tuple(draw(st.lists(each, min_size=channels, max_size=channels)))
        for each in (one, st.integers(-(2**25), 2**25))
    )  # type: ignore[return-value]


@settings(max_examples=60)
@given(data=st.data())
def test_any_constants_agree_with_numpy_under_stalls(data: st.DataObject) -> None:
    lanes = data.draw(st.integers(1, 3))
    is_signed, output_signed = data.draw(st.booleans()), data.draw(st.booleans())
    bits = data.draw(st.integers(1 + is_signed, 18))
    lowest = highest = None
    if data.draw(st.booleans()):
        first = -(1 << bits - 1) if is_signed else 0
        ends = st.integers(first, first + (1 << bits) - 1)
        lowest, highest = sorted((data.draw(ends), data.draw(ends)))
    config = AffineConfig(
        bits,
        *any_constants(data.draw, lanes * data.draw(st.integers(1, 4))),
        data.draw(st.integers(0, 20)),
        data.draw(st.integers(1 + output_signed, 18)),
        lanes,
        3,
        is_signed,
        output_signed,
        lowest,
        highest,
        multiplier=data.draw(st.sampled_from(["inferred", "logic"])),
        memory=data.draw(st.sampled_from(["logic", "block"])),
        read_latency=data.draw(st.sampled_from([1, 2])),
        output_places=data.draw(st.sampled_from([0, 2])),
    )
    seed = data.draw(st.integers(0, 1000))
    inputs, expected = streams(config, n_frames=2, seed=seed)
    stalls = Stalls(seed) if data.draw(st.booleans()) else None
    run = drive(config.component(), inputs, n_outputs=len(expected), stalls=stalls)
    assert run.outputs == expected
    if stalls is None:
        assert run.latency(0, 0) == config.latency_cycles
        assert run.intervals(config.outputs_per_frame) == [config.interval_cycles]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_bits": 1}, "Input bits must be at least 2, not 1"),
        ({"input_bits": 0, "signed": False}, "Input bits must be at least 1, not 0"),
        ({"output_bits": 1}, "Output bits must be at least 2, not 1"),
        ({"lanes": 0}, "Lanes must be at least 1, not 0"),
        ({"lanes": 2}, "Lanes must divide channels=3, not 2"),
        ({"pixels": 0}, "Pixels must be at least 1, not 0"),
        ({"multipliers": ()}, r"Multipliers must be at least one, not \(\)"),
        ({"multipliers": (1, 131072, 0)}, "Multipliers must have at most 18 bits, not 131072"),
        ({"multipliers": (1, -131073, 0)}, "Multipliers must have at most 18 bits, not -131073"),
        ({"offsets": (1, 2)}, "Offsets must be as many as the 3 multipliers, not 2"),
        ({"shift": -1}, "Shift must be 0 to 31, not -1"),
        ({"shift": 32}, "Shift must be 0 to 31, not 32"),
        ({"lowest": -129}, "Input range must lie in -128 to 127, not -129 to 127"),
        ({"lowest": 4, "highest": 3}, "Input range must lie in -128 to 127, not 4 to 3"),
        ({"multiplier": "dsp", "multipliers": (4, 1, 2)}, r"Multiplier must be one of \('inferred', .*\), not 'dsp'"),
        ({"memory": "disk"}, r"Memory must be one of \('logic', 'block'\), not 'disk'"),
        ({"memory": "block", "read_latency": 3}, r"Block memory read latency must be one of \(1, 2\), not 3"),
        ({"memory": "block", "form": "x"}, r"Block memory form must be one of .*, not 'x'"),
        ({"output_places": 1}, "Output places must be 0 or 2, not 1"),
        ({"multiplier": "ice40", "input_bits": 17}, "Operands of 'ice40' must have at most 16 and 16 bits, not 17 and 13"),
        ({"multiplier": "ice40", "offsets": (1, 2**40, 3)}, "Sums of 'ice40' must have at most 32 bits, not 42"),
        ({"multiplier": "ecp5", "input_bits": 36}, "Operands of 'ecp5' must have at most 35 and 18 bits, not 36 and 13"),
    ],
)  # fmt: skip
def test_bad_parameters_are_refused(change: dict, message: str) -> None:
    config = AffineConfig(8, (1, 2100, 3), (4, 5, 6), 3, 8, 1)
    with pytest.raises(ValueError, match=f"^{message}$"):
        dataclasses.replace(config, **change)
