"""`rbonn.hw.pattern`: the hardware gives the bytes that the host computes, which are those of the stated polynomial."""

from typing import Any

from amaranth.sim import Simulator
from rbonn.hw.pattern import Pattern, pattern

PERIOD = 255


def from_polynomial(n_bytes: int) -> bytes:
    """Bits b[n] = not (b[n-8] + b[n-6] + b[n-5] + b[n-4]), the newest least significant."""
    bits = [0] * 8
    for _ in range(n_bytes - 1):
        bits.append(1 ^ bits[-8] ^ bits[-6] ^ bits[-5] ^ bits[-4])
    return bytes(sum(bits[k + 7 - j] << j for j in range(8)) for k in range(n_bytes))


def test_the_bytes_are_those_of_the_polynomial_and_all_but_255() -> None:
    assert pattern(2 * PERIOD) == from_polynomial(2 * PERIOD)
    assert set(pattern(PERIOD)) == set(range(256)) - {255}


def test_the_hardware_gives_them_step_by_step_and_starts_again_when_cleared() -> None:
    unit = Pattern()
    expected = from_polynomial(PERIOD + 1)

    async def bench(ctx: Any) -> None:
        for _ in range(2):
            for byte in expected:
                ctx.set(unit.step, 0)
                await ctx.tick()
                assert ctx.get(unit.byte) == byte
                ctx.set(unit.step, 1)
                await ctx.tick()
            ctx.set(unit.clear, 1)
            await ctx.tick()
            ctx.set(unit.clear, 0)

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
