# amaranth: UnusedElaboratable=no
"""`rbonn.hw.receive_buffer`: order, capacity, loss."""

import pytest
from amaranth.sim import Simulator
from rbonn.hw.receive_buffer import ReceiveBuffer

from .stream_driver import Stalls, drive


@pytest.mark.parametrize("depth", [2, 4, 16])
@pytest.mark.parametrize("stalls", [None, Stalls(seed=3, names=("i",))])
def test_it_gives_what_it_takes(depth: int, stalls: Stalls | None) -> None:
    sent = list(range(200))
    run = drive(ReceiveBuffer(depth), sent, n_outputs=200, stalls=stalls)
    assert run.outputs == sent
    if stalls is None:
        assert run.latency(0, 0) == 2


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
        ctx.set(buffer.o.ready, 1)
        for _ in range(depth + 4):
            *_, valid, payload = await ctx.tick().sample(buffer.o.valid, buffer.o.payload)
            if valid:
                taken.append(payload)

    simulator = Simulator(buffer)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert lost == [0] * (depth + 1) + [1] * 3
    assert taken == list(range(depth + 1))


@pytest.mark.parametrize("depth", [0, 1, 3, 100])
def test_a_depth_that_is_no_power_of_two_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=rf"must be a power of two of at least 2, not {depth}"):
        ReceiveBuffer(depth)
