"""`rbonn.hw.walk`: every position and every step."""

from typing import Any

import pytest
from amaranth.hdl import ClockDomain, Module, Signal
from amaranth.sim import Simulator
from rbonn.hw.walk import arrives, by_value, ring, walker


def outputs(m: Module, source: Signal, result: Signal, values: range) -> list[int]:
    """`result` for each value of `source`."""
    seen = []

    async def bench(ctx: Any) -> None:
        for value in values:
            ctx.set(source, value)
            seen.append(ctx.get(result))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    return seen


@pytest.mark.parametrize(
    ("below", "size", "end"), [(0, 1, 1), (1, 14, 15), (2, 5, 9), (3, 2, 5), (1, 32, 33), (0, 8, 8)]
)
def test_exactly_the_positions_in_the_image_lie_below_its_size(below: int, size: int, end: int) -> None:  # fmt: skip
    signal = walker(below, size, end)
    modulus = 1 << len(signal)
    assert signal.init == -below % modulus
    inside = [at for at in range(-below, end) if at % modulus < size]
    assert inside == list(range(min(size, end)))


@pytest.mark.parametrize(("goal", "last"), [(7, 1), (5, 2), (-1, 1), (-2, 3), (0, 1)])
@pytest.mark.parametrize("n_steps", [1, 4])
def test_it_says_where_a_position_arrives(n_steps: int, goal: int, last: int) -> None:
    """Before each step of the last size the flag is set for where that step leads; of single steps, where the position is."""
    m = Module()
    m.domains.sync = ClockDomain()
    position, is_there, step = Signal(3), Signal(), Signal()
    arrives(m, position, goal, is_there, n_steps, step, last)
    seen: dict[int, int] = {}

    async def bench(ctx: Any) -> None:
        for at in range(8):
            ctx.set(position, at)
            ctx.set(step, 1)
            if n_steps > 1:
                await ctx.tick()
                ctx.set(step, 0)
                ctx.set(position, at ^ 7)
                await ctx.tick()
                at += last
            seen[at % 8] = ctx.get(is_there)

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == {at: at == goal % 8 for at in range(8)}


@pytest.mark.parametrize("n_slots", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("step", [-7, -1, 0, 1, 4])
def test_a_ring_steps_modulo_its_slots(n_slots: int, step: int) -> None:
    m = Module()
    slot, result = Signal(range(n_slots)), Signal(4)
    m.d.comb += result.eq(ring(slot, step, n_slots))
    expected = [(k + step) % n_slots for k in range(n_slots)]
    assert outputs(m, slot, result, range(n_slots)) == expected


@pytest.mark.parametrize("values", [(3,), (2, 2), (0, 1, 1, 2), (1, 2, 3, 4), (5, 0, 5, 0)])
def test_each_position_has_its_value(values: tuple[int, ...]) -> None:
    m = Module()
    position, result = Signal(3), Signal(4)
    positions = list(range(-1, len(values) - 1))
    for value in by_value(m, position, positions, values):
        m.d.comb += result.eq(value)
    at = [k % 8 for k in positions]
    seen = outputs(m, position, result, range(8))
    assert tuple(seen[k] for k in at) == values
