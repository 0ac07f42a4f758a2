"""What the proofs about requests and answers have in common: a small board, and any CRC in place of the real one, which has its own proof."""

from __future__ import annotations

from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import Module, Signal
from rbonn.hw.crc import Crc32
from rbonn.hw.protocol import ElementKind, Info

INFO = Info(
    name="",
    design_hash=bytes(8),
    weights_hash=bytes(8),
    element_kind=ElementKind.UNSIGNED,
    element_bits=8,
    shape=(1, 2, 1),
    n_classes=1,
    score_bits=3,
    clock_hz=1_000_000,
    interval_cycles=2,
)
"""Images of two bytes, one score, and none of the commands that a board may lack."""


class AnyCrc(Crc32):
    """A CRC that takes two cycles or more for a byte, says what it likes of a frame, and has any four bytes of its own.

    The real one takes eight cycles; whatever holds beside this one holds beside that one.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        is_later, matches = Signal(), Signal()
        own = AnyConst(32)
        m.d.comb += [
            self.first.eq(~is_later),
            self.i.ready.eq(is_later & AnySeq(1)),
            self.match.eq(matches),
            self.crc.eq(own),
        ]
        with m.If(self.i.valid & ~(self.first & self.hold)):
            m.d.sync += is_later.eq(~self.i.ready)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += matches.eq(AnySeq(1))
        return m
