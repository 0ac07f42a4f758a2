"""Number of matches in one beat of a row, as a tree of adders with a register after each level."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from amaranth import *
from amaranth.lib import wiring

from .beat_tree import tree_ports
from .primitives import COUNTING_FORMS, Adder, CountingForm, Lane
from .registers import registers

LEAF_LANES = 3
"""Lanes that a leaf counts at once: the most whose count fits two bits."""


@dataclass(frozen=True)
class PopcountConfig:
    """Shape of a popcount tree.

    Without carry lanes, every lane enters at a leaf. With them, the tree has one leaf for every four lanes: each of its adders takes one more
    lane at its carry-in, and the accumulator behind the tree may take the last one.

    Parameters
    ----------
    simd : int - lanes of a beat, at least 1
    form : str - one of `COUNTING_FORMS`
    absorbed : bool - whether leaves have been counted by the weight memory, see `Popcount`
    """

    simd: int
    form: str = "portable"
    absorbed: bool = False

    def __post_init__(self) -> None:
        if self.simd < 1:
            raise ValueError(f"SIMD must be at least 1, not {self.simd!r}")
        if self.form not in COUNTING_FORMS:
            raise ValueError(f"Form must be one of {tuple(COUNTING_FORMS)}, not {self.form!r}")

    step = 2
    """What a match adds to a sum of +1 and -1."""

    @property
    def counting(self) -> CountingForm:
        return COUNTING_FORMS[self.form]

    @property
    def activation_bits(self) -> int:
        return self.simd

    @property
    def most(self) -> int:
        """The most that a beat can count: all its lanes."""
        return self.simd

    @cached_property
    def leaves(self) -> tuple[tuple[int, ...], ...]:
        """Lanes that each leaf counts."""
        n_leaves = -(-self.simd // (LEAF_LANES + self.counting.carry_lanes))
        lanes = range(min(self.simd, n_leaves * LEAF_LANES))
        return tuple(
            tuple(lanes[k : k + LEAF_LANES]) for k in range(0, n_leaves * LEAF_LANES, LEAF_LANES)
        )

    @cached_property
    def carry_lanes(self) -> tuple[int, ...]:
        """Lanes at the carry-in of adders, level by level; where they are as many as the leaves, the last one is the accumulator's."""
        return tuple(range(len(self.leaves) * LEAF_LANES, self.simd))

    @property
    def has_late_lane(self) -> bool:
        """Whether the accumulator has to take a lane."""
        return len(self.carry_lanes) == len(self.leaves)

    @property
    def output_bits(self) -> int:
        """Bits of the count, which reaches all lanes but the late one."""
        return (self.simd - self.has_late_lane).bit_length()

    @cached_property
    def levels(self) -> int:
        """Levels of adders above the leaves."""
        return (len(self.leaves) - 1).bit_length()

    @property
    def latency_cycles(self) -> int:
        """Enabled cycles from a beat to its count: one per level, leaves included unless they are absorbed."""
        return self.levels + (not self.absorbed)

    @property
    def leaf_bits(self) -> tuple[int, ...]:
        """Bits of each leaf's count."""
        return tuple(len(leaf).bit_length() for leaf in self.leaves)

    @property
    def weight_bits(self) -> int:
        """Bits of a beat's weights for one row; where leaves are absorbed, of their counts and of the carry lanes' matches."""
        return sum(self.leaf_bits) + len(self.carry_lanes) if self.absorbed else self.simd

    def component(self) -> "Popcount":
        return Popcount(self)


