"""What the lanes of an array multiply: the part of a matrix-vector unit that a network's types decide."""

from dataclasses import dataclass
from typing import Protocol

from .beat_tree import BeatTreeConfig
from .integer_tree import IntegerTreeConfig
from .multiplier_tree import MultiplierTreeConfig
from .popcount import PopcountConfig


class Operands(Protocol):
    """Types of activations and weights.

    Members
    -------
    planes : int - transfers that a beat takes: bit planes, lowest first
    is_lane_by_lane : bool - whether each lane of a transfer is one element, so that rows may have lanes of their own
    can_absorb : bool - whether a block RAM can count leaves of the tree
    """

    @property
    def planes(self) -> int: ...
    @property
    def is_lane_by_lane(self) -> bool: ...
    @property
    def can_absorb(self) -> bool: ...
    def tree(self, simd: int, form: str = "portable", absorbed: bool = False) -> BeatTreeConfig:
        """What counts a beat, or one plane of it."""
        ...


@dataclass(frozen=True)
class Bits:
    """Bits times bits: XNOR and popcount. With several planes, integers times bits, plane by plane, from a `BitPlanes` stage.

    Parameters
    ----------
    planes : int - bits of an activation, at least 1; one plane is of +1 and -1
    """

    planes: int = 1
    is_lane_by_lane = True
    can_absorb = True

    def __post_init__(self) -> None:
        if self.planes < 1:
            raise ValueError(f"Planes must be at least 1, not {self.planes!r}")

    def tree(self, simd: int, form: str = "portable", absorbed: bool = False) -> PopcountConfig:
        return PopcountConfig(simd, form, absorbed)


BITS = Bits()
"""Activations and weights of +1 and -1."""


@dataclass(frozen=True)
class Integers:
    """Integers times bits, a beat in every cycle, from a `PairSums` stage.

    Parameters
    ----------
    element_bits : int - bits of an activation, at least 1
    """

    element_bits: int
    planes = 1
    is_lane_by_lane = False
    can_absorb = False

    def tree(self, simd: int, form: str = "portable", absorbed: bool = False) -> IntegerTreeConfig:
        return IntegerTreeConfig(simd, self.element_bits, form)


@dataclass(frozen=True)
class Products:
    """Integers times integers, see `MultiplierTreeConfig`."""

    element_bits: int = 8
    signed: bool = True
    weight_element_bits: int = 8
    multipliers: str = "inferred"
    planes = 1
    is_lane_by_lane = True
    can_absorb = False

    def tree(
        self, simd: int, form: str = "portable", absorbed: bool = False
    ) -> MultiplierTreeConfig:
        return MultiplierTreeConfig(
            simd, self.element_bits, self.signed, self.weight_element_bits, self.multipliers, form
        )
