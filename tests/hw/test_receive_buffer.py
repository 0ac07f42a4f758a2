# amaranth: UnusedElaboratable=no
"""`rbonn.hw.receive_buffer`: order, capacity, loss."""

import random

import pytest
from amaranth.sim import Simulator
from rbonn.hw.receive_buffer import ReceiveBuffer

from .stream_driver import Stalls, drive


def simulate(buffer: ReceiveBuffer, bench) -> None:
    simulator = Simulator(buffer)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("depth", [2, 4, 16])
def test_it_gives_what_it_takes(depth: int) -> None:
    # An output is taken as soon as it comes, an input comes every second cycle at most.
    sent = list(range(200))
    stalls = Stalls(seed=3, names=("i",), longest_go=1, longest_wait=3)
    run = drive(ReceiveBuffer(depth), sent, n_outputs=200, stalls=stalls)
    assert run.outputs == sent
    assert run.latency(0, 0) == 2
    assert run.latency(199, 199) == 2


@pytest.mark.parametrize("depth", [2, 4, 16])
@pytest.mark.parametrize("seed", range(4))
def test_it_loses_only_what_it_says_it_loses_and_keeps_the_order(depth: int, seed: int) -> None:
    buffer = ReceiveBuffer(depth)
    rng = random.Random(seed)
    kept, taken, waiting = [], [], 0

    async def bench(ctx) -> None:
        nonlocal waiting
        for cycle in range(1500):
            offered = cycle % 2 and cycle < 1400 and rng.random() < 0.6
            # Slow and fast takers by turns, so that the buffer runs full and empty.
            ready = rng.random() < (0.9 if cycle // 150 % 2 or cycle > 1400 else 0.1)
            ctx.set(buffer.i.valid, offered)
            ctx.set(buffer.i.payload, cycle & 0xFF)
            ctx.set(buffer.o.ready, ready)
            *_, lost, valid, payload = await ctx.tick().sample(
                buffer.lost, buffer.o.valid, buffer.o.payload
            )
            if lost:
                assert offered
                assert waiting >= depth
            elif offered:
                kept.append(cycle & 0xFF)
                waiting += 1
            if valid and ready:
                taken.append(payload)
                waiting -= 1

    simulate(buffer, bench)
    assert len(kept) > 100
    assert taken == kept


@pytest.mark.parametrize("depth", [2, 16])
def test_a_byte_too_many_is_lost_and_said_to_be(depth: int) -> None:
    buffer = ReceiveBuffer(depth)
    lost, taken = [], []

    async def bench(ctx) -> None:
        # One byte more than `depth` fits: it has left for the output.
        for byte in range(depth + 4):
            ctx.set(buffer.i.valid, 1)
            ctx.set(buffer.i.payload, byte)
            *_, is_lost = await ctx.tick().sample(buffer.lost)
            lost.append(is_lost)
            ctx.set(buffer.i.valid, 0)
            await ctx.tick()
        ctx.set(buffer.o.ready, 1)
        for _ in range(2 * depth + 8):
            *_, valid, payload = await ctx.tick().sample(buffer.o.valid, buffer.o.payload)
            if valid:
                taken.append(payload)

    simulate(buffer, bench)
    assert lost == [0] * (depth + 1) + [1] * 3
    assert taken == list(range(depth + 1))


@pytest.mark.parametrize("depth", [0, 1, 3, 100])
def test_a_depth_that_is_no_power_of_two_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=rf"must be a power of two of at least 2, not {depth}"):
        ReceiveBuffer(depth)
