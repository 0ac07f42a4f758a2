"""`rbonn.hw.comparison`: every value against every limit."""

from typing import Any

import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator
from rbonn.hw.comparison import is_at_least


@pytest.mark.parametrize("bits", [1, 2, 3, 5])
def test_it_agrees_with_integers_for_every_value_and_limit(bits: int) -> None:
    m = Module()
    value = Signal(bits)
    limits = range(-2, (1 << bits) + 3)
    results = {limit: Signal(name=f"at_least_{limit + 2}") for limit in limits}
    m.d.comb += [result.eq(is_at_least(value, limit)) for limit, result in results.items()]

    async def bench(ctx: Any) -> None:
        for number in range(1 << bits):
            ctx.set(value, number)
            for limit, result in results.items():
                assert ctx.get(result) == (number >= limit), (number, limit)

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
