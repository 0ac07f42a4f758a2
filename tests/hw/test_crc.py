"""`rbonn.hw.crc`: equal to zlib."""

import zlib

from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.crc import Crc32


def simulate(bench: "Bench") -> None:
    simulator = Simulator(bench.crc)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench.run)
    simulator.run()


class Bench:
    """Feeds messages, clearing between them, and reads the CRC out after each."""

    def __init__(self, messages: list[bytes], hold: int = 0) -> None:
        self.crc = Crc32()
        self.messages, self.hold = messages, hold
        self.values, self.read_out, self.matches, self.cycles = [], [], [], []

    async def run(self, ctx) -> None:
        crc = self.crc
        for message in self.messages:
            ctx.set(crc.clear, 1)
            await ctx.tick()
            ctx.set(crc.clear, 0)
            cycles = 0
            for byte in message:
                cycles += await self.send(ctx, byte)
            self.cycles.append(cycles)
            self.values.append(ctx.get(crc.crc))
            self.matches.append(ctx.get(crc.match))
            ctx.set(crc.read_out, 1)
            out = []
            for _ in range(4):
                out.append(ctx.get(crc.crc) & 0xFF)
                await self.send(ctx, 0xA5)
            self.read_out.append(bytes(out))
            ctx.set(crc.read_out, 0)

    async def send(self, ctx, byte: int) -> int:
        crc = self.crc
        ctx.set(crc.i.valid, 1)
        ctx.set(crc.i.payload, byte)
        cycles = 0
        for _ in range(self.hold):
            ctx.set(crc.hold, 1)
            assert ctx.get(crc.first)
            await ctx.tick()
            cycles += 1
        ctx.set(crc.hold, 0)
        ready = 0
        while not ready:
            assert ctx.get(crc.first) == (cycles == self.hold)
            *_, ready = await ctx.tick().sample(crc.i.ready)
            cycles += 1
        ctx.set(crc.i.valid, 0)
        return cycles


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.lists(st.binary(max_size=12), min_size=1, max_size=4), st.integers(0, 2))
def test_value_and_bytes_read_out_are_zlibs(messages: list[bytes], hold: int) -> None:
    bench = Bench(messages, hold)
    simulate(bench)
    assert bench.values == [zlib.crc32(message) for message in messages]
    assert bench.read_out == [zlib.crc32(m).to_bytes(4, "little") for m in messages]
    assert bench.cycles == [(8 + hold) * len(message) for message in messages]


def test_match_tells_messages_that_end_in_their_crc_from_all_that_differ_in_a_bit() -> None:
    message = b"rbonn\0\xff"
    good = message + zlib.crc32(message).to_bytes(4, "little")
    flipped = [
        (int.from_bytes(good) ^ 1 << bit).to_bytes(len(good)) for bit in range(8 * len(good))
    ]
    bench = Bench([good, *flipped, good])
    simulate(bench)
    assert bench.matches == [1] + [0] * len(flipped) + [1]