class Popcount(wiring.Component):
    """Counts the lanes of a beat that match: ``o + late match = sum(activations[k] == weights[k] for k in range(simd))``.

    Each level ends in registers, so that a flip-flop shares its logic cell with the adder bit before it and no path is longer than
    one adder. Lanes that enter later wait in registers.

    Latency is `config.latency_cycles` enabled cycles, for the late lane too; throughput is one beat per enabled cycle. There is no valid
    flag: the surroundings delay their own by the same number of enabled cycles.

    Where leaves are absorbed, `weights` holds the counts of all leaves, the first one least significant, then one match for each
    carry lane, and `activations` is not looked at.

    Members
    -------
    enable : In(1) - the registers move only while this is high
    activations : In(simd)
    weights : In(weight_bits)
    o : Out(output_bits) - the count
    late_activation, late_weight : Out(1) - the lane that the accumulator adds, matching where both are equal; 0 and 1 if there is none
    """

    def __init__(self, config: PopcountConfig) -> None:
        self.config = config
        super().__init__(tree_ports(config, late_lane=True))

    def elaborate(self, platform) -> Module:
        m = Module()
        config = self.config
        counts, most, waiting = self._leaves(m)
        for level in range(config.levels):
            counts, most, waiting = self._level(m, level, counts, most, waiting)
        m.d.comb += self.o.eq(~counts[0] if self._are_inverted(config.levels) else counts[0])
        late = waiting[0] if config.has_late_lane else Lane(C(0, 1), C(1, 1))
        m.d.comb += [
            self.late_activation.eq(late.activation),
            self.late_weight.eq(C(1, 1) if late.weight is None else late.weight),
        ]
        return m

    def _leaves(self, m: Module) -> tuple[list[Value], list[int], list[Lane]]:
        """Counts of the leaves, the most that each can be, and the carry lanes beside them."""
        config = self.config
        most = [len(leaf) for leaf in config.leaves]
        if config.absorbed:
            counts, at = [], 0
            for bits in config.leaf_bits:
                counts.append(self.weights[at : at + bits])
                at += bits
            return counts, most, [Lane(match) for match in self.weights[at:]]
        lanes = [
            Lane(activation, weight)
            for activation, weight in zip(self.activations, self.weights, strict=True)
        ]
        counts = config.counting.leaves(m, [[lanes[k] for k in leaf] for leaf in config.leaves])
        return (
            registers(m, self.enable, "leaf", counts),
            most,
            self._waiting(m, "leaf", [lanes[k] for k in config.carry_lanes]),
        )

    def _are_inverted(self, level: int) -> bool:
        """Whether the counts below that level of adders are given with all bits inverted."""
        return level == 0 and not self.config.absorbed and self.config.counting.inverted_leaves

    def _level(
        self, m: Module, level: int, counts: list[Value], most: list[int], waiting: list[Lane]
    ) -> tuple[list[Value], list[int], list[Lane]]:
        """Pairs of counts and a carry lane for each pair, as far as there are lanes; an odd count passes."""
        adders, results = [], []
        inverted = self._are_inverted(level)
        for k in range(0, len(counts), 2):
            if k + 1 == len(counts):
                adders.append(Adder(counts[k], inverted=inverted))
                results.append(most[k])
                continue
            lane = waiting.pop(0) if waiting else None
            adders.append(Adder(counts[k], counts[k + 1], lane, inverted))
            results.append(most[k] + most[k + 1] + (lane is not None))
        bits = [result.bit_length() for result in results]
        sums = self.config.counting.sums(m, adders, bits)
        name = f"level{level}"
        return registers(m, self.enable, name, sums), results, self._waiting(m, name, waiting)

    def _waiting(self, m: Module, name: str, lanes: Sequence[Lane]) -> list[Lane]:
        """The lanes one level later."""
        waiting = [self.config.counting.waiting(lane) for lane in lanes]
        activations = registers(
            m, self.enable, f"{name}_activation", [lane.activation for lane in waiting]
        )
        weights = iter(
            registers(
                m,
                self.enable,
                f"{name}_weight",
                [lane.weight for lane in waiting if lane.weight is not None],
            )
        )
        return [
            Lane(activation, None if lane.weight is None else next(weights))
            for activation, lane in zip(activations, waiting, strict=True)
        ]
