"""The nodes of the integer network, as frozen dataclasses with shape and type inference.

A node has a name, the names of the edges it reads, and constants. The edge it writes carries the node's own name.
Every node answers `output(*inputs)`: the type and shape of its output, or a ValueError that says which rule is broken.
What each node computes, to the bit, stands in docs/number_formats.md and is executed by `golden`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .datatypes import Bipolar, DataType, Int, UInt

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


@dataclass(frozen=True, slots=True, eq=False)
class Binarise(Node):
    """``o = +1 if x >= threshold else -1``, one threshold for the whole edge: raw pixels to bits."""

    threshold: int

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        _require_integers(x)
        return EdgeType(Bipolar(), x.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Thermometer(Node):
    """``o[..., c * levels + l] = +1 if x[..., c] >= thresholds[l] else -1``; thresholds (levels,) int64, rising."""

    thresholds: np.ndarray

    ARRAYS: ClassVar[tuple[str, ...]] = ("thresholds",)

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        _require_integers(x)
        _require(bool(np.all(np.diff(self.thresholds) > 0)), "thresholds must rise")
        height, width, channels = x.shape
        return EdgeType(Bipolar(), (height, width, channels * len(self.thresholds)))


@dataclass(frozen=True, slots=True, eq=False)
class Conv(Node):
    """Two-dimensional convolution, or rather correlation: integer sums, no bias.

    weights (out, kernel height, kernel width, in) int8; `weight_type` Bipolar (values +1, -1) or Int(8). `stride` and `padding` count
    pixels, the same on both axes and all four sides. `pad_value` is what a padded tap holds: 0 is exact zero padding.
    """

    weights: np.ndarray
    weight_type: DataType
    stride: int
    padding: int
    pad_value: int

    ARRAYS: ClassVar[tuple[str, ...]] = ("weights",)

    @property
    def kernel(self) -> tuple[int, int]:
        return self.weights.shape[1], self.weights.shape[2]

    @property
    def matrix(self) -> np.ndarray:
        """The weights as (MH, MW), columns in the order kernel row, kernel column, channel."""
        return self.weights.reshape(self.weights.shape[0], -1)

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        height, width, channels = x.shape
        _require(self.weights.ndim == 4, f"weights must have 4 axes, not {self.weights.ndim}")
        n_out, kernel_height, kernel_width, n_in = self.weights.shape
        _require(n_in == channels, f"weights are for {n_in} channels, the input has {channels}")
        _require(self.stride >= 1, f"stride must be at least 1, not {self.stride}")
        _require(
            0 <= self.padding < min(kernel_height, kernel_width),
            f"padding must be 0 to kernel - 1, not {self.padding} for {kernel_height} x {kernel_width}",
        )
        _require(
            self.pad_value in (-1, 0, 1)
            if isinstance(x.datatype, Bipolar)
            else x.datatype.minimum <= self.pad_value <= x.datatype.maximum,
            f"pad_value {self.pad_value} is not a value of {x.datatype}",
        )
        out_height = (height + 2 * self.padding - kernel_height) // self.stride + 1
        out_width = (width + 2 * self.padding - kernel_width) // self.stride + 1
        _require(
            out_height >= 1 and out_width >= 1,
            f"a {kernel_height} x {kernel_width} kernel does not fit into {height} x {width}",
        )
        return EdgeType(
            _sum_type(self.matrix, self.weight_type, x.datatype), (out_height, out_width, n_out)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Dense(Node):
    """Matrix-vector product over the whole flattened edge (height, width, channel order): integer sums, no bias.

    weights (out, in) int8; `weight_type` Bipolar or Int(8).
    """

    weights: np.ndarray
    weight_type: DataType

    ARRAYS: ClassVar[tuple[str, ...]] = ("weights",)

    @property
    def matrix(self) -> np.ndarray:
        """The weights as (MH, MW)."""
        return self.weights

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        _require(self.weights.ndim == 2, f"weights must have 2 axes, not {self.weights.ndim}")
        _require(
            self.weights.shape[1] == x.elements,
            f"weights are for {self.weights.shape[1]} inputs, the edge has {x.elements}",
        )
        return EdgeType(
            _sum_type(self.weights, self.weight_type, x.datatype), (1, 1, self.weights.shape[0])
        )


@dataclass(frozen=True, slots=True, eq=False)
class Threshold(Node):
    """``o[..., c] = +1 if x[..., c] >= thresholds[c] else -1``; thresholds (channels,) int64."""

    thresholds: np.ndarray

    ARRAYS: ClassVar[tuple[str, ...]] = ("thresholds",)

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        _require(
            self.thresholds.shape == x.shape[2:],
            f"{self.thresholds.shape} thresholds for {x.shape[2]} channels",
        )
        return EdgeType(Bipolar(), x.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Affine(Node):
    """``o[..., c] = saturate((x[..., c] * multipliers[c] + offsets[c] + half) >> shift)``, rounded towards +infinity on a tie.

    multipliers and offsets (channels,) int64; half is ``1 << (shift - 1)``, 0 when shift is 0; saturates to `output_type`.
    """

    multipliers: np.ndarray
    offsets: np.ndarray
    shift: int
    output_type: DataType

    ARRAYS: ClassVar[tuple[str, ...]] = ("multipliers", "offsets")

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        _require(
            self.multipliers.shape == x.shape[2:],
            f"{self.multipliers.shape} multipliers for {x.shape[2]} channels",
        )
        _require(
            self.offsets.shape == x.shape[2:],
            f"{self.offsets.shape} offsets for {x.shape[2]} channels",
        )
        _require(0 <= self.shift <= 31, f"shift must be 0 to 31, not {self.shift}")
        _require(bool(np.all(np.abs(self.multipliers) < 1 << 15)), "multipliers must fit 16 bits")
        return EdgeType(self.output_type, x.shape)


@dataclass(frozen=True, slots=True, eq=False)
class MaxPool(Node):
    """Largest value of each `size` x `size` square, squares side by side; what is left over at the far edges is dropped."""

    size: int

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        height, width, channels = x.shape
        _require(self.size >= 1, f"size must be at least 1, not {self.size}")
        _require(
            height >= self.size and width >= self.size,
            f"a {self.size} x {self.size} pool does not fit into {height} x {width}",
        )
        return EdgeType(x.datatype, (height // self.size, width // self.size, channels))


@dataclass(frozen=True, slots=True, eq=False)
class PReLU(Node):
    """``o[..., c] = x if x >= 0 else saturate((x * slopes[c] + half) >> shift)``, rounded towards +infinity on a tie.

    slopes (channels,) int64, of at most 16 bits, negative ones allowed; half is ``1 << (shift - 1)``, 0 when shift is 0; the output has the
    input's type, to which it saturates.
    """

    slopes: np.ndarray
    shift: int

    ARRAYS: ClassVar[tuple[str, ...]] = ("slopes",)

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        _require(
            isinstance(x.datatype, Int), f"input must be a signed integer edge, not {x.datatype}"
        )
        _require(
            self.slopes.shape == x.shape[2:],
            f"{self.slopes.shape} slopes for {x.shape[2]} channels",
        )
        _require(0 <= self.shift <= 31, f"shift must be 0 to 31, not {self.shift}")
        _require(bool(np.all(np.abs(self.slopes) < 1 << 15)), "slopes must fit 16 bits")
        return x


@dataclass(frozen=True, slots=True, eq=False)
class Add(Node):
    """``o = saturate(a + b)``: the sum of two edges of equal shape and equal signed type, in that type."""

    N_INPUTS: ClassVar[int] = 2

    def output(self, *inputs: EdgeType) -> EdgeType:
        a, b = inputs
        _require(a.shape == b.shape, f"shapes must be equal, not {a.shape} and {b.shape}")
        _require(
            a.datatype == b.datatype and isinstance(a.datatype, Int),
            f"types must be one and the same signed integer, not {a.datatype} and {b.datatype}",
        )
        return a


@dataclass(frozen=True, slots=True, eq=False)
class AvgPool(Node):
    """Sum of each `size` x `size` square, squares side by side; the division by ``size ** 2`` is left to the node after it."""

    size: int

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        height, width, channels = x.shape
        _require_integers(x)
        _require(self.size >= 1, f"size must be at least 1, not {self.size}")
        _require(
            height % self.size == 0 and width % self.size == 0,
            f"{self.size} x {self.size} squares do not fill {height} x {width}",
        )
        pixels = (height // self.size, width // self.size)
        return EdgeType(_total_type(x.datatype, self.size**2), (*pixels, channels))


@dataclass(frozen=True, slots=True, eq=False)
class GlobalAvgPool(Node):
    """Sum of all pixels, channel by channel; the division by their number is left to the node after it."""

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        height, width, channels = x.shape
        _require_integers(x)
        return EdgeType(_total_type(x.datatype, height * width), (1, 1, channels))


@dataclass(frozen=True, slots=True, eq=False)
class ConcatChannels(Node):
    """`copies` copies of all channels, one after the other: ``o[..., k * channels + c] = x[..., c]``."""

    copies: int

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        _require(self.copies >= 1, f"copies must be at least 1, not {self.copies}")
        height, width, channels = x.shape
        return EdgeType(x.datatype, (height, width, channels * self.copies))


@dataclass(frozen=True, slots=True, eq=False)
class ArgMax(Node):
    """Index of the largest channel of a (1, 1, channels) edge; the lowest index on a tie."""

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        _require(
            x.shape[:2] == (1, 1), f"input must be 1 x 1 pixels, not {x.shape[0]} x {x.shape[1]}"
        )
        return EdgeType(UInt(max(1, (x.shape[2] - 1).bit_length())), (1, 1, 1))


KINDS: dict[str, type[Node]] = {
    kind.__name__: kind
    for kind in (
        Binarise, Thermometer, Conv, Dense, Threshold, Affine, PReLU, Add, MaxPool, AvgPool, GlobalAvgPool, ConcatChannels, ArgMax,
    )
}  # fmt: skip


def _require(condition: bool, rule: str) -> None:
    if not condition:
        raise ValueError(rule)


def _require_integers(x: EdgeType) -> None:
    _require(
        not isinstance(x.datatype, Bipolar), f"input must be an integer edge, not {x.datatype}"
    )


def _total_type(element: DataType, count: int) -> DataType:
    """The type of `element`'s kind that holds every sum of `count` of its values: log2(count) bits more, rounded up."""
    bits = element.bits + (count - 1).bit_length()
    return UInt(bits) if isinstance(element, UInt) else Int(bits)


def _sum_type(matrix: np.ndarray, weight_type: DataType, input_type: DataType) -> DataType:
    """The narrowest signed type that holds every sum of `matrix` times values of `input_type` (zero taps included)."""
    if isinstance(weight_type, Bipolar):
        _require(bool(np.all(np.abs(matrix) == 1)), "bipolar weights must be +1 or -1")
    else:
        _require(
            matrix.min() >= weight_type.minimum and matrix.max() <= weight_type.maximum,
            f"weights must lie in {weight_type}",
        )
    wide = matrix.astype(np.int64)
    low, high = min(0, input_type.minimum), max(0, input_type.maximum)
    highest = int((np.maximum(wide, 0) * high + np.minimum(wide, 0) * low).sum(axis=1).max())
    lowest = int((np.maximum(wide, 0) * low + np.minimum(wide, 0) * high).sum(axis=1).min())
    return Int.holding(lowest, highest)
