"""`rbonn.hw.primitives.block_memory`: words and timing of the portable form, in Amaranth's simulator; its device forms have tests of their own."""

import random

import pytest
from amaranth.sim import Simulator
from rbonn.hw.primitives.block_memory import BlockMemoryConfig, block_memory


def simulate(memory, bench) -> None:
    simulator = Simulator(memory)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("latency", [1, 2])
@pytest.mark.parametrize(("width", "depth", "n_words"), [(1, 1, 1), (5, 7, 4), (72, 144, 144)])
def test_a_word_is_there_after_as_many_enabled_cycles_as_stated(
    width: int, depth: int, n_words: int, latency: int
) -> None:
    rng = random.Random(width)
    words = tuple(rng.getrandbits(width) for _ in range(n_words))
    memory = block_memory(BlockMemoryConfig(width, depth, words, latency))
    read = []

    async def bench(ctx) -> None:
        asked = []
        for _ in range(200):
            address, enable = rng.randrange(depth), rng.random() < 0.7
            ctx.set(memory.read.address, address)
            ctx.set(memory.read.enable, enable)
            if enable:
                asked.append(address)
            await ctx.tick()
            if len(asked) >= latency:
                address = asked[-latency]
                assert ctx.get(memory.read.data) == (words[address] if address < n_words else 0)
                read.append(address)

    simulate(memory, bench)
    assert set(read) == set(range(depth)) or depth > 100


def test_a_written_word_is_read_from_the_next_cycle_on() -> None:
    memory = block_memory(BlockMemoryConfig(8, 4, (1, 2, 3, 4), writable=True))

    async def bench(ctx) -> None:
        ctx.set(memory.write.address, 2)
        ctx.set(memory.write.data, 77)
        ctx.set(memory.write.enable, 1)
        await ctx.tick()
        ctx.set(memory.write.enable, 0)
        ctx.set(memory.write.address, 1)
        ctx.set(memory.read.enable, 1)
        for address, word in enumerate((1, 2, 77, 4)):
            ctx.set(memory.read.address, address)
            await ctx.tick()
            assert ctx.get(memory.read.data) == word

    simulate(memory, bench)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0}, "Block memory width must be at least 1, not 0"),
        ({"depth": 0}, "Block memory depth must be at least 1, not 0"),
        ({"contents": (0,) * 5}, "Block memory contents must have at most 4 words, not 5"),
        ({"contents": (8,)}, "Block memory words must have at most 3 bits"),
        ({"contents": (-1,)}, "Block memory words must have at most 3 bits"),
        ({"read_latency": 3}, r"Block memory read latency must be one of \(1, 2\), not 3"),
        ({"form": "ice"}, r"Block memory form must be one of \('portable', 'ecp5'\), not 'ice'"),
        ({"form": "ecp5", "depth": 20000}, "depth must be at most 16384 on ECP5, not 20000"),
    ],
)
def test_it_rejects(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BlockMemoryConfig(**({"width": 3, "depth": 4} | arguments))
