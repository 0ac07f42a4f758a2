"""The largest value of each `size` x `size` square of pixels, squares side by side; on bits the largest value is an OR.

Order, edges, latency and throughput: `square_pool`. What has to be at hand again in the next cycle stays in the output register, so there is no
hazard and no bubble; a row of one word needs no memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from amaranth import *
from amaranth.lib.memory import Memory

from .square_pool import RAM_STYLES, Place, SquarePool, SquarePoolConfig


@dataclass(frozen=True, slots=True)
class MaxPoolConfig(SquarePoolConfig):
    """Shape of a `MaxPool`: parameters as in `SquarePoolConfig`."""

    @property
    def output_bits(self) -> int:
        return self.element_bits

    def component(self) -> MaxPool:
        return MaxPool(self)


class MaxPool(SquarePool):
    """See the module and `SquarePool`."""

    def fold(self, m: Module, place: Place) -> None:
        # The output register holds the newest maximum; one that is not finished is not offered.
        newest = Signal(self.config.input_width)
        payload = Signal(self.config.output_width, reset_less=True)
        partial = self._partial(m, place, newest)
        m.d.comb += [
            self.o.payload.eq(payload),
            newest.eq(Mux(place.is_first, self.i.payload, self._largest(self.i.payload, partial))),
        ]
        with m.If(place.is_kept):
            m.d.sync += payload.eq(newest)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid & place.is_last)

    def _partial(self, m: Module, place: Place, newest: Signal) -> Value:
        """The maximum so far of the square that the input lies in."""
        depth, width = self.config.memory_shape
        if not depth:
            return self.o.payload
        # Read one input ahead; while the input waits, the same word again. The word written in the same cycle is another one,
        # except within a square whose pixels are single words, and those come from the output register: so what a
        # collision reads is never used.
        m.submodules.partials = partials = Memory(
            shape=unsigned(width),
            depth=depth,
            init=[],
            attrs={"ram_style": RAM_STYLES[self.config.memory], "no_rw_check": 1},
        )
        write, read = partials.write_port(), partials.read_port()
        m.d.comb += [
            write.en.eq(place.is_kept),
            write.addr.eq(place.word),
            write.data.eq(newest),
            read.addr.eq(place.next_word),
        ]
        return (
            Mux(place.is_left, read.data, self.o.payload) if self.config.groups == 1 else read.data
        )

    def _largest(self, left: Value, right: Value) -> Value:
        bits = self.config.element_bits
        if bits == 1:
            return left | right
        lanes = []
        for lane in range(self.config.lanes):
            a, b = left.word_select(lane, bits), right.word_select(lane, bits)
            is_right = a.as_signed() < b.as_signed() if self.config.signed else a < b
            lanes.append(Mux(is_right, b, a))
        return Cat(*lanes)
