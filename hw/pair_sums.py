"""Adds and subtracts integers in pairs, so that an adder tree with binary weights only has to choose.

Whatever the weights of two lanes are, their products add up to one of x0 + x1, x0 - x1 and the two negatives. The first two are made
here, once for all rows and all uses of a vector; each row then chooses and negates, for each bit with one LUT4 whose inputs are the two sums and
the two weights (`IntegerTree`). Two lanes so cost a row one LUT4 per bit instead of two for the signs and one for the sum.

Everything is an unsigned code of n bits: a two's complement integer with its highest bit inverted, and -x as the complement ~x, constants which
the preset takes back. A pair is ``x0 + x1`` in n + 1 bits, then the upper n bits of ``x0 + ~x1``, whose lowest bit is the
other one inverted: 2 * n + 1 bits. Of an odd number of lanes the last one follows alone, with its n bits.

Latency is 1 cycle, throughput is one transfer per cycle. A reset drops what is held. Storage is the output's registers.
"""

from __future__ import annotations

from dataclasses import dataclass

from amaranth import *
from amaranth.lib import stream, wiring

from .stage import stage_ports


@dataclass(frozen=True, slots=True)
class PairSumsConfig:
    """Shape of a `PairSums`.

    Parameters
    ----------
    element_bits : int - bits of an integer, at least 1
    lanes : int - integers per transfer, at least 1
    transfers : int - transfers of a frame, at least 1; only the numbers per frame depend on it
    signed : bool - integers are two's complement
    """

    element_bits: int
    lanes: int
    transfers: int = 1
    signed: bool = False

    def __post_init__(self) -> None:
        for name in ("element_bits", "lanes", "transfers"):
            if getattr(self, name) < 1:
                subject = name.replace("_", " ").capitalize()
                raise ValueError(f"{subject} must be at least 1, not {getattr(self, name)!r}")

    @property
    def input_width(self) -> int:
        return self.lanes * self.element_bits

    @property
    def output_width(self) -> int:
        return pair_bits(self.element_bits, self.lanes)

    @property
    def inputs_per_frame(self) -> int:
        return self.transfers

    @property
    def outputs_per_frame(self) -> int:
        return self.transfers

    @property
    def interval_cycles(self) -> int:
        """Cycles per frame: every transfer takes one."""
        return self.transfers

    @property
    def latency_cycles(self) -> int:
        """Cycles from the acceptance of a transfer to the offer of its sums."""
        return 1

    def component(self) -> PairSums:
        return PairSums(self)


def pair_bits(element_bits: int, lanes: int) -> int:
    """Bits of a transfer of sums of `lanes` integers of `element_bits` bits."""
    n_pairs, is_odd = divmod(lanes, 2)
    return n_pairs * (2 * element_bits + 1) + is_odd * element_bits


class PairSums(wiring.Component):
    """See the module.

    Members
    -------
    i : In(stream.Signature(unsigned(lanes * element_bits))) - lane 0 least significant
    o : Out(stream.Signature(unsigned(output_width))) - the first pair least significant
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: PairSumsConfig) -> None:
        self.config = config
        super().__init__(stage_ports(config.input_width, config.output_width))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits, lanes = self.config.element_bits, self.config.lanes
        flipped = self.config.signed << (bits - 1)
        codes = [(self.i.payload.word_select(k, bits) ^ flipped)[:bits] for k in range(lanes)]
        parts = []
        for first, second in zip(codes[0::2], codes[1::2], strict=False):
            difference = first + (~second)[:bits]
            parts += [first + second, difference[1 : bits + 1]]
        if lanes % 2:
            parts.append(codes[-1])

        payload = Signal(self.config.output_width, reset_less=True)
        m.d.comb += [self.i.ready.eq(~self.o.valid | self.o.ready), self.o.payload.eq(payload)]
        with m.If(self.i.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), payload.eq(Cat(parts))]
        return m
