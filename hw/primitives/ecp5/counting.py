"""Counting and accumulating on ECP5: carry chains whose lookup tables compare, load and add at once."""

from collections.abc import Sequence

from amaranth import *

from ..counting import Adder, Lane
from ..portable import PortableCounting
from .carry_chain import ZERO, CarryChain, Operand, bit

LONGEST_CHAIN = 20
"""Halves after which a chain takes no more adders: timing analysis counts a way through all of them, and a long one finds a place only far from
what it counts."""


class Ecp5Counting(PortableCounting):
    """See `CountingForm`.

    All adders of a module share a chain, of whichever level they are, as long as it is not too long. A half of a cell compares two
    lanes and adds them: three lanes cost two halves, two counts of k bits and a lane k + 1, an accumulator of k bits k + 1.
    """

    carry_lanes = True
    preset_last = False
    inverted_leaves = True

    def waiting(self, lane: Lane) -> Lane:
        return lane

    def leaves(self, m: Module, leaves: Sequence[Sequence[Lane]]) -> list[Value]:
        return [self._leaf(m, leaf) for leaf in leaves]

    def _leaf(self, m: Module, leaf: Sequence[Lane]) -> Value:
        """The count of a leaf with all bits inverted; of three lanes, that is the number of those that do not match."""
        if len(leaf) < 3:
            # One lookup table for each bit.
            one, other = leaf[0].match, leaf[-1].match
            return ~one if len(leaf) == 1 else ~Cat(one ^ other, one & other)
        chain = _begin(m, _differs(leaf[0]))
        return Cat(chain.add(_differs(leaf[1]), _differs(leaf[2])), chain.carry())

    def sums(self, m: Module, adders: Sequence[Adder], bits: Sequence[int]) -> list[Value]:
        return [self._sum(m, adder, n_bits) for adder, n_bits in zip(adders, bits, strict=True)]

    def _sum(self, m: Module, adder: Adder, n_bits: int) -> Value:
        if adder.b is None and adder.lane is None:
            return (~adder.a if adder.inverted else adder.a)[:n_bits]
        a, b = adder.a, C(0, 0) if adder.b is None else adder.b
        chain = _begin(m, _match(adder.lane))
        total = [
            chain.add(_bit(a, place, adder.inverted), _bit(b, place, adder.inverted))
            for place in range(min(max(len(a), len(b)), n_bits))
        ]
        if len(total) < n_bits:
            total.append(chain.carry())
        return Cat(total)

    def accumulated(
        self, m: Module, accumulator: Value, count: Value, lane: Lane | None, start: Value, is_first: Value
    ) -> Value:  # fmt: skip
        chain = _begin(m, _match(lane))
        # A half loads for nothing, as long as it loads while its pin D is 0.
        later = ~is_first
        is_always_first = isinstance(is_first, Const) and is_first.value == 1
        is_zero = isinstance(start, Const) and start.value == 0
        total = []
        for place in range(len(accumulator)):
            if is_always_first:
                before = bit(start[place])
            elif is_zero:
                before = Operand(lambda old, again: old & again, (accumulator[place], later))
            else:
                before = Operand(
                    lambda old, new, again: old if again else new,
                    (accumulator[place], start[place], later),
                )
            if place < len(count):
                total.append(chain.add(bit(count[place]), before))
            else:
                total.append(chain.add(ZERO, before))
        return Cat(total)


def _begin(m: Module, lowest: Operand) -> CarryChain:
    """The chain of `m`, or a new one, with the start of an adder on it."""
    chain, number = None, 0
    while (found := getattr(m.submodules, f"chain{number}", None)) is not None:
        chain, number = found, number + 1
    if chain is None or len(chain) >= LONGEST_CHAIN:
        m.submodules[f"chain{number}"] = chain = CarryChain()
    chain.start(lowest)
    return chain


def _bit(value: Value, place: int, inverted: bool) -> Operand:
    if place >= len(value):
        return ZERO
    return Operand(lambda x: 1 - x, (value[place],)) if inverted else bit(value[place])


def _match(lane: Lane | None) -> Operand:
    if lane is None:
        return ZERO
    if lane.weight is None:
        return bit(lane.activation)
    return Operand(lambda a, w: 1 - (a ^ w), (lane.activation, lane.weight))


def _differs(lane: Lane) -> Operand:
    """The opposite of a match: of two such lanes a lookup table makes the sum and the carry, of two matches it cannot."""
    if lane.weight is None:
        return Operand(lambda x: 1 - x, (lane.activation,))
    return Operand(lambda a, w: a ^ w, (lane.activation, lane.weight))
