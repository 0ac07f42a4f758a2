"""Consistent overhead byte stuffing: frames of any bytes as runs of nonzero bytes, each frame ended by a zero byte.

A block is a code byte n, from 1 to 255, and n - 1 nonzero bytes; it stands for these bytes and, if n is below 255, a zero byte
after them. The zero after the frame's last block is not part of the frame.

References
----------
S. Cheshire, M. Baker, Consistent Overhead Byte Stuffing, IEEE/ACM Transactions on Networking 7 (2), 1999, section III
"""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

MAX_CODE = 255
"""Code of a block of 254 bytes that no zero byte follows."""


class CobsDecoder(wiring.Component):
    """Turns encoded bytes into the frame's bytes.

    Empty frames (delimiters in a row) give nothing. A byte is looked at in one cycle and given, or dropped, from the next one on.

    Throughput is one byte per 2 cycles, latency 1.

    Members
    -------
    i : In(stream.Signature(8)) - encoded bytes
    o : Out(stream.Signature(StructLayout)) - decoded bytes: `byte`; after those of a frame one transfer with `end` high, whose `byte` is 0
        and whose `damaged` says that the delimiter came inside a block
    """

    def __init__(self) -> None:
        layout = data.StructLayout({"byte": 8, "end": 1, "damaged": 1})
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(layout))})

    def elaborate(self, platform) -> Module:
        m = Module()
        left = Signal(8, init=1)  # bytes of the block still to come, and one: 1 asks for a code
        starting = Signal(init=1)  # no byte of this frame has been taken
        no_zero = Signal()  # the block's code was 255

        # What the offered byte is; known from the cycle after the one in which it is first offered.
        looked = Signal()
        delimiter, code, gives = Signal(), Signal(), Signal()
        m.d.sync += [
            looked.eq(self.i.valid & ~self.i.ready),
            delimiter.eq(self.i.payload == 0),
            code.eq(left == 1),
            # The first code stands for nothing; later ones for the zero that ended the block before.
            gives.eq(Mux(self.i.payload == 0, ~starting, ~((left == 1) & (starting | no_zero)))),
        ]
        m.d.comb += [
            self.o.valid.eq(looked & gives),
            self.o.payload.byte.eq(Mux(code, 0, self.i.payload)),
            self.o.payload.end.eq(delimiter),
            self.o.payload.damaged.eq(~code),
            self.i.ready.eq(looked & (~gives | self.o.ready)),
        ]
        with m.If(self.i.ready):
            # Written so that the choice and the subtraction share a LUT4 with the carry.
            counting = Signal()
            m.d.comb += counting.eq(~code)
            m.d.sync += [
                starting.eq(delimiter),
                left.eq(Mux(counting, left + counting.replicate(8), self.i.payload)),
            ]
            with m.If(code):
                m.d.sync += no_zero.eq(self.i.payload == MAX_CODE)
            with m.If(delimiter):
                m.d.sync += left.eq(1)
        return m


class CobsEncoder(wiring.Component):
    """Turns a frame's bytes into encoded bytes and the delimiter.

    A code stands before the bytes it counts, so a block waits in a ring of 256 bytes until it is complete; frames may be of any length.
    After reset the first output is a delimiter.

    Latency from the byte that completes a block to the block's first output is 3 cycles. Throughput is one byte, delimiter
    or code per 2 cycles, in and out.
    Storage is 256 x 8 bits of block RAM.

    Members
    -------
    i : In(stream.Signature(StructLayout)) - `byte`; after those of a frame one transfer with `end` high, whose `byte` is ignored
    o : Out(stream.Signature(8)) - encoded bytes
    """

    def __init__(self) -> None:
        layout = data.StructLayout({"byte": 8, "end": 1})
        super().__init__({"i": In(stream.Signature(layout)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform) -> Module:
        m = Module()
        # Block RAM: 256 x 8 bits are half of one on the smallest devices. A byte is never read in the cycle it is written.
        m.submodules.ring = ring = Memory(
            shape=8, depth=256, init=[], attrs={"ram_style": "block", "no_rw_check": 1}
        )
        write, read = ring.write_port(), ring.read_port()
        head = Signal(8)  # where the open block's code will stand; all before it may be read
        tail = Signal(8, init=1)  # where the next byte goes
        start = Signal(8)  # the next byte to read
        code = Signal(8, init=1)  # of the open block: its bytes and one
        ended = Signal(init=1)  # the last block of a frame is closed, its delimiter is not written
        close = Signal()
        # The open block's code always has its place, so equal pointers mean a full ring. Known one cycle late, thus not in the cycle
        # after a write.
        room = Signal()
        m.d.sync += room.eq((tail != start) & ~write.en)
        m.d.comb += [
            close.eq(
                ended
                | (
                    self.i.valid
                    & (self.i.payload.end | (code == MAX_CODE) | (self.i.payload.byte == 0))
                )
            ),
            write.en.eq(room & (ended | self.i.valid)),
            write.addr.eq(Mux(close, head, tail)),
            write.data.eq(Mux(close, Mux(ended, 0, code), self.i.payload.byte)),
            # A full block is closed before the byte after it is looked at, unless the frame ends there.
            self.i.ready.eq(room & ~ended & (self.i.payload.end | (code != MAX_CODE))),
        ]
        with m.If(write.en):
            m.d.sync += [
                tail.eq(tail + 1),
                code.eq(code + 1),
                ended.eq(~ended & self.i.payload.end),
            ]
            with m.If(close):
                m.d.sync += [head.eq(tail), code.eq(1)]

        # Reading: a byte may be fetched when the output is free or being emptied; again, not in two cycles running.
        fetch, available = Signal(), Signal()
        m.d.sync += available.eq((start != head) & ~fetch)
        m.d.comb += [
            fetch.eq(available & (~self.o.valid | self.o.ready)),
            read.addr.eq(start),
            read.en.eq(fetch),
            self.o.payload.eq(read.data),
        ]
        with m.If(fetch):
            m.d.sync += [start.eq(start + 1), self.o.valid.eq(1)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m
