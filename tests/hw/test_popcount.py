"""`rbonn.hw.popcount`: the count and its latency."""

import random

import pytest
from amaranth.sim import Simulator
from rbonn.hw.popcount import PopcountConfig


@pytest.mark.parametrize("n_bits", [1, 2, 3, 4, 6, 7, 9, 16, 25, 32, 33, 64])
def test_it_counts_the_ones_after_its_latency_and_stands_still_when_disabled(n_bits: int) -> None:
    config = PopcountConfig(n_bits)
    dut = config.component()
    rng = random.Random(n_bits)
    words = [0, (1 << n_bits) - 1, *(rng.getrandbits(n_bits) for _ in range(30))]
    counts = []

    async def bench(ctx) -> None:
        ctx.set(dut.enable, 1)
        pending = iter([*words, *[0] * config.latency_cycles])
        for word in pending:
            while rng.random() < 0.3:
                ctx.set(dut.enable, 0)
                ctx.set(dut.i, rng.getrandbits(n_bits))
                await ctx.tick()
            ctx.set(dut.enable, 1)
            ctx.set(dut.i, word)
            await ctx.tick()
            counts.append(ctx.get(dut.o))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert counts[config.latency_cycles - 1 :][: len(words)] == [w.bit_count() for w in words]


def test_it_rejects_words_without_bits() -> None:
    with pytest.raises(ValueError, match="Number of bits must be at least 1, not 0"):
        PopcountConfig(0)
