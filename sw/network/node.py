"""What all nodes of the integer network are: constants, the edges they read, and a rule for the edge they write."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from .datatypes import Bipolar, DataType

Shape = tuple[int, int, int]
"""(height, width, channels); a vector is (1, 1, channels)."""


@dataclass(frozen=True, slots=True)
class EdgeType:
    """Element type and (height, width, channels) of one edge, for one image."""

    datatype: DataType
    shape: Shape

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def bits(self) -> int:
        """Bits of one image on this edge."""
        return self.elements * self.datatype.bits


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """What all nodes have: `name` (also of the edge it writes) and `inputs` (names of the edges it reads)."""

    name: str
    inputs: tuple[str, ...]

    ARRAYS: ClassVar[tuple[str, ...]] = ()
    """Fields that are stored as tensors; all other fields are stored as JSON."""

    N_INPUTS: ClassVar[int] = 1

    @property
    def kind(self) -> str:
        return type(self).__name__

    def output(self, *inputs: EdgeType) -> EdgeType:
        raise NotImplementedError


def require(condition: bool, rule: str) -> None:
    """Raises a ValueError that says `rule` unless `condition` holds."""
    if not condition:
        raise ValueError(rule)


def require_integers(x: EdgeType) -> None:
    """Raises a ValueError where the elements are bits of value +1 and -1."""
    require(not isinstance(x.datatype, Bipolar), f"input must be an integer edge, not {x.datatype}")
