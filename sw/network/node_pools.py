"""Nodes that move or gather elements: pools, copies of channels, and the choice of the largest."""

from __future__ import annotations

from dataclasses import dataclass

from .datatypes import DataType, Int, UInt
from .node import EdgeType, Node, require, require_integers


@dataclass(frozen=True, slots=True, eq=False)
class MaxPool(Node):
    """Largest value of each `size` x `size` square, squares side by side; what is left over at the far edges is dropped."""

    size: int

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        height, width, channels = x.shape
        require(self.size >= 1, f"size must be at least 1, not {self.size}")
        require(
            height >= self.size and width >= self.size,
            f"a {self.size} x {self.size} pool does not fit into {height} x {width}",
        )
        return EdgeType(x.datatype, (height // self.size, width // self.size, channels))


@dataclass(frozen=True, slots=True, eq=False)
class AvgPool(Node):
    """Sum of each `size` x `size` square, squares side by side; the division by ``size ** 2`` is left to the node after it."""

    size: int

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        height, width, channels = x.shape
        require_integers(x)
        require(self.size >= 1, f"size must be at least 1, not {self.size}")
        require(
            height % self.size == 0 and width % self.size == 0,
            f"{self.size} x {self.size} squares do not fill {height} x {width}",
        )
        pixels = (height // self.size, width // self.size)
        return EdgeType(total_type(x.datatype, self.size**2), (*pixels, channels))


@dataclass(frozen=True, slots=True, eq=False)
class GlobalAvgPool(Node):
    """Sum of all pixels, channel by channel; the division by their number is left to the node after it."""

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        height, width, channels = x.shape
        require_integers(x)
        return EdgeType(total_type(x.datatype, height * width), (1, 1, channels))


@dataclass(frozen=True, slots=True, eq=False)
class ConcatChannels(Node):
    """`copies` copies of all channels, one after the other: ``o[..., k * channels + c] = x[..., c]``."""

    copies: int

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        require(self.copies >= 1, f"copies must be at least 1, not {self.copies}")
        height, width, channels = x.shape
        return EdgeType(x.datatype, (height, width, channels * self.copies))


@dataclass(frozen=True, slots=True, eq=False)
class ArgMax(Node):
    """Index of the largest channel of a (1, 1, channels) edge; the lowest index on a tie."""

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        require(
            x.shape[:2] == (1, 1), f"input must be 1 x 1 pixels, not {x.shape[0]} x {x.shape[1]}"
        )
        return EdgeType(UInt(max(1, (x.shape[2] - 1).bit_length())), (1, 1, 1))


def total_type(element: DataType, count: int) -> DataType:
    """The type of `element`'s kind that holds every sum of `count` of its values: log2(count) bits more, rounded up."""
    bits = element.bits + (count - 1).bit_length()
    return UInt(bits) if isinstance(element, UInt) else Int(bits)
