"""Start values of the accumulators: thresholds or biases, and the correction for exact zero padding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..network import Affine, Conv, Dense, EdgeType, Threshold


@dataclass(frozen=True, slots=True, eq=False)
class Presets:
    """Presets of one matrix-vector layer.

    The array counts matches p of N columns with padded taps read as -1. Zero padding adds the sum of the weights at the padded
    taps, which depends on the pixel's border class only.

    Members
    -------
    values : int64 (row classes, column classes, MH) - where each accumulator starts
    row_classes, column_classes : tuple of int - class of each output row and column
    lowest, highest : int - range of the accumulators, start values included
    step : int - what one match adds: 1 for bits, 2 for sums
    weight_at_padding : int64 (row classes, column classes, MH)
    """

    values: np.ndarray
    row_classes: tuple[int, ...]
    column_classes: tuple[int, ...]
    lowest: int
    highest: int
    step: int
    weight_at_padding: np.ndarray
    n_columns: int

    @property
    def accumulator_bits(self) -> int:
        """Bits of a two's complement accumulator that never overflows."""
        magnitude = max(self.highest, ~self.lowest)
        return magnitude.bit_length() + 1

    def observed(self, sums: np.ndarray) -> np.ndarray:
        """What the accumulators hold at the end, from the golden model's signed sums (images, height, width, MH), same shape."""
        rows, columns = np.array(self.row_classes), np.array(self.column_classes)
        at = (rows[:, None], columns[None, :])
        matches = (sums - self.weight_at_padding[at] + self.n_columns) // 2
        return self.values[at] + self.step * matches


def layer_presets(
    node: Conv | Dense, output: EdgeType, source: EdgeType, consumer: Threshold | Affine | None
) -> Presets:
    """Presets of a layer whose sums go to `consumer`: a threshold, an integer bias, or nothing.

    With p matches the signed sum is ``2p - N + weight_at_padding``. A threshold t asks for at least
    ``ceil((t + N - weight_at_padding) / 2)`` matches: the accumulator starts at minus that number and its sign is the answer.
    A bias b makes it start at ``b - N + weight_at_padding`` and count matches twice.
    """
    matrix = node.matrix.astype(np.int64)
    mh, mw = matrix.shape
    row_classes, column_classes, at_padding = _padding(node, output, source)
    if isinstance(consumer, Threshold):
        step = 1
        values = (at_padding - consumer.thresholds - mw) // 2
        # More than N matches are never there and less than none always are: thresholds beyond that mean the same.
        values = np.clip(values, -(mw + 1), 0)
    else:
        step = 2
        bias = consumer.offsets if consumer is not None else np.zeros(mh, np.int64)
        values = bias - mw + at_padding
    return Presets(
        values=values,
        row_classes=row_classes,
        column_classes=column_classes,
        lowest=int(values.min()),
        highest=int(values.max()) + step * mw,
        step=step,
        weight_at_padding=at_padding,
        n_columns=mw,
    )


def _padding(
    node: Conv | Dense, output: EdgeType, source: EdgeType
) -> tuple[tuple[int, ...], tuple[int, ...], np.ndarray]:
    """Border classes of the output's rows and columns, and the sum of the weights at the padded taps of each class."""
    height, width, _ = output.shape
    mh = node.matrix.shape[0]
    if not isinstance(node, Conv) or node.padding == 0 or node.pad_value != 0:
        return (0,) * height, (0,) * width, np.zeros((1, 1, mh), np.int64)
    weights = node.weights.astype(np.int64)
    axes = []
    for size, kernel, n_positions in zip(
        source.shape[:2], node.kernel, (height, width), strict=True
    ):
        taps = np.arange(n_positions)[:, None] * node.stride - node.padding + np.arange(kernel)
        padded = (taps < 0) | (taps >= size)  # (positions, kernel)
        distinct, classes = np.unique(padded, axis=0, return_inverse=True)
        axes.append((distinct, tuple(int(c) for c in classes.ravel())))
    (padded_rows, row_classes), (padded_columns, column_classes) = axes
    either = (
        padded_rows[:, None, :, None] | padded_columns[None, :, None, :]
    )  # (row classes, column classes, kh, kw)
    return (
        row_classes,
        column_classes,
        np.einsum("rcyx,oyxi->rco", either.astype(np.int64), weights),
    )
