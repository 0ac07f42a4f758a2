"""`rbonn.hw.accelerator`: what a graph of stages must be, and that forks and joins are wired as it says."""

import random
from typing import Any

import pytest
from amaranth.sim import Simulator
from rbonn.hw.accelerator import AcceleratorConfig, Source, Stage
from rbonn.hw.argmax import ArgMaxConfig
from rbonn.hw.fifo import FifoConfig
from rbonn.hw.fork import ForkConfig
from rbonn.hw.residual_add import ResidualAddConfig
from rbonn.hw.threshold import ThresholdConfig
from rbonn.hw.width_converter import WidthConverterConfig

from .stream_driver import Stalls, StreamError, drive

ARGMAX = Stage("label", ArgMaxConfig(n_classes=3, score_bits=8))
BYTES = Stage("buffer", FifoConfig(8, 2, 3))


def test_a_chain_states_its_ends_and_its_slowest_stage() -> None:
    config = AcceleratorConfig((BYTES, ARGMAX))
    assert (config.image_bytes, config.n_classes, config.score_bits, config.label_bits) == (
        3,
        3,
        8,
        2,
    )
    assert config.interval_cycles == 3


FORK = Stage("fork", ForkConfig(8, 2, 3), (Source("buffer"),))
ADD = Stage("add", ResidualAddConfig(8, 1, 3), (Source("fork", 0), Source("wait")))


def beside(depth: int) -> AcceleratorConfig:
    """Bytes and the bytes themselves added, one of the branches with a FIFO."""
    wait = Stage("wait", FifoConfig(8, depth, 3), (Source("fork", 1),))
    return AcceleratorConfig((BYTES, FORK, wait, ADD, ARGMAX))


@pytest.mark.parametrize("stalls", [None, Stalls(1), Stalls(2)])
@pytest.mark.parametrize("depth", [0, 1, 2, 5])
def test_a_join_adds_what_a_fork_gave_to_its_branches(depth: int, stalls: Stalls | None) -> None:
    image = [3, 250, 100]  # 6, -12, and 200, which saturates to 127
    run = drive(beside(depth).component(), image * 3, n_outputs=9, stalls=stalls)
    assert [word & 255 for word in run.outputs] == [6, 256 - 12, 127] * 3
    assert [word >> 8 & 3 for word in run.outputs] == [0, 0, 2] * 3


def test_a_branch_that_holds_back_stops_an_accelerator_whose_other_branch_cannot_wait() -> None:
    # The late branch makes words of three transfers, so the early one has to hold two of them.
    def config(depth: int) -> AcceleratorConfig:
        sums = (
            ("late", WidthConverterConfig(8, 1, 3, 3)),
            ("again", WidthConverterConfig(8, 3, 1, 3)),
        )
        (first, wide), (second, narrow) = sums
        stages = (
            BYTES,
            FORK,
            Stage(first, wide, (Source("fork", 0),)),
            Stage(second, narrow, (Source(first),)),
            Stage("wait", FifoConfig(8, depth, 3), (Source("fork", 1),)),
            Stage("add", ADD.config, (Source(second), Source("wait"))),
            ARGMAX,
        )
        return AcceleratorConfig(stages)

    image = [1, 2, 3]
    assert len(drive(config(2).component(), image * 2, n_outputs=6).outputs) == 6
    with pytest.raises(StreamError):
        drive(config(1).component(), image * 2, n_outputs=6, idle_limit=50)


@pytest.mark.parametrize("seed", range(40))
def test_a_restart_forgets_all_images_and_what_follows_is_as_after_a_reset(seed: int) -> None:
    """Bytes are offered and scores taken all the time, also while the stages start anew one by one; those of before the restart are 100."""
    rng = random.Random(seed)
    core = beside(rng.choice([0, 1, 2, 5])).component()
    image = [3, 250, 100]
    answers: list[int] = []

    async def sink(ctx: Any) -> None:
        async for _, _, valid, payload in ctx.tick().sample(core.o.valid, core.o.payload):
            if valid and ctx.get(core.o.ready):
                answers.append(payload.as_bits() & 255)
            ctx.set(core.o.ready, rng.random() < 0.5)

    async def source(ctx: Any) -> None:
        ctx.set(core.i.valid, 1)
        ctx.set(core.i.payload, 100)
        await ctx.tick().repeat(rng.randrange(1, 30))
        ctx.set(core.restart, 1)
        await ctx.tick().repeat(rng.choice([1, 1, 1, 2, 30]))
        ctx.set(core.restart, 0)
        answers.clear()
        for byte in image * 3:
            ctx.set(core.i.payload, byte)
            await ctx.tick().until(core.i.ready)
        ctx.set(core.i.valid, 0)
        await ctx.tick().repeat(100)

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(sink, background=True)
    simulator.add_testbench(source)
    simulator.run()
    assert answers == [6, 256 - 12, 127] * 3


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        (
            (Stage("buffer", BYTES.config, (Source("label"),)), ARGMAX),
            "First stage must read the image",
        ),
        (
            (BYTES, FORK, ARGMAX),
            "Outputs must all be read, not Source.stage='fork', branch=1. by none",
        ),
        (
            (BYTES, FORK, Stage("add", ADD.config, (Source("fork"),)), ARGMAX),
            "Stage 'add' has 2 inputs, not 1",
        ),
        (
            (BYTES, FORK, Stage("add", ADD.config, (Source("fork"), Source("fork"))), ARGMAX),
            "Stage 'add' reads output 0 of 'fork', which no earlier stage has or another stage reads",
        ),
        (
            (BYTES, Stage("bits", ThresholdConfig(8, (0,), 1, 3), (Source("label"),)), ARGMAX),
            "Stage 'bits' reads output 0 of 'label', which no earlier stage has",
        ),
        ((), "Stages must end in an argmax"),
        ((BYTES,), "Stages must end in an argmax"),
        ((Stage("b", FifoConfig(7, 2, 3)), ARGMAX), "First stage must take bytes, not 7 bits"),
        (
            (Stage("label", BYTES.config), ARGMAX),
            r"Stage names must be unique, not \['label', 'label'\]",
        ),
        (
            (Stage("b", FifoConfig(8, 2, 4)), ARGMAX),
            "Stage 'label' takes 3 transfers of 8 bits a frame, but 'b' sends 4 of 8",
        ),
    ],
)
def test_it_rejects(stages: tuple[Stage, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AcceleratorConfig(stages)
