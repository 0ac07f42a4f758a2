"""`rbonn.hw.shift_add`: every x times every multiplier, with the documented latencies."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from amaranth.sim import Simulator
from rbonn.hw.shift_add import ShiftAddConfig, odd_factors, signed_digits

CONFIGS = {
    "one": ShiftAddConfig(4, True, (1,), 7),
    "powers": ShiftAddConfig(4, True, (1, 4, 2, 8), 9),
    "signs and 0": ShiftAddConfig(4, True, (1, -4, 0, -1, 2, 4), 9, 1),
    "negative only": ShiftAddConfig(4, True, (-2, -8), 9),
    "one negative": ShiftAddConfig(4, False, (-2,), 9, 1),
    "zeros only": ShiftAddConfig(4, True, (0,), 5),
    "barrel": ShiftAddConfig(4, False, (1, -2, 4, 16, 64, 0), 12, 2),
    "two digits": ShiftAddConfig(4, True, (7, -14), 10),
    "three digits": ShiftAddConfig(4, True, (11,), 10, 3),
    "five digits, some negative": ShiftAddConfig(5, True, (0b1010101011011, 0b10101010110110), 20, 2),
    "seven digits": ShiftAddConfig(4, False, (0b10101010_01010101,), 22),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_products_come_with_the_documented_latency(name: str) -> None:
    """In random cycles; a product of a negative multiplier is one less than it is."""
    config = CONFIGS[name]
    rng = random.Random(name)
    low = -(1 << config.x_bits - 1) if config.x_signed else 0
    rows = [
        (low + rng.getrandbits(config.x_bits), rng.choice(config.multipliers), rng.getrandbits(config.output_bits))
        for _ in range(150)
    ]  # fmt: skip
    unit = config.component()

    async def bench(ctx: Any) -> None:
        for k in range(len(rows) + config.latency_cycles):
            while rng.random() < 0.3:
                ctx.set(unit.enable, 0)
                ctx.set(unit.x, rng.getrandbits(config.x_bits))
                await ctx.tick()
            done = k - config.latency_cycles
            if done >= 0:
                x, multiplier, addend = rows[done]
                total = (x * multiplier - (multiplier < 0) >> config.dropped) + addend
                assert ctx.get(unit.o) == total & (1 << config.output_bits) - 1
            ctx.set(unit.enable, 1)
            for port, cycles, value in (
                (unit.x, 0, lambda row: row[0] & (1 << config.x_bits) - 1),
                (unit.code, config.code_cycles, lambda row: config.code(row[1])),
                (unit.addend, config.addend_cycles, lambda row: row[2]),
            ):
                if 0 <= k - cycles < len(rows):
                    ctx.set(port, value(rows[k - cycles]))
            await ctx.tick()

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("value", [1, 3, 5, 7, 11, 255, 23333, 0b10101, 32767])
def test_signed_digits_are_few_and_make_the_number(value: int) -> None:
    digits = signed_digits(value)
    assert sum(sign << exponent for exponent, sign in digits) == value
    exponents = [exponent for exponent, _ in digits]
    assert all(after - before > 1 for before, after in itertools.pairwise(exponents))
    assert len(digits) <= value.bit_count()


def test_odd_factors_have_neither_sign_nor_powers_of_two() -> None:
    assert odd_factors((12, -3, 0, 24, 10)) == [3, 5]
    assert odd_factors((0, 0)) == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((0, True, (1,), 4), "X bits must be at least 1, not 0"),
        ((4, True, (1,), 0), "Output bits must be at least 1, not 0"),
        ((4, True, (1,), 4, -1), "Dropped must be at least 0, not -1"),
        ((4, True, (1, 6), 4), r"Odd factors of multipliers must be one, not \[1, 3\]"),
    ],
)
def test_bad_parameters_are_refused(fields: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        ShiftAddConfig(*fields)
