"""The golden model: runs an integer network in PyTorch, exactly, and can return every intermediate tensor.

Every tensor holds integers. A product (`Conv`, `Dense`) is computed in the fastest arithmetic that is exact for it, by a bound that is
stated below and checked when the model is made; everything else is exact in any of them. Nothing here rounds except where
`Affine` says so. The CPU is the reference: no other device is used.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputFileError, UnsupportedLayerError
from .datatypes import Bipolar, DataType, UInt
from .graph import INPUT, Network
from .nodes import (
    Affine,
    ArgMax,
    Binarise,
    Conv,
    Dense,
    EdgeType,
    MaxPool,
    Node,
    Thermometer,
    Threshold,
)

BATCH_ELEMENTS = 1 << 20
"""Elements of the largest edge of a batch: small enough for the processor's caches, large enough to keep two cores busy."""

Step = Callable[..., Tensor]
"""Computes a node on a batch: (n, height, width, channels) tensors in, one out."""


class Answers(NamedTuple):
    """What a network says about a batch of images."""

    scores: Tensor
    """(n, classes) int64"""
    labels: Tensor
    """(n,) int64, the class with the largest score, the lowest index on a tie"""


class GoldenModel:
    """Executes `network` on the CPU.

    Attributes
    ----------
    network : Network
    saturations : dict of str to int - per `Affine` node, how many values were saturated since the model was made (0 is expected)

    Raises
    ------
    UnsupportedLayerError - an `Affine` whose values do not fit 63 bits, so that no arithmetic here would be exact
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.saturations = {node.name: 0 for node in network.nodes if isinstance(node, Affine)}
        self._steps = [(node, self._prepare(node)) for node in network.nodes]
        largest = max(edge.elements for edge in network.edges.values())
        self._batch_size = min(max(BATCH_ELEMENTS // largest, 1), 512)

    def run(self, images: np.ndarray | Tensor) -> Answers:
        """Scores and labels of raw images.

        Parameters
        ----------
        images : (n, height, width, channels) integers of the network's input type, NumPy or torch

        Raises
        ------
        InputFileError - images of another shape, not integers, or values outside the input type
        """
        scores = self._run(images, (self.network.scores,))[self.network.scores]
        scores = scores.flatten(1).to(torch.int64)  # (n, classes)
        return Answers(scores, scores.argmax(dim=1))

    def edges(
        self, images: np.ndarray | Tensor, keep: Collection[str] | None = None
    ) -> dict[str, Tensor]:
        """The values on every edge, or on the edges named in `keep`, in the order of execution.

        Returns
        -------
        dict of (n, height, width, channels) tensors of the narrowest integer dtype that holds the edge's type (uint8, int8, int16, int32
        or int64); bipolar edges hold +1 and -1. The raw images are edge ``image``.

        Raises
        ------
        InputFileError - as `run`
        ValueError - `keep` names an edge that the network does not have
        """
        wanted = tuple(self.network.edges) if keep is None else tuple(keep)
        for name in wanted:
            if name not in self.network.edges:
                raise ValueError(f"Kept edges must be edges of the network, not {name!r}")
        kept = self._run(images, wanted)
        return {name: kept[name] for name in self.network.edges if name in kept}

    def _run(self, images: np.ndarray | Tensor, keep: Collection[str]) -> dict[str, Tensor]:
        """The edges in `keep`, each in its narrowest integer dtype."""
        chunks: dict[str, list[Tensor]] = {name: [] for name in keep}
        # NNPACK multiplies 3 x 3 kernels after a Winograd transform, whose fractions float32 cannot hold.
        with torch.no_grad(), torch.backends.nnpack.flags(enabled=False):
            for batch in _batches(images, self.network.input_type, self._batch_size):
                values = {INPUT: batch}
                for node, step in self._steps:
                    values[node.name] = step(*(values[name] for name in node.inputs))
                for name, chunk in chunks.items():
                    dtype = _narrowest_dtype(self.network.edges[name].datatype)
                    chunk.append(values[name].to(dtype))
        return {name: torch.cat(chunk) for name, chunk in chunks.items()}

    def _prepare(self, node: Node) -> Step:
        """The node's constants as tensors, bound into a function."""
        (x,) = (self.network.edges[name] for name in node.inputs)
        match node:
            case Binarise():
                return _compare(np.full(x.shape[2:], node.threshold), x)
            case Threshold():
                return _compare(node.thresholds, x)
            case Thermometer():
                return _thermometer(node, x)
            case Conv():
                return _conv(node, x)
            case Dense():
                return _dense(node, x)
            case Affine():
                return self._affine(node, x)
            case MaxPool():
                return _max_pool(node)
            case ArgMax():
                return lambda values: values.flatten(1).argmax(dim=1).reshape(-1, 1, 1, 1)
            case _:
                raise UnsupportedLayerError(
                    f"node {node.name!r} of kind {node.kind} cannot be executed",
                    "This version of the golden model does not know the kind of node.",
                )

    def _affine(self, node: Affine, x: EdgeType) -> Step:
        """Always int64; the bounds decide whether a value can saturate at all."""
        half = (1 << node.shift) >> 1
        ends = [
            int(m) * value + int(b) + half
            for m, b in zip(node.multipliers, node.offsets, strict=True)
            for value in (x.datatype.minimum, x.datatype.maximum)
        ]
        if max(abs(min(ends)), abs(max(ends))) >= 1 << 62:
            raise UnsupportedLayerError(
                f"node {node.name!r}: its products reach {max(ends, key=abs)}, beyond 63 bits",
                "Lower the network with a narrower type before this node.",
            )
        lowest, highest = node.output_type.minimum, node.output_type.maximum
        saturates = min(ends) >> node.shift < lowest or max(ends) >> node.shift > highest
        multipliers = torch.from_numpy(node.multipliers.astype(np.int64))
        offsets = torch.from_numpy(node.offsets.astype(np.int64) + half)

        def step(values: Tensor) -> Tensor:
            wide = (values.to(torch.int64) * multipliers + offsets) >> node.shift
            if not saturates:
                return wide
            narrow = wide.clamp(lowest, highest)
            self.saturations[node.name] += int((narrow != wide).sum())
            return narrow

        return step


