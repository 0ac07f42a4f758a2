"""`rbonn.hw.table`: every word of a table made of logic, and zeros behind the last one."""

import random
from typing import Any

import pytest
from amaranth import Signal
from amaranth.hdl import Module
from amaranth.sim import Simulator
from rbonn.hw.table import table_lookup


@pytest.mark.parametrize("n_words", [1, 2, 3, 4, 7, 16, 33])
@pytest.mark.parametrize("kind", ["random", "alike", "one bit"])
def test_every_address_gives_its_word(n_words: int, kind: str) -> None:
    rng = random.Random(n_words)
    words = {
        "random": [rng.randrange(1 << 9) for _ in range(n_words)],
        "alike": [0x155] * n_words,
        "one bit": [256 * (k == n_words - 1) for k in range(n_words)],
    }[kind]
    address, word = Signal(range(n_words)), Signal(9)
    m = Module()
    m.d.comb += word.eq(table_lookup(words, 9, address))

    async def bench(ctx: Any) -> None:
        for k in range(1 << len(address)):
            ctx.set(address, k)
            assert ctx.get(word) == (words[k] if k < n_words else 0)

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
