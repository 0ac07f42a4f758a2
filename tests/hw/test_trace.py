# amaranth: UnusedElaboratable=no
"""`rbonn.hw.trace`: what crosses an edge comes back as bytes, of the last image, from the first transfer on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from amaranth.sim import Simulator
from rbonn.hw.trace import Trace, TraceConfig

LIMIT_CYCLES = 2000


class Bench:
    """A `Trace` beside random edges; what is read is compared with what crossed them last."""

    def __init__(self, configs: Sequence[TraceConfig], seed: int = 0) -> None:
        self.trace = Trace(configs)
        self.rng = random.Random(seed)
        self.last: list[list[int]] = [[] for _ in configs]

    def run(self, process: Any) -> None:
        simulator = Simulator(self.trace)
        simulator.add_clock(1e-6)
        simulator.add_testbench(process)
        simulator.run()

    async def image(self, ctx: Any, part: float = 1.0) -> None:
        """All edges' transfers of an image, or the first `part` of them, in random cycles, edges at the same time or not."""
        recorders = self.trace.recorders
        left = [
            [self.rng.getrandbits(r.config.width) for _ in range(r.config.transfers)]
            for r in recorders
        ]
        self.last = [list(values) for values in left]
        left = [values[: int(part * len(values))] for values in left]
        while any(left):
            for recorder, values in zip(recorders, left, strict=True):
                crosses = bool(values) and self.rng.random() < 0.6
                ctx.set(recorder.strobe, crosses)
                ctx.set(recorder.data, values.pop(0) if crosses else self.rng.getrandbits(1))
            await ctx.tick()
        for recorder in recorders:
            ctx.set(recorder.strobe, 0)

    async def forget(self, ctx: Any) -> None:
        """A restart of the core, while something may still cross."""
        for recorder in self.trace.recorders:
            ctx.set(recorder.strobe, 1)
        ctx.set(self.trace.forget, 1)
        await ctx.tick()
        ctx.set(self.trace.forget, 0)
        for recorder in self.trace.recorders:
            ctx.set(recorder.strobe, 0)

    async def read(
        self, ctx: Any, n_bytes: int | None = None, ready: float = 1.0
    ) -> tuple[bytes, list[int]]:
        """Bytes, to the last one or so many, and the cycles in which they came; then `reading` falls for a cycle."""
        got, cycles = bytearray(), []
        ctx.set(self.trace.reading, 1)
        for cycle in range(LIMIT_CYCLES):
            if len(got) == n_bytes:
                break
            takes = self.rng.random() < ready
            ctx.set(self.trace.o.ready, takes)
            *_, valid, byte, last = await ctx.tick().sample(
                self.trace.o.valid, self.trace.o.payload.byte, self.trace.o.payload.last
            )
            if valid and takes:
                got.append(byte)
                cycles.append(cycle)
                if last:
                    break
        else:
            raise AssertionError(f"no end after {len(got)} bytes")
        ctx.set(self.trace.o.ready, 0)
        ctx.set(self.trace.reading, 0)
        await ctx.tick()
        return bytes(got), cycles

    @property
    def expected(self) -> bytes:
        """The last image's transfers as the documentation has them."""
        recorded = zip(self.trace.recorders, self.last, strict=True)
        return b"".join(
            value.to_bytes(-(-recorder.config.width // 8), "little")
            for recorder, values in recorded
            for value in values
        )


EDGES = {
    "one bit, one transfer": [TraceConfig("a", 1, 1)],
    "a byte each": [TraceConfig("a", 8, 5)],
    "bytes not full": [TraceConfig("a", 11, 4)],
    "wide": [TraceConfig("a", 37, 3)],
    "several": [TraceConfig("a", 3, 4), TraceConfig("b", 16, 1), TraceConfig("c", 9, 6)],
}


@pytest.mark.parametrize("configs", EDGES.values(), ids=EDGES)
@pytest.mark.parametrize("ready", [1.0, 0.4])
def test_the_last_image_is_read_as_often_as_wanted(
    configs: list[TraceConfig], ready: float
) -> None:
    bench = Bench(configs, seed=len(configs))

    async def process(ctx: Any) -> None:
        for _ in range(3):
            await bench.image(ctx)
            await ctx.tick()  # it is written a cycle later
            for _ in range(2):
                assert (await bench.read(ctx, ready=ready))[0] == bench.expected
        # Images without reading between them.
        await bench.image(ctx)
        await bench.image(ctx)
        await ctx.tick()
        assert (await bench.read(ctx, ready=ready))[0] == bench.expected

    bench.run(process)


@pytest.mark.parametrize("seed", range(6))
def test_what_a_restart_interrupts_leaves_nothing_behind(seed: int) -> None:
    bench = Bench(EDGES["several"], seed)

    async def process(ctx: Any) -> None:
        for part in (0.0, 0.5, 0.8):
            await bench.image(ctx, part)
            await bench.forget(ctx)
            await bench.image(ctx)
            await ctx.tick()
            assert (await bench.read(ctx))[0] == bench.expected

    bench.run(process)


@pytest.mark.parametrize("configs", EDGES.values(), ids=EDGES)
def test_reading_that_is_given_up_begins_anew(configs: list[TraceConfig]) -> None:
    bench = Bench(configs)

    async def process(ctx: Any) -> None:
        await bench.image(ctx)
        await ctx.tick()
        for n_bytes in range(len(bench.expected)):
            assert (await bench.read(ctx, n_bytes))[0] == bench.expected[:n_bytes]
        assert (await bench.read(ctx))[0] == bench.expected

    bench.run(process)


def test_latency_and_throughput_are_as_documented() -> None:
    bench = Bench([TraceConfig("a", 24, 3)])

    async def process(ctx: Any) -> None:
        await bench.image(ctx)
        await ctx.tick()
        _, cycles = await bench.read(ctx)
        # Two cycles to the first byte, a byte per cycle, two cycles more between transfers.
        assert cycles == [2, 3, 4, 7, 8, 9, 12, 13, 14]

    bench.run(process)


@pytest.mark.parametrize(("width", "transfers"), [(0, 1), (1, 0)])
def test_an_edge_without_bits_or_transfers_is_refused(width: int, transfers: int) -> None:
    with pytest.raises(ValueError, match=f"not {width} and {transfers}"):
        TraceConfig("a", width, transfers)
    with pytest.raises(ValueError, match="at least one edge"):
        Trace([])
