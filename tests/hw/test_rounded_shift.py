"""`rbonn.hw.rounded_shift`: every integer of six bits with every slope, through one unit; what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.sim import Simulator
from rbonn.hw.rounded_shift import RoundedShiftConfig

BITS = 6

CONFIGS = [
    RoundedShiftConfig(BITS, slopes, shift)
    for slopes, shift in (
        ((1, 2, 4, 8, 16, 32), 4),
        ((-1, 2, -4, 8, 0), 3),
        ((-1, -2), 3),
        ((1,), 0),
        ((-1,), 0),
        ((0,), 2),
        ((4, -8, 16), 0),
        ((1, -1, 64), 9),
        ((1, 2, 4, -8, 16, 32, 64, -128), 7),
        ((1, 2, 8, 32, 64, 4), 6),
        ((8,), 3),
    )
]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_every_integer_is_rounded_with_the_documented_latency(config: RoundedShiftConfig) -> None:
    end = 1 << BITS - 1
    rows = [(x, slope) for slope in config.slopes for x in range(-end, end)]
    half = (1 << config.shift - 1) if config.shift else 0
    expected, lost = [], False
    for x, slope in rows:
        result = x if x >= 0 else (x * slope + half) >> config.shift
        lost |= not -end <= result < end
        expected.append(min(max(result, -end), end - 1) & (1 << BITS) - 1)
    assert config.saturates == lost
    unit, got = config.component(), []

    async def bench(ctx: Any) -> None:
        for x, slope in rows + rows[:1] * config.latency_cycles:
            ctx.set(unit.enable, 1)
            ctx.set(unit.x, x & (1 << BITS) - 1)
            ctx.set(unit.code, config.code(slope))
            got.append(ctx.get(unit.o))
            await ctx.tick()
            ctx.set(unit.enable, 0)
            ctx.set(unit.x, ~x & (1 << BITS) - 1)
            await ctx.tick()

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert got[config.latency_cycles :] == expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((1, (1,), 2), "Bits must be at least 2, not 1"),
        ((4, (1,), -1), "Shift must be at least 0, not -1"),
        ((4, (1, 6), 2), "Slopes must be 0 or plus or minus powers of two, not 6"),
        ((4, (-3,), 2), "Slopes must be 0 or plus or minus powers of two, not -3"),
    ],
)
def test_bad_parameters_are_refused(fields: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        RoundedShiftConfig(*fields)


def test_many_distances_are_shifted_bit_by_bit() -> None:
    assert RoundedShiftConfig(BITS, (1, 2, 4, 8, 16), 5).is_barrel
    assert not RoundedShiftConfig(BITS, (1, 2, 4, 8), 5).is_barrel
    assert not RoundedShiftConfig(BITS, (1, 2, 4, 8, 64, 128), 5).is_barrel
