"""Start values of the accumulators: thresholds or biases, and what takes back what is counted beyond the sum."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..network import Affine, Conv, DataType, Dense, EdgeType, Threshold


@dataclass(frozen=True, slots=True, eq=False)
class Presets:
    """Presets of one matrix-vector layer.

    The array counts something of each row from which its signed sum follows: ``sum = divisor * count - offset``. Matches p of N columns, padded
    taps read as -1, are ``sum = 2p - N`` and the sum of the weights at the padded taps, which depends on the pixel's border class only; products of
    integers are counted as they are, as unsigned codes (docs/hardware/operands.md).

    Members
    -------
    values : int64 (row classes, column classes, MH) - where each accumulator starts
    row_classes, column_classes : tuple of int - class of each output row and column
    lowest, highest : int - range of the accumulators, start values included
    step : int - what one count adds: 2 for sums of matches, else 1
    divisor : int - what one count is worth: 2 for matches, 1 for products
    offset : int64 (row classes, column classes, MH)
    """

    values: np.ndarray
    row_classes: tuple[int, ...]
    column_classes: tuple[int, ...]
    lowest: int
    highest: int
    step: int
    divisor: int
    offset: np.ndarray

    @property
    def accumulator_bits(self) -> int:
        """Bits of a two's complement accumulator that never overflows."""
        magnitude = max(self.highest, ~self.lowest)
        return magnitude.bit_length() + 1

    def observed(self, sums: np.ndarray) -> np.ndarray:
        """What the accumulators hold at the end, from the golden model's signed sums (images, height, width, MH), same shape."""
        rows, columns = np.array(self.row_classes), np.array(self.column_classes)
        at = (rows[:, None], columns[None, :])
        counts = (sums + self.offset[at]) // self.divisor
        return self.values[at] + self.step * counts


@dataclass(frozen=True, slots=True, eq=False)
class ProductCount:
    """What a row counts of products of integers.

    Parameters
    ----------
    offset : int64 (MH) - what is counted beyond the signed sum
    most : int - the most that a row can count
    """

    offset: np.ndarray
    most: int


def layer_presets(
    node: Conv | Dense,
    output: EdgeType,
    source: EdgeType,
    consumer: Threshold | Affine | None,
    products: ProductCount | None = None,
) -> Presets:
    """Presets of a layer whose sums go to `consumer`: a threshold, an integer bias, or nothing. Without `products` it counts matches.

    With p matches the signed sum is ``2p - N + weight_at_padding``. A threshold t asks for at least
    ``ceil((t + N - weight_at_padding) / 2)`` matches: the accumulator starts at minus that number and its sign is the answer.
    A bias b makes it start at ``b - N + weight_at_padding`` and count matches twice. Of products, sum and offset are counted: it starts at
    ``-t - offset`` or ``b - offset``.
    """
    mh, mw = node.matrix.shape
    if products is None:
        row_classes, column_classes, at_padding = _padding(node, output, source)
        offset, divisor, most = mw - at_padding, 2, mw
    else:
        row_classes, column_classes = (0,) * output.shape[0], (0,) * output.shape[1]
        offset, divisor, most = products.offset.reshape(1, 1, mh), 1, products.most
    if isinstance(consumer, Threshold):
        step = 1
        # What can never be counted and what always is: thresholds beyond that mean the same.
        if products is None:
            values = np.clip((-consumer.thresholds - offset) // divisor, -(mw + 1), 0)
        else:
            lowest, highest = sum_ranges(node.matrix, source.datatype)
            values = -np.clip(consumer.thresholds, lowest, highest + 1) - offset
    else:
        step = divisor
        bias = consumer.offsets if consumer is not None else np.zeros(mh, np.int64)
        values = bias - offset
    return Presets(
        values=values,
        row_classes=row_classes,
        column_classes=column_classes,
        lowest=int(values.min()),
        highest=int(values.max()) + step * most,
        step=step,
        divisor=divisor,
        offset=offset,
    )


def sum_ranges(matrix: np.ndarray, datatype: DataType) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest sum of each row of `matrix` (MH, MW) times values of `datatype`, zeros included: two int64 (MH)."""
    wide = matrix.astype(np.int64)
    low, high = min(0, datatype.minimum), max(0, datatype.maximum)
    positive, negative = np.maximum(wide, 0).sum(axis=1), np.minimum(wide, 0).sum(axis=1)
    return positive * low + negative * high, positive * high + negative * low


def _padding(
    node: Conv | Dense, output: EdgeType, source: EdgeType
) -> tuple[tuple[int, ...], tuple[int, ...], np.ndarray]:
    """Border classes of the output's rows and columns, and the sum of the weights at the padded taps of each class."""
    height, width, _ = output.shape
    mh = node.matrix.shape[0]
    if not isinstance(node, Conv) or node.padding == 0 or node.pad_value != 0:
        return (0,) * height, (0,) * width, np.zeros((1, 1, mh), np.int64)
    taps = node.weights.sum(axis=3, dtype=np.int64)  # (MH, kh, kw)
    (padded_rows, row_classes), (padded_columns, column_classes) = (
        _border_classes(size, kernel, node.stride, node.padding, n_positions)
        for size, kernel, n_positions in zip(
            source.shape[:2], node.kernel, (height, width), strict=True
        )
    )
    either = (
        padded_rows[:, None, :, None] | padded_columns[None, :, None, :]
    )  # (row classes, column classes, kh, kw)
    return (
        row_classes,
        column_classes,
        np.einsum("rcyx,oyx->rco", either.astype(np.int64), taps),
    )


@cache
def _border_classes(
    size: int, kernel: int, stride: int, padding: int, n_positions: int
) -> tuple[np.ndarray, tuple[int, ...]]:
    """The distinct sets of padded taps along one axis (classes, kernel), and the class of each output position."""
    taps = np.arange(n_positions)[:, None] * stride - padding + np.arange(kernel)
    padded = (taps < 0) | (taps >= size)  # (positions, kernel)
    distinct, classes = np.unique(padded, axis=0, return_inverse=True)
    return distinct, tuple(int(c) for c in classes.ravel())
