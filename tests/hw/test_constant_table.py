"""`rbonn.hw.constant_table`: every word after the documented time, from logic and from block RAM."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.sim import Simulator
from rbonn.hw.constant_table import ConstantTableConfig

WORDS = (5, 0, 31, 17, 17)


@pytest.mark.parametrize(
    ("words", "options"),
    [(WORDS, {"latency_cycles": cycles}) for cycles in range(4)]
    + [
        (WORDS, {"latency_cycles": 1, "memory": "block"}),
        (WORDS, {"latency_cycles": 2, "memory": "block", "read_latency": 2}),
        (WORDS, {"latency_cycles": 4, "memory": "block", "read_latency": 1}),
        ((9, 9, 9), {"latency_cycles": 0, "memory": "block"}),
        ((3,), {"latency_cycles": 2}),
    ],
)
def test_a_word_comes_as_many_enabled_cycles_later(words: tuple, options: dict) -> None:
    config = ConstantTableConfig(5, words, **options)
    rng = random.Random(str(options))
    table, held = config.component(), []

    async def bench(ctx: Any) -> None:
        for _ in range(100):
            address, moves = rng.randrange(len(words)), rng.random() < 0.7
            ctx.set(table.address, address)
            ctx.set(table.enable, moves)
            way = [*held, address]
            if len(way) > config.latency_cycles:
                assert ctx.get(table.o) == words[way[-1 - config.latency_cycles]]
            await ctx.tick()
            if moves:
                held.append(address)

    simulator = Simulator(table)
    if config.latency_cycles and len(set(words)) > 1:
        simulator.add_clock(1e-6)
        simulator.add_testbench(bench)
        simulator.run()
    else:
        assert_now(table, words)


def assert_now(table: Any, words: tuple) -> None:
    """Without registers there is no clock."""

    async def bench(ctx: Any) -> None:
        for address, word in enumerate(words):
            ctx.set(table.address, address)
            assert ctx.get(table.o) == word

    simulator = Simulator(table)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "Table width must be at least 1, not 0"),
        ({"words": ()}, r"Table words must be at least one, not \(\)"),
        ({"words": (1, 32)}, "Table words must have at most 5 bits, not 6"),
        ({"memory": "disk"}, r"Memory must be one of \('logic', 'block'\), not 'disk'"),
        ({"memory": "block", "read_latency": 2, "latency_cycles": 1}, "Table latency must be at least the read latency 2, not 1"),
    ],
)  # fmt: skip
def test_bad_parameters_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        ConstantTableConfig(**({"width": 5, "words": WORDS} | change))
