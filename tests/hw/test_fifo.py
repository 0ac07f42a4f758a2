"""`rbonn.hw.fifo`: order, exact capacity, latency, throughput."""

import random
from dataclasses import replace

import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.fifo import FifoConfig
from rbonn.sw.build.design import component_verilog

from .stream_driver import Stalls, capacity, drive
from .verilog_driver import drive_verilog

DEPTHS = [0, 1, 2, 3, 4, 5, 8, 9]

FIFOS = [
    *(FifoConfig(8, depth, 10) for depth in DEPTHS),
    *(FifoConfig(8, depth, 10, memory="lut_ram") for depth in (3, 4, 13)),
    *(FifoConfig(8, depth, 10, read_latency=2) for depth in (2, 3, 4, 5, 6, 11)),
]


def name_of(config: FifoConfig) -> str:
    return f"{config.depth} {config.memory} {config.read_latency}"


def items(n: int, width: int = 8) -> list[int]:
    rng = random.Random(n)
    return [rng.getrandbits(width) for _ in range(n)]


@pytest.mark.parametrize("config", FIFOS, ids=name_of)
def test_it_takes_and_gives_one_transfer_per_cycle_after_its_latency(config: FifoConfig) -> None:
    run = drive(config.component(), items(30), n_outputs=30)
    assert run.outputs == items(30)
    assert run.input_cycles["i"] == list(range(30))
    assert {run.latency(k, k) for k in range(30)} == {config.latency_cycles}
    assert run.intervals(10) == [config.interval_cycles] * 2


@pytest.mark.parametrize("config", FIFOS, ids=name_of)
@pytest.mark.parametrize("ready_after_valid", [False, True])
def test_stalls_on_both_sides_neither_lose_nor_repeat(
    config: FifoConfig, ready_after_valid: bool
) -> None:
    for seed in range(3):
        run = drive(
            config.component(),
            items(60),
            n_outputs=60,
            stalls=Stalls(seed),
            ready_after_valid=ready_after_valid,
        )
        assert run.outputs == items(60)


@pytest.mark.parametrize("config", FIFOS, ids=name_of)
def test_it_holds_exactly_its_depth(config: FifoConfig) -> None:
    assert capacity(config.component(), items(30)) == config.depth


@pytest.mark.parametrize("config", [c for c in FIFOS if c.depth], ids=name_of)
def test_a_stalled_output_goes_on_without_a_gap(config: FifoConfig) -> None:
    """Also when others arrive only while the first one waits at the output."""
    dut, outputs = config.component(), []

    async def bench(ctx) -> None:
        for cycle in range(60):
            ctx.set(dut.i.valid, cycle == 0 or cycle >= 10)
            ctx.set(dut.o.ready, cycle >= 30)
            ctx.set(dut.i.payload, cycle)
            _, _, valid = await ctx.tick().sample(dut.o.valid)
            outputs.append(valid)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert all(outputs[30:])


@pytest.mark.parametrize("config", [c for c in FIFOS if c.depth in (1, 2, 3, 5)], ids=name_of)
def test_a_reset_empties_it(config: FifoConfig) -> None:
    run = drive(
        config.component(),
        items(20),
        n_outputs=20,
        stalls=Stalls(4, longest_wait=9, names=("o",)),
        reset_after=config.depth,
    )
    assert run.outputs == items(20)


@pytest.mark.synth
@pytest.mark.parametrize(("width", "depth"), [(16, 9), (64, 20)])
def test_the_block_ram_of_an_ecp5_does_the_same_in_every_cycle(width: int, depth: int) -> None:
    config = FifoConfig(width, depth, read_latency=2, form="ecp5")
    source, sent = component_verilog(config.component()), items(60, width)
    portable = replace(config, form="portable")
    for stalls in (None, Stalls(1), Stalls(2, longest_wait=30, names=("o",))):
        run = drive_verilog(source, {"i": sent}, n_outputs=60, cells="ecp5", stalls=stalls)
        assert run.outputs == sent
        assert run == drive(portable.component(), sent, n_outputs=60, stalls=stalls)


@pytest.mark.parametrize(
    ("width", "depth", "blocks"),
    [(64, 128, 2), (64, 514, 2), (32, 300, 1), (16, 600, 1), (16, 1026, 1), (16, 1100, 2), (64, 1100, 8)],
)  # fmt: skip
def test_it_takes_as_many_block_rams_as_its_words_alone(
    width: int, depth: int, blocks: int
) -> None:
    config = FifoConfig(width, depth, read_latency=2, form="ecp5")
    assert component_verilog(config.component()).count("DP16KD #(") == blocks


@settings(max_examples=15, deadline=None)
@given(
    width=st.integers(1, 40),
    depth=st.integers(0, 12),
    seed=st.integers(0, 1000),
    made_of=st.sampled_from([("block", 1), ("block", 2), ("lut_ram", 1), ("logic", 1)]),
)
def test_any_width_and_depth_passes_on_what_it_got(
    width: int, depth: int, seed: int, made_of: tuple[str, int]
) -> None:
    sent = items(40, width)
    config = FifoConfig(width, depth, memory=made_of[0], read_latency=made_of[1])
    assert drive(config.component(), sent, n_outputs=40, stalls=Stalls(seed)).outputs == sent


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"width": 0, "depth": 2}, "Width must be at least 1, not 0"),
        ({"width": 8, "depth": -1}, "Depth must be at least 0, not -1"),
        (
            {"width": 8, "depth": 2, "transfers_per_frame": 0},
            "Transfers per frame must be at least 1, not 0",
        ),
        (
            {"width": 8, "depth": 2, "memory": "ram"},
            "Memory must be one of .*, not 'ram'",
        ),
        ({"width": 8, "depth": 9, "read_latency": 3}, "Read latency must be 1 or 2, not 3"),
        (
            {"width": 8, "depth": 9, "memory": "logic", "read_latency": 2},
            "Read latency must be 1 outside of block RAM, not 2 in 'logic'",
        ),
        (
            {"width": 8, "depth": 20000, "read_latency": 2, "form": "ecp5"},
            "Block memory depth must be at most 16384 on ECP5, not 32768",
        ),
    ],
)
def test_bad_parameters_are_refused(parameters: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        FifoConfig(**parameters)
