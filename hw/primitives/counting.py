"""The arithmetic of a processing element, as each device has to supply it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from amaranth import *


class Lane(NamedTuple):
    """One column of a row: an activation and a weight, which match where they are equal.

    Without a weight, `activation` is 1 where they match: somebody has compared them already.
    """

    activation: Value
    weight: Value | None = None

    @property
    def match(self) -> Value:
        """1 where activation and weight agree."""
        return self.activation if self.weight is None else ~(self.activation ^ self.weight)


class Adder(NamedTuple):
    """``a + b + lane.match``, a sum of two counts and perhaps one more lane; without a `b`, `a` passes through.

    Where `inverted`, all bits of the stated `a` and `b` are the opposite of those that are meant.
    """

    a: Value
    b: Value | None = None
    lane: Lane | None = None
    inverted: bool = False


class CountingForm(Protocol):
    """Combinational arithmetic on one device. Registers between the levels belong to the caller.

    Members
    -------
    carry_lanes : bool - whether every adder may take a lane at its carry-in, where it costs less than in a leaf
    preset_last : bool - whether the preset is cheaper behind the accumulator (`result`) than as its start (`accumulated`)
    inverted_leaves : bool - whether leaves answer their counts with all bits inverted, because adders take them so for nothing
    """

    @property
    def carry_lanes(self) -> bool: ...
    @property
    def preset_last(self) -> bool: ...
    @property
    def inverted_leaves(self) -> bool: ...

    def waiting(self, lane: Lane) -> Lane:
        """What to store of a lane that waits for its adder: its match, or both its parts where the adder compares for nothing."""
        ...

    def leaves(self, m: Module, leaves: Sequence[Sequence[Lane]]) -> list[Value]:
        """Number of matches in each group of one to three lanes: one or two bits each, inverted where `inverted_leaves`."""
        ...

    def sums(self, m: Module, adders: Sequence[Adder], bits: Sequence[int]) -> list[Value]:
        """Result of each adder of one level, of `bits` bits, which it never exceeds."""
        ...

    def accumulated(
        self, m: Module, accumulator: Value, count: Value, lane: Lane | None, start: Value, is_first: Value
    ) -> Value:  # fmt: skip
        """``(start if is_first else accumulator) + count + lane.match``, as wide as the accumulator.

        `start` is the preset, or a constant 0 where `preset_last`.
        """
        ...

    def accumulated_owing(
        self, m: Module, accumulator: Value, count: Value, lane: Lane, is_first: Value
    ) -> Value:
        """``count if is_first else accumulator + count + lane.match``: `result` is given the lane that is left out."""
        ...

    def result(
        self, m: Module, accumulator: Value, preset: Value, lane: Lane | None = None
    ) -> Value:
        """``accumulator + preset + lane.match``, two's complement and equally wide. Only asked for where `preset_last`."""
        ...
