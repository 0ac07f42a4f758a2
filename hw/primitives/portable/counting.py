"""Counting and accumulating with plain additions."""

from collections.abc import Sequence

from amaranth import *

from ..counting import Adder, Lane


class PortableCounting:
    """See `CountingForm`."""

    carry_lanes = False
    preset_last = False
    inverted_leaves = False

    def waiting(self, lane: Lane) -> Lane:
        return Lane(lane.match)

    def leaves(self, m: Module, leaves: Sequence[Sequence[Lane]]) -> list[Value]:
        return [
            sum((lane.match for lane in leaf[1:]), start=Value.cast(leaf[0].match))
            for leaf in leaves
        ]

    def sums(self, m: Module, adders: Sequence[Adder], bits: Sequence[int]) -> list[Value]:
        results = []
        for adder, n_bits in zip(adders, bits, strict=True):
            total = adder.a if adder.b is None else adder.a + adder.b
            if adder.lane is not None:
                total = total + adder.lane.match
            results.append(total[:n_bits])
        return results

    def accumulated(
        self, m: Module, accumulator: Value, count: Value, lane: Lane | None, start: Value, is_first: Value
    ) -> Value:  # fmt: skip
        total = Mux(is_first, start, accumulator) + count
        if lane is not None:
            total = total + lane.match
        return total[: len(accumulator)]

    def accumulated_owing(
        self, m: Module, accumulator: Value, count: Value, lane: Lane, is_first: Value
    ) -> Value:
        return Mux(is_first, count, accumulator + count + lane.match)[: len(accumulator)]

    def result(
        self, m: Module, accumulator: Value, preset: Value, lane: Lane | None = None
    ) -> Value:
        total = accumulator + preset
        if lane is not None:
            total = total + lane.match
        return total[: len(accumulator)]
