"""Nodes that multiply by matrices: convolutions and dense layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .datatypes import Bipolar, DataType, Int
from .node import EdgeType, Node, require


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
        require(self.weights.ndim == 4, f"weights must have 4 axes, not {self.weights.ndim}")
        n_out, kernel_height, kernel_width, n_in = self.weights.shape
        require(n_in == channels, f"weights are for {n_in} channels, the input has {channels}")
        require(self.stride >= 1, f"stride must be at least 1, not {self.stride}")
        require(
            0 <= self.padding < min(kernel_height, kernel_width),
            f"padding must be 0 to kernel - 1, not {self.padding} for {kernel_height} x {kernel_width}",
        )
        require(
            self.pad_value in (-1, 0, 1)
            if isinstance(x.datatype, Bipolar)
            else x.datatype.minimum <= self.pad_value <= x.datatype.maximum,
            f"pad_value {self.pad_value} is not a value of {x.datatype}",
        )
        out_height = (height + 2 * self.padding - kernel_height) // self.stride + 1
        out_width = (width + 2 * self.padding - kernel_width) // self.stride + 1
        require(
            out_height >= 1 and out_width >= 1,
            f"a {kernel_height} x {kernel_width} kernel does not fit into {height} x {width}",
        )
        return EdgeType(
            sum_type(self.matrix, self.weight_type, x.datatype), (out_height, out_width, n_out)
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
        require(self.weights.ndim == 2, f"weights must have 2 axes, not {self.weights.ndim}")
        require(
            self.weights.shape[1] == x.elements,
            f"weights are for {self.weights.shape[1]} inputs, the edge has {x.elements}",
        )
        return EdgeType(
            sum_type(self.weights, self.weight_type, x.datatype), (1, 1, self.weights.shape[0])
        )


def sum_type(matrix: np.ndarray, weight_type: DataType, input_type: DataType) -> DataType:
    """The narrowest signed type that holds every sum of `matrix` times values of `input_type` (zero taps included)."""
    if isinstance(weight_type, Bipolar):
        require(bool(np.all(np.abs(matrix) == 1)), "bipolar weights must be +1 or -1")
    else:
        require(
            matrix.min() >= weight_type.minimum and matrix.max() <= weight_type.maximum,
            f"weights must lie in {weight_type}",
        )
    wide = matrix.astype(np.int64)
    low, high = min(0, input_type.minimum), max(0, input_type.maximum)
    highest = int((np.maximum(wide, 0) * high + np.minimum(wide, 0) * low).sum(axis=1).max())
    lowest = int((np.maximum(wide, 0) * low + np.minimum(wide, 0) * high).sum(axis=1).min())
    return Int.holding(lowest, highest)
