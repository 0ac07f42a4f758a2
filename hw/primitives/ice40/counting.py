"""Counting and accumulating on iCE40: additions written so that each becomes a carry chain without a wasted cell."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth import *

from ..counting import Adder, Lane
from ..portable import PortableCounting


@dataclass(frozen=True)
class Ice40Counting(PortableCounting):
    """See `CountingForm`. All of it is ordinary arithmetic that yosys maps as described; no primitive is instantiated.

    The carry of a logic cell is the majority of its raw inputs I1, I2 and the carry before it, so it cannot compare an
    activation with a weight: lanes are compared in a LUT, whose flip-flop is the register in which they wait. Where
    `carry_lanes`, every sum takes one such lane at its carry-in, as ``{a, lane} + {b, 1}``: one cell, whose LUT is not used, brings the lane
    into the chain.

    ``{a, lane} + {b, lane}`` says the same, but nextpnr's default router often does not come to an end on an HX8K where cells have one
    net at two inputs: 0 of 2 runs were routed here, and with the constant nearly all. Without any such pair, all were.

    Cost in LUT4, and in logic cells that use their carry alone:

    * a leaf of 1, 2, 3 lanes: 1, 2, 4 LUT4;
    * a sum of `bits` bits: `bits` LUT4; with a lane, one cell. Without `twin_inputs` two cells for the top bit, which nobody counts as LUT4;
    * an accumulator of n bits that starts at 0: n LUT4, the start included; one cell with a lane that waits in `accumulated_owing`. With another start, or
      a lane in every cycle, about twice as many LUT4: the chain sees the old accumulator also in the cycle in which a new one starts;
    * the sign of `result`, of n bits: 1 LUT4 and n - 1 cells, one more with a lane.

    Parameters
    ----------
    carry_lanes : bool - lanes at the carry-in of every sum: smaller
    twin_inputs : bool - whether a net may be at two inputs of a cell
    """

    carry_lanes: bool = False
    twin_inputs: bool = True
    preset_last = True

    def leaves(self, m: Module, leaves: Sequence[Sequence[Lane]]) -> list[Value]:
        return [_leaf([lane.match for lane in leaf]) for leaf in leaves]

    def sums(self, m: Module, adders: Sequence[Adder], bits: Sequence[int]) -> list[Value]:
        return [self._sum(adder, n_bits) for adder, n_bits in zip(adders, bits, strict=True)]

    def accumulated(
        self, m: Module, accumulator: Value, count: Value, lane: Lane | None, start: Value, is_first: Value
    ) -> Value:  # fmt: skip
        width = len(accumulator)
        first = is_first.replicate(width)
        if lane is None and isinstance(start, Const) and start.value == 0:
            # Gates and not a multiplexer, of which yosys would make a synchronous reset of some of the flip-flops: the cells
            # of one tile share theirs, so that the carry chain would have to leave the tile and enter another.
            total = self._sum(Adder(accumulator, count), width)
            return total & ~first | _extended(count, width) & first
        old = accumulator & ~first | start[:width] & first
        return self._sum(Adder(old, count, lane), width)

    def accumulated_owing(
        self, m: Module, accumulator: Value, count: Value, lane: Lane, is_first: Value
    ) -> Value:
        # In the first cycle the chain adds the old accumulator and the lane, but what leaves is the count.
        width = len(accumulator)
        first = is_first.replicate(width)
        total = self._sum(Adder(accumulator, count, lane), width)
        return total & ~first | _extended(count, width) & first

    def result(
        self, m: Module, accumulator: Value, preset: Value, lane: Lane | None = None
    ) -> Value:
        return self._sum(Adder(accumulator, preset, lane), len(accumulator))

    def _sum(self, adder: Adder, n_bits: int) -> Value:
        """The lowest `n_bits` bits of the sum."""
        if adder.b is None and adder.lane is None:
            return adder.a[:n_bits]
        b = adder.b if adder.b is not None else C(0, 1)
        width = min(n_bits, max(len(adder.a), len(b)))
        # A carry out is the sum of a cell with any pair of equal bits. With zeros there, yosys connects the carry with the flip-flop, and
        # placement makes two cells of it.
        a, equal = _extended(adder.a, width), C(0, 1)
        if self.twin_inputs:
            equal = a[-1]
        a, b = Cat(a, equal), Cat(_extended(b, width), equal)
        if adder.lane is not None:
            return (Cat(adder.lane.match, a) + Cat(C(1, 1), b))[1 : n_bits + 1]
        return (a + b)[:n_bits]


def _leaf(matches: list[Value]) -> Value:
    """Number of ones among one to three bits: a full adder whose parity of two bits also selects the carry."""
    if len(matches) == 1:
        return matches[0]
    first, second, *rest = matches
    differ = first ^ second
    if not rest:
        return Cat(differ, first & second)
    return Cat(differ ^ rest[0], Mux(differ, rest[0], first))


def _extended(value: Value, width: int) -> Value:
    """The lowest `width` bits of an unsigned value, which may have fewer."""
    return Cat(value, C(0, width))[:width]
