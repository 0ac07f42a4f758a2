"""`MaxPool`, `AvgPool`, `GlobalAvgPool` and `ConcatChannels` in the golden model."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .golden_elementwise import integer_dtype
from .golden_products import Step
from .nodes import AvgPool, ConcatChannels, EdgeType, GlobalAvgPool, MaxPool


def max_pool(node: MaxPool) -> Step:
    """The largest value of each square, in the dtype that comes in."""
    return _squares(node.size, torch.maximum)


def avg_pool(node: AvgPool, x: EdgeType) -> Step:
    """The sum of each square, in int32 where its type fits."""
    total = node.output(x).datatype
    dtype = integer_dtype(total.minimum, total.maximum)
    add = _squares(node.size, torch.add)
    return lambda values: add(values.to(dtype))


def global_avg_pool(node: GlobalAvgPool, x: EdgeType) -> Step:
    """The sum of all pixels, in int32 where its type fits."""
    total = node.output(x).datatype
    dtype = integer_dtype(total.minimum, total.maximum)
    return lambda values: values.to(dtype).sum(dim=(1, 2), keepdim=True, dtype=dtype)


def concat_channels(node: ConcatChannels) -> Step:
    """`copies` copies of the channels, one after the other."""
    return lambda values: torch.cat([values] * node.copies, dim=3)


def _squares(size: int, combine: Callable[[Tensor, Tensor], Tensor]) -> Step:
    """Combines the pixels of each `size` x `size` square; what is left over at the far edges is dropped."""

    def step(values: Tensor) -> Tensor:
        height, width = values.shape[1] // size * size, values.shape[2] // size * size
        combined = values[:, :height:size, :width:size]
        for i in range(size):
            for j in range(size):
                if i or j:
                    combined = combine(combined, values[:, i:height:size, j:width:size])
        return combined

    return step
