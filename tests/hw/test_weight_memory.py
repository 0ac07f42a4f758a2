"""`rbonn.hw.weight_memory`: contents, timing of a read, loading."""

import re

import pytest
from amaranth.sim import Simulator
from rbonn.hw.weight_memory import MEMORY_FORMS, WeightMemory, WeightMemoryConfig
from rbonn.sw.build.design import component_verilog

from .netlists import netlist
from .primitives.vectors import play

WORDS = (0b101, 0b010, 0b111, 0b000, 0b110)


def simulate(memory: WeightMemory, bench) -> None:
    simulator = Simulator(memory)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


async def read(ctx, memory: WeightMemory, address: int) -> int:
    ctx.set(memory.read.address, address)
    ctx.set(memory.read.enable, 1)
    await ctx.tick().repeat(memory.config.read_latency)
    ctx.set(memory.read.enable, 0)
    return ctx.get(memory.read.data)


@pytest.mark.parametrize("read_latency", [1, 2])
@pytest.mark.parametrize("form", MEMORY_FORMS)
def test_a_word_is_there_the_latency_after_its_address_and_stays_without_enable(
    form: str, read_latency: int
) -> None:
    memory = WeightMemoryConfig(3, WORDS, form, read_latency=read_latency).component()

    async def bench(ctx) -> None:
        for address, word in enumerate(WORDS):
            assert await read(ctx, memory, address) == word
        ctx.set(memory.read.address, 1)
        await ctx.tick().repeat(3)
        assert ctx.get(memory.read.data) == WORDS[-1]

    simulate(memory, bench)


@pytest.mark.parametrize("read_latency", [1, 2])
def test_constants_in_front_of_the_last_register_are_there_as_late(read_latency: int) -> None:
    """Lanes 0 and 2 share a register, lanes 3 and 4 have none."""
    words = (0b10101, 0b10010, 0b10111, 0b10000, 0b10010)
    memory = WeightMemoryConfig(
        5, words, "logic", read_latency=read_latency, form="ecp5"
    ).component()

    async def bench(ctx) -> None:
        for address, word in enumerate(words):
            assert await read(ctx, memory, address) == word
        ctx.set(memory.read.address, 1)
        await ctx.tick().repeat(3)
        assert ctx.get(memory.read.data) == words[-1]

    simulate(memory, bench)


def test_lanes_with_the_same_weights_share_a_register_and_one_that_never_changes_has_none() -> None:
    """Lanes 0 and 2 are alike, lane 1 differs, lane 3 is never set, lane 4 always."""
    words = (0b10101, 0b10010, 0b10111, 0b10000, 0b10010)
    config = WeightMemoryConfig(5, words, "logic", form="ecp5")
    source = component_verilog(config.component())
    assert set(re.findall(r"weight_\d+", source)) == {"weight_0", "weight_1"}


@pytest.mark.synth
def test_a_weight_that_many_lanes_share_has_copies() -> None:
    """Rows of 100 lanes: two thirds of the lanes hold what one of two words is, 67 of each kind."""
    word = sum(1 << k for k in range(0, 200, 3))
    words = (word, word << 1, 0)
    config = WeightMemoryConfig(200, words, "logic", form="ecp5", rows=2)
    source = component_verilog(config.component())
    for cells in (source, netlist(source, "ecp5")):
        assert len(re.findall(r"^\s*TRELLIS_FF #\(", cells, re.MULTILINE)) == 2 * 3
        rows = [{"read__address": k % 3, "read__enable": 1} for k in range(9)]
        results = play(cells, rows, family="ecp5")
        assert [row["read__data"] for row in results[1:]] == [words[k % 3] for k in range(8)]


@pytest.mark.parametrize("form", ["block", "lut_ram"])
def test_loading_replaces_the_words_in_order_and_starts_again_after_the_last(form: str) -> None:
    memory = WeightMemoryConfig(3, WORDS, form, writable=True).component()
    loaded = [1, 2, 3, 4, 5, 6, 7]

    async def bench(ctx) -> None:
        for word in loaded:
            assert ctx.get(memory.i_load.ready)
            ctx.set(memory.i_load.valid, 1)
            ctx.set(memory.i_load.payload, word)
            await ctx.tick()
        ctx.set(memory.i_load.valid, 0)
        assert [await read(ctx, memory, address) for address in range(5)] == [6, 7, 3, 4, 5]

    simulate(memory, bench)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0}, "Weight memory width must be at least 1, not 0"),
        ({"contents": ()}, "Weight memory contents must have at least one word"),
        ({"width": 2}, "Weight memory words must have at most 2 bits"),
        ({"contents": (-1,)}, "Weight memory words must have at most 3 bits"),
        ({"rows": 2}, "Weight memory rows must divide its width 3, not 2"),
        ({"memory": "tape"}, "Weight memory must be one of .*, not 'tape'"),
        ({"read_latency": 3}, "Weight read latency must be 1 or 2, not 3"),
        (
            {"memory": "logic", "writable": True},
            "Writable weights must be in 'block' or 'lut_ram' memory, not 'logic'",
        ),
    ],
)
def test_it_rejects(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WeightMemoryConfig(**({"width": 3, "contents": WORDS} | arguments))
