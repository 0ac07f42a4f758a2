"""The last layer of a residual network: averages in few bits, integer weights, and scores of one common unit."""

from __future__ import annotations

import math

import numpy as np

from ..network import Affine, ArgMax, Dense, EdgeType, GlobalAvgPool, Int, Node
from . import fixed_point
from .residual_form import MergedNetwork
from .stream_format import Ranges, StreamFormat

HEAD_MARGIN = 1
"""The averages' range is wider by this part, at each end, than the one measured: their tails are long, and 8 bits have room."""
LEAST_SPAN = 1 / 64
"""No channel's range counts as narrower than this part of the widest, so that their multipliers fit one shift."""
WEIGHT_BITS = 8
SCORE_BITS = 16
_LEAST_SCORE = 2.0**-16


def head_nodes(
    network: MergedNetwork,
    edge: str,
    x: EdgeType,
    stream: StreamFormat,
    ranges: Ranges,
    head_bits: int,
) -> tuple[tuple[Node, ...], int]:
    """Nodes ``pool``, ``average``, ``head``, ``scores`` and ``label``, and F: scores stand for ``score 2^-F``.

    Each channel's average has its own scale and zero point, which fill `head_bits` bits; the columns of the weights take the scale up and the bias
    the zero point, both exactly, so nothing but the rounding of averages and weights is lost. Scores cannot saturate.
    """
    n_pixels = x.shape[0] * x.shape[1]
    unit = 1 / (n_pixels * stream.scale)  # of the sums, in the trained network's units
    averages = _average_node(ranges, edge, unit, head_bits)
    # sum = (average 2^shift - offset) / multiplier
    step = 2.0**averages.shift * unit / averages.multipliers
    zero = averages.offsets * unit / averages.multipliers
    weights, scale = fixed_point.symmetric_weights(network.weights * step, WEIGHT_BITS)
    bias = network.bias - network.weights @ zero
    scores, fraction = _score_node(weights, scale, bias, head_bits)
    nodes = (
        GlobalAvgPool("pool", (edge,)),
        averages,
        Dense("head", ("average",), weights, Int(WEIGHT_BITS)),
        scores,
        ArgMax("label", ("scores",)),
    )
    return nodes, fraction


def _average_node(ranges: Ranges, edge: str, unit: float, bits: int) -> Affine:
    """The node ``average``: multipliers are rounded down, so no channel's range grows beyond its bits."""
    output = Int(bits)
    span = (1 + 2 * HEAD_MARGIN) * (ranges.highest - ranges.lowest)
    widest = float(span.max())
    span = np.maximum(span, LEAST_SPAN * widest) if widest > 0 else np.ones_like(span)
    gain = (output.maximum - output.minimum) * unit / span
    shift = min(fixed_point.MOST_SHIFT, math.floor(math.log2(fixed_point.MULTIPLIER_LIMIT / gain.max())))  # fmt: skip
    multipliers = np.maximum(1, np.floor(gain * 2.0**shift)).astype(np.int64)
    middle = (ranges.highest + ranges.lowest) / 2 / unit
    centre = (output.maximum + output.minimum) / 2
    offsets = fixed_point.round_half_up(centre * 2.0**shift - middle * multipliers)
    return Affine("average", ("pool",), multipliers, offsets, shift, output)


def _score_node(
    weights: np.ndarray, scale: np.ndarray, bias: np.ndarray, head_bits: int
) -> tuple[Affine, int]:
    """The node ``scores``, and F: as fine as `SCORE_BITS` allow for every sum that the weights can give."""
    largest_sum = np.abs(weights.astype(np.int64)).sum(axis=1) << (head_bits - 1)
    largest = float((scale * largest_sum + np.abs(bias)).max())
    fraction = math.floor(math.log2(Int(SCORE_BITS).maximum / max(largest, _LEAST_SCORE)))
    multipliers, shift = fixed_point.multipliers(scale * 2.0**fraction)
    offsets = fixed_point.round_half_up(bias * 2.0 ** (fraction + shift))
    ends = [multipliers * sign * largest_sum + offsets for sign in (-1, 1)]
    output = Int.holding(int(ends[0].min()) >> shift, (int(ends[1].max()) >> shift) + 1)
    return Affine("scores", ("head",), multipliers, offsets, shift, output), fraction
