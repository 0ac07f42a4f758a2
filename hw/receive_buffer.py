"""Buffer between a serial line, which cannot wait, and what may have to."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


class ReceiveBuffer(wiring.Component):
    """Holds received bytes until they can be taken; says when one had to be thrown away.

    Inputs are at least two cycles apart; on a serial line they are 38. Latency is 2 cycles, output throughput one byte per 2 cycles. Storage is `depth` x 8 bits of block RAM.

    Parameters
    ----------
    depth : int - a power of two, at least 2

    Members
    -------
    i : In(stream.Signature(8, always_ready=True)) - received bytes
    o : Out(stream.Signature(8)) - the same bytes
    lost : Out(1) - high for one cycle: a byte came while `depth` were waiting, and is lost
    """

    def __init__(self, depth: int) -> None:
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"Buffer depth must be a power of two of at least 2, not {depth!r}")
        self.depth = depth
        super().__init__(
            {
                "i": In(stream.Signature(8, always_ready=True)),
                "o": Out(stream.Signature(8)),
                "lost": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        # Block RAM. Reader and writer meet at an address only when the buffer is empty, and then nothing is read.
        m.submodules.memory = memory = Memory(
            shape=8, depth=self.depth, init=[], attrs={"ram_style": "block", "no_rw_check": 1}
        )
        write, read = memory.write_port(), memory.read_port()
        # Whether the addresses are equal is known one cycle late. That is in time for inputs, which are at least two cycles apart, and
        # for outputs if there is none in the cycle after one.
        equal = Signal(init=1)
        grew = Signal()  # the last change was a byte more: equal addresses mean full
        just_read = Signal()
        full, empty = Signal(), Signal()
        m.d.sync += [equal.eq(write.addr == read.addr), just_read.eq(read.en)]
        m.d.comb += [
            full.eq(equal & grew),
            empty.eq(equal & ~grew),
            write.data.eq(self.i.payload),
            write.en.eq(self.i.valid & ~full),
            self.lost.eq(self.i.valid & full),
            read.en.eq(~empty & ~just_read & (~self.o.valid | self.o.ready)),
            self.o.payload.eq(read.data),
        ]
        with m.If(write.en):
            m.d.sync += [write.addr.eq(write.addr + 1), grew.eq(1)]
        with m.Elif(read.en):
            m.d.sync += grew.eq(0)
        with m.If(read.en):
            m.d.sync += [read.addr.eq(read.addr + 1), self.o.valid.eq(1)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m