def _batches(images: Any, expected: EdgeType, size: int) -> Iterator[Tensor]:
    """Checks images against the network's input and yields batches of `size` (at least one, which may be empty)."""
    if not isinstance(images, Tensor):
        images = np.asarray(images)
    shape = "x".join(str(n) for n in expected.shape)
    if images.ndim != 4 or tuple(images.shape[1:]) != expected.shape:
        raise InputFileError(
            f"images have shape {tuple(images.shape)}, the network takes (n, height, width, channels) with {shape}",
            f"Give images of {shape}, with a leading axis for their number.",
        )
    whole = (
        images.dtype.kind in "iu"
        if isinstance(images, np.ndarray)
        else not (images.is_floating_point() or images.is_complex() or images.dtype == torch.bool)
    )
    if not whole:
        raise InputFileError(
            f"images have values of {images.dtype}, the network takes {expected.datatype}",
            "Give raw integers: normalisation is part of the network.",
        )
    for start in range(0, max(len(images), 1), size):
        batch = images[start : start + size]
        if isinstance(batch, Tensor):
            batch = batch.cpu().contiguous()
        else:  # a copy: torch refuses to share read-only memory
            batch = torch.from_numpy(
                np.array(batch, np.uint8 if batch.dtype == np.uint8 else np.int64)
            )
        _check_values(batch, expected.datatype)
        yield batch


def _check_values(batch: Tensor, datatype: DataType) -> None:
    if not len(batch) or (batch.dtype == torch.uint8 and datatype == UInt(8)):
        return
    lowest, highest = int(batch.min()), int(batch.max())
    bad = lowest < datatype.minimum or highest > datatype.maximum
    if bad or (isinstance(datatype, Bipolar) and bool((batch == 0).any())):
        raise InputFileError(
            f"images have values {lowest}..{highest}, the network takes {datatype}",
            f"Give integers from {datatype.minimum} to {datatype.maximum}"
            + (" without 0." if isinstance(datatype, Bipolar) else "."),
        )


def _narrowest_dtype(datatype: DataType) -> torch.dtype:
    """The narrowest torch integer dtype that holds `datatype`."""
    if isinstance(datatype, UInt) and datatype.bits <= 8:
        return torch.uint8
    bits = datatype.bits + isinstance(datatype, UInt)
    if isinstance(datatype, Bipolar) or bits <= 8:
        return torch.int8
    return torch.int16 if bits <= 16 else torch.int32 if bits <= 32 else torch.int64


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


def _compare(thresholds: np.ndarray, x: EdgeType) -> Step:
    """+1 where ``x >= thresholds``, else -1.

    Thresholds outside the type become its minimum (always) or its maximum + 1 (never): exact in every dtype that holds the type.
    """
    low, high = x.datatype.minimum, x.datatype.maximum + 1
    exact = torch.from_numpy(np.clip(thresholds.astype(np.int64), low, high))  # (channels,)

    def step(values: Tensor) -> Tensor:
        limit = exact.to(values.dtype) if values.is_floating_point() else exact
        return torch.where(values >= limit, 1.0, -1.0)

    return step


def _thermometer(node: Thermometer, x: EdgeType) -> Step:
    height, width, channels = x.shape
    compare = _compare(node.thresholds, x)

    def step(values: Tensor) -> Tensor:
        bits = compare(values.unsqueeze(-1))  # (n, height, width, channels, levels)
        return bits.reshape(-1, height, width, channels * len(node.thresholds))

    return step


def _conv(node: Conv, x: EdgeType) -> Step:
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


def _dense(node: Dense, x: EdgeType) -> Step:
    dtype = product_dtype(node.matrix, x.datatype)
    matrix = torch.from_numpy(node.weights.astype(np.int64)).to(dtype).T
    return lambda values: (values.flatten(1).to(dtype) @ matrix)[:, None, None, :]


def _max_pool(node: MaxPool) -> Step:
    def step(values: Tensor) -> Tensor:
        size = node.size
        height, width = values.shape[1] // size * size, values.shape[2] // size * size
        largest = values[:, :height:size, :width:size]
        for i in range(size):
            for j in range(size):
                if i or j:
                    largest = torch.maximum(largest, values[:, i:height:size, j:width:size])
        return largest

    return step
