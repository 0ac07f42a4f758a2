"""Counting and accumulating on iCE40: additions written so that each becomes a carry chain without a wasted cell."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth import *

from ..counting import Adder, Lane
from ..portable import PortableCounting

CHAIN_BITS = 16
"""Longest carry chain that several sums share. Timing analysis adds up all of it, although no carry goes from sum to sum."""


@dataclass(frozen=True)
class Ice40Counting(PortableCounting):
    """See `CountingForm`. All of it is ordinary arithmetic that yosys maps as described; no primitive is instantiated.

    The carry of a logic cell is the majority of its raw inputs I1, I2 and the carry before it, so it cannot compare an
    activation with a weight: lanes are compared in a LUT, whose flip-flop is the register in which they wait. Where
    `carry_lanes`, every sum takes one such lane at its carry-in. The cell before its lowest bit has the lane on both inputs and so
    carries it on: ``{a, lane} + {b, lane}``. The sum of that cell is the carry that enters it: where another sum lies before
    it in the chain, that sum's top bit. So one long addition does all sums of a level, and only its first cell has an unused LUT.

    Cost in LUT4, and in logic cells that use their carry alone:

    * a leaf of 1, 2, 3 lanes: 1, 2, 4 LUT4;
    * a sum of `bits` bits: `bits` LUT4; with lanes, one carry for each chain of at most `CHAIN_BITS` bits;
    * an accumulator of n bits: n LUT4, its start included. With a lane about twice as many, and one carry: the chain sees the
      old accumulator also in the cycle in which a new one starts, so it has to be masked before;
    * the sign of `result`, of n bits: 1 LUT4 and n - 1 carries.

    Parameters
    ----------
    carry_lanes : bool - lanes at the carry-in of every sum: smaller; the router cannot always cope with it on an HX8K
    """

    carry_lanes: bool = False
    preset_last = True

    def leaves(self, m: Module, leaves: Sequence[Sequence[Lane]]) -> list[Value]:
        return [_leaf([lane.match for lane in leaf]) for leaf in leaves]

    def sums(self, m: Module, adders: Sequence[Adder], bits: Sequence[int]) -> list[Value]:
        if not any(adder.lane for adder in adders):
            return super().sums(m, adders, bits)
        return [total for chain in _chains(adders, bits) for total in _chained(chain)]

    def accumulated(
        self, m: Module, accumulator: Value, count: Value, lane: Lane | None, start: Value, is_first: Value
    ) -> Value:  # fmt: skip
        width = len(accumulator)
        first = is_first.replicate(width)
        if lane is None:
            # Gates and not a multiplexer, of which yosys would make a synchronous reset of some of the flip-flops: the cells
            # of one tile share theirs, so that the carry chain would have to leave the tile and enter another.
            restarted = (start + count)[:width]
            return (accumulator + count)[:width] & ~first | restarted & first
        old = accumulator & ~first | start[:width] & first
        return _chained([(Adder(old, count, lane), width)])[0]


def _leaf(matches: list[Value]) -> Value:
    """Number of ones among one to three bits: a full adder whose parity of two bits also selects the carry."""
    if len(matches) == 1:
        return matches[0]
    first, second, *rest = matches
    differ = first ^ second
    if not rest:
        return Cat(differ, first & second)
    return Cat(differ ^ rest[0], Mux(differ, rest[0], first))


def _chains(adders: Sequence[Adder], bits: Sequence[int]) -> list[list[tuple[Adder, int]]]:
    """Sums that share a chain, with their widths and in their order. A chain has at most `CHAIN_BITS` cells, or one sum."""
    chains: list[list[tuple[Adder, int]]] = []
    length = 0
    for adder, n_bits in zip(adders, bits, strict=True):
        length += n_bits
        # Without a lane before it nothing separates a sum from the one before.
        if not chains or adder.lane is None or length >= CHAIN_BITS:
            chains.append([])
            length = n_bits
        chains[-1].append((adder, n_bits))
    return chains


def _chained(chain: Sequence[tuple[Adder, int]]) -> list[Value]:
    """Results of the sums of one chain: a single addition of all operands side by side, the first sum in the lowest bits."""
    a, b, places = [], [], []
    length = 0
    for adder, n_bits in chain:
        if adder.lane is not None:
            a.append(adder.lane.match)
            b.append(adder.lane.match)
            length += 1
        places.append(length)
        # A carry out is the sum of the cell behind these: the one of the next sum's lane.
        width = min(n_bits, max(len(adder.a), len(adder.b) if adder.b is not None else 0))
        a.append(_extended(adder.a, width))
        b.append(_extended(adder.b if adder.b is not None else C(0, 1), width))
        length += width
    # Behind the last sum any pair of equal bits does. With zeros there, yosys would connect the carry with the flip-flop, and
    # placement make two cells of it.
    equal = a[-1][-1]
    total = Cat(*a, equal) + Cat(*b, equal)
    return [total[place : place + n_bits] for place, (_, n_bits) in zip(places, chain, strict=True)]


def _extended(value: Value, width: int) -> Value:
    """The lowest `width` bits of an unsigned value, which may have fewer."""
    return Cat(value, C(0, width))[:width]
