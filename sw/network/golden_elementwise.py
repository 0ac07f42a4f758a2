"""The golden model's nodes that treat every element alone: comparisons, `Affine`, `PReLU` and `Add`.

Integers, int32 wherever a bound proves that no intermediate value leaves it, else int64. Nothing here branches on an element: PyTorch
makes vector instructions of sums, products, shifts and limits, but not of comparisons, which cost several times as much.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import UnsupportedLayerError
from .datatypes import DataType
from .golden_products import Step
from .nodes import Add, Affine, EdgeType, PReLU, Thermometer

Count = Callable[[int], None]
"""Is told how many values were saturated, where there are any."""


def integer_dtype(lowest: int, highest: int) -> torch.dtype:
    """int32 where `lowest` and `highest` fit into it, else int64 (which the caller knows to suffice)."""
    return torch.int32 if lowest >= -(1 << 31) and highest < 1 << 31 else torch.int64


def compare(thresholds: np.ndarray, x: EdgeType) -> Step:
    """+1 where ``x >= thresholds``, else -1, as float32; `thresholds` has one value per element of the last axis.

    Thresholds outside the type become its minimum (always) or its maximum + 1 (never). The difference ``x - threshold`` then fits
    `dtype`; its sign, spread over the whole word, is 0 or -1, and with its lowest bit set +1 or -1.
    """
    low, high = x.datatype.minimum, x.datatype.maximum + 1
    dtype = integer_dtype(low - high, high - low)
    limits = _per_channel(np.clip(thresholds.astype(np.int64), low, high), x, dtype)
    sign_bit = torch.iinfo(dtype).bits - 1

    def step(values: Tensor) -> Tensor:
        difference = values.to(dtype) - limits
        return difference.bitwise_right_shift_(sign_bit).bitwise_or_(1).to(torch.float32)

    return step


def thermometer(node: Thermometer, x: EdgeType) -> Step:
    """The bits of a `Thermometer`, as float32."""
    height, width, channels = x.shape
    n_levels = len(node.thresholds)
    levels = EdgeType(x.datatype, (height, width, channels * n_levels))
    bits = compare(np.tile(node.thresholds, channels), levels)
    return lambda values: bits(values.repeat_interleave(n_levels, dim=3))


def affine(node: Affine, x: EdgeType, count: Count) -> Step:
    """``saturate((x * multiplier + offset + half) >> shift)``.

    Raises UnsupportedLayerError where a product leaves 63 bits.
    """
    lowest, highest = x.datatype.minimum, x.datatype.maximum
    return _scaled(
        node.name, x, (lowest, highest), node.multipliers, node.offsets, node.shift, node.output_type, count
    )  # fmt: skip


def prelu(node: PReLU, x: EdgeType, count: Count) -> Step:
    """``max(x, 0) + scaled(min(x, 0))``: one of the terms is 0, because half of a step rounds 0 to 0.

    Raises UnsupportedLayerError where a product leaves 63 bits.
    """
    no_offsets = np.zeros_like(node.slopes)
    scaled = _scaled(
        node.name, x, (x.datatype.minimum, 0), node.slopes, no_offsets, node.shift, x.datatype, count
    )  # fmt: skip
    dtype = integer_dtype(x.datatype.minimum, x.datatype.maximum)

    def step(values: Tensor) -> Tensor:
        values = values.to(dtype)
        return scaled(values.clamp(max=0)).add_(values.clamp(min=0))

    return step


def add(node: Add, x: EdgeType, count: Count) -> Step:
    """``saturate(a + b)``."""
    lowest, highest = 2 * x.datatype.minimum, 2 * x.datatype.maximum
    dtype = integer_dtype(lowest, highest)
    saturate = _saturate(lowest, highest, x.datatype, count)
    return lambda a, b: saturate(a.to(dtype) + b.to(dtype))


def _scaled(
    name: str,
    x: EdgeType,
    reach: tuple[int, int],
    multipliers: np.ndarray,
    offsets: np.ndarray,
    shift: int,
    output: DataType,
    count: Count,
) -> Step:
    """``saturate((x * multiplier + offset + half) >> shift)`` for x in `reach`, in the narrowest dtype that holds every step of it."""
    half = (1 << shift) >> 1
    products = [int(m) * value for m in multipliers for value in reach]
    sums = [p + int(b) + half for p, b in zip(products, np.repeat(offsets, 2), strict=True)]
    ends = [*reach, *products, *sums]  # and offsets, which are sums too: 0 is in reach or between
    if max(abs(min(ends)), abs(max(ends))) >= 1 << 62:
        raise UnsupportedLayerError(
            f"node {name!r}: its products reach {max(ends, key=abs)}, beyond 63 bits",
            "Lower the network with a narrower type before this node.",
        )
    dtype = integer_dtype(min(ends), max(ends))
    factors = _per_channel(multipliers, x, dtype)
    terms = _per_channel(offsets.astype(np.int64) + half, x, dtype)
    saturate = _saturate(min(sums) >> shift, max(sums) >> shift, output, count)

    def step(values: Tensor) -> Tensor:
        wide = values.to(dtype) * factors
        return saturate(wide.add_(terms).bitwise_right_shift_(shift))

    return step


def _saturate(lowest: int, highest: int, output: DataType, count: Count) -> Step:
    """Limits values in ``lowest..highest`` to `output`, in place, and counts those that change.

    Where a value can leave the type at all, one pass finds out whether any did: none is expected.
    """
    if output.minimum <= lowest and highest <= output.maximum:
        return lambda values: values

    def step(values: Tensor) -> Tensor:
        if not values.numel():
            return values
        least, most = (int(end) for end in values.aminmax())
        if output.minimum <= least and most <= output.maximum:
            return values
        count(int(((values < output.minimum) | (values > output.maximum)).sum()))
        return values.clamp_(output.minimum, output.maximum)

    return step


def _per_channel(constants: Sequence[int] | np.ndarray, x: EdgeType, dtype: torch.dtype) -> Tensor:
    """(width, channels): a row's worth of constants, so that an instruction's vectors need not end with each pixel's channels."""
    _, width, channels = x.shape
    row = torch.from_numpy(np.asarray(constants).astype(np.int64)).to(dtype)
    return row.expand(width, channels).contiguous()
