"""`Conv` and `Dense` in the golden model: each in the fastest arithmetic of PyTorch that is exact for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .datatypes import DataType
from .nodes import Conv, Dense, EdgeType

Step = Callable[..., Tensor]
"""Computes a node on a batch: (n, height, width, channels) tensors in, one out."""


def product_dtype(matrix: np.ndarray, values: DataType) -> torch.dtype:
    """The arithmetic in which the sums of ``matrix @ values`` are exact whatever the order of the additions.

    No partial sum exceeds ``bound = largest row sum of |weights| * largest |value|``. float32 holds integers below 2^24, float64
    below 2^53; beyond that int64. float32 also asks for factors of at most 256, which survive even where the user allowed PyTorch to
    multiply float32 in bfloat16.

    Parameters
    ----------
    matrix : (MH, MW) integers
    values : type of the vector's elements
    """
    largest = max(abs(values.minimum), abs(values.maximum))
    wide = np.abs(matrix.astype(np.int64))
    bound = int(wide.sum(axis=1).max()) * largest
    if bound < 1 << 24 and largest <= 256 and int(wide.max()) <= 256:
        return torch.float32
    return torch.float64 if bound < 1 << 53 else torch.int64


def conv(node: Conv, x: EdgeType) -> Step:
    """The sums of a `Conv` in the dtype that `product_dtype` names."""
    padding = node.padding
    dtype = product_dtype(node.matrix, x.datatype)
    if dtype == torch.int64:
        return _conv_by_taps(node)
    weights = torch.from_numpy(node.weights.astype(np.int64)).to(dtype)
    weights = weights.permute(
        0, 3, 1, 2
    )  # (out, in, kernel row, kernel column), channels last in memory
    filled = padding > 0 and node.pad_value != 0

    def step(values: Tensor) -> Tensor:
        values = values.to(dtype)
        if filled:
            values = F.pad(values, (0, 0, *(padding,) * 4), value=node.pad_value)
        values = values.permute(0, 3, 1, 2)  # (n, channels, height, width)
        sums = F.conv2d(values, weights, stride=node.stride, padding=0 if filled else padding)
        return sums.permute(0, 2, 3, 1)

    return step


def _conv_by_taps(node: Conv) -> Step:
    """int64, which PyTorch does not convolve: one matrix product per tap of the kernel."""
    weights = torch.from_numpy(node.weights.astype(np.int64))
    kernel_height, kernel_width = node.kernel

    def step(values: Tensor) -> Tensor:
        values = F.pad(values.to(torch.int64), (0, 0, *(node.padding,) * 4), value=node.pad_value)
        rows = range(0, values.shape[1] - kernel_height + 1, node.stride)
        columns = range(0, values.shape[2] - kernel_width + 1, node.stride)
        sums = torch.zeros(len(values), len(rows), len(columns), len(weights), dtype=torch.int64)
        for i in range(kernel_height):
            for j in range(kernel_width):
                tap = values[:, i : i + rows[-1] + 1 : node.stride]
                tap = tap[:, :, j : j + columns[-1] + 1 : node.stride]
                sums += tap @ weights[:, i, j].T
        return sums

    return step


def dense(node: Dense, x: EdgeType) -> Step:
    """The sums of a `Dense` in the dtype that `product_dtype` names."""
    dtype = product_dtype(node.matrix, x.datatype)
    matrix = torch.from_numpy(node.weights.astype(np.int64)).to(dtype).T
    return lambda values: (values.flatten(1).to(dtype) @ matrix)[:, None, None, :]
