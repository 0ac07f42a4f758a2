"""The golden model: runs an integer network in PyTorch, exactly, and can return every intermediate tensor.

Every tensor holds integers. Each node is computed in the fastest arithmetic that is exact for it, by a bound that is checked when the
model is made: products (`Conv`, `Dense`) as `product_dtype` says, everything else in int32 or int64. Nothing here rounds except where
`Affine` and `PReLU` say so. The CPU is the reference: no other device is used.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..errors import InputFileError, UnsupportedLayerError
from .datatypes import Bipolar, DataType, UInt
from .golden_elementwise import Count, add, affine, compare, prelu, thermometer
from .golden_pools import avg_pool, concat_channels, global_avg_pool, max_pool
from .golden_products import Step, conv, dense, product_dtype
from .graph import INPUT, Network
from .nodes import (
    Add,
    Affine,
    ArgMax,
    AvgPool,
    Binarise,
    ConcatChannels,
    Conv,
    Dense,
    EdgeType,
    GlobalAvgPool,
    MaxPool,
    Node,
    PReLU,
    Thermometer,
    Threshold,
)

__all__ = ["Answers", "GoldenModel", "product_dtype"]

BATCH_ELEMENTS = 1 << 20
"""Elements of the largest edge of a batch: small enough for a core's cache, large enough that starting an operation costs little."""


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
    saturations : dict of str to int - per `Affine`, `PReLU` and `Add` node, how many values were saturated since the model was made
        (0 is expected)

    Raises
    ------
    UnsupportedLayerError - an `Affine` or `PReLU` whose values do not fit 63 bits, so that no arithmetic here would be exact
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.saturations: dict[str, int] = {}
        self._lock = Lock()
        last_reader = {name: node for node in network.nodes for name in node.inputs}
        self._steps = [
            (node, self._prepare(node), [name for name in set(node.inputs) if last_reader[name] is node])
            for node in network.nodes
        ]  # fmt: skip
        """Each node, its function, and the edges that nobody reads after it"""
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
        images = _checked(images, self.network.input_type)
        kept = {name: _room(len(images), self.network.edges[name]) for name in keep}

        def compute(place: slice) -> None:
            with torch.no_grad():
                values = {INPUT: _batch(images[place], self.network.input_type.datatype)}
                if INPUT in kept:
                    kept[INPUT][place] = values[INPUT]
                for node, step, done in self._steps:
                    output = values[node.name] = step(*(values[name] for name in node.inputs))
                    if node.name in kept:
                        kept[node.name][place] = output
                    for name in done:
                        del values[name]

        size = self._batch_size
        # NNPACK multiplies 3 x 3 kernels after a Winograd transform, whose fractions float32 cannot hold.
        with torch.backends.nnpack.flags(enabled=False):
            starts = range(0, max(len(images), 1), size)
            _on_all_threads(compute, [slice(start, start + size) for start in starts])
        return kept

    def _prepare(self, node: Node) -> Step:
        """The node's constants as tensors, bound into a function."""
        x = self.network.edges[node.inputs[0]]
        match node:
            case Binarise():
                return compare(np.full(x.shape[2:], node.threshold), x)
            case Threshold():
                return compare(node.thresholds, x)
            case Thermometer():
                return thermometer(node, x)
            case Conv():
                return conv(node, x)
            case Dense():
                return dense(node, x)
            case Affine():
                return affine(node, x, self._counter(node))
            case PReLU():
                return prelu(node, x, self._counter(node))
            case Add():
                return add(node, x, self._counter(node))
            case MaxPool():
                return max_pool(node)
            case AvgPool():
                return avg_pool(node, x)
            case GlobalAvgPool():
                return global_avg_pool(node, x)
            case ConcatChannels():
                return concat_channels(node)
            case ArgMax():
                return lambda values: values.flatten(1).argmax(dim=1).reshape(-1, 1, 1, 1)
            case _:
                raise UnsupportedLayerError(
                    f"node {node.name!r} of kind {node.kind} cannot be executed",
                    "This version of the golden model does not know the kind of node.",
                )

    def _counter(self, node: Node) -> Count:
        """Adds to the node's saturations."""
        self.saturations[node.name] = 0

        def count(n: int) -> None:
            with self._lock:
                self.saturations[node.name] += n

        return count


def _on_all_threads(compute: Callable[[slice], None], places: list[slice]) -> None:
    """Computes batches side by side on as many threads as PyTorch may use, each on one.

    Threads that share one batch wait for each other at the end of every operation, in a loop: on a busy machine that takes several times as
    much of the processor as the arithmetic.
    """
    n_threads = torch.get_num_threads()
    if min(n_threads, len(places)) == 1:
        for place in places:
            compute(place)
        return
    try:
        with ThreadPoolExecutor(
            n_threads, initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            for _ in pool.map(compute, places):
                pass
    finally:
        torch.set_num_threads(n_threads)


def _checked(images: np.ndarray | Tensor, expected: EdgeType) -> np.ndarray | Tensor:
    """The images, if they have the shape of the network's input and whole numbers as values."""
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
    return images


def _batch(images: np.ndarray | Tensor, datatype: DataType) -> Tensor:
    """Some of the images as a tensor on the CPU. Raises InputFileError for values outside the type."""
    if isinstance(images, Tensor):
        batch = images.cpu().contiguous()
    else:  # a copy: torch refuses to share read-only memory
        batch = torch.from_numpy(
            np.array(images, np.uint8 if images.dtype == np.uint8 else np.int64)
        )
    if not len(batch) or (batch.dtype == torch.uint8 and datatype == UInt(8)):
        return batch
    lowest, highest = int(batch.min()), int(batch.max())
    bad = lowest < datatype.minimum or highest > datatype.maximum
    if bad or (isinstance(datatype, Bipolar) and bool((batch == 0).any())):
        raise InputFileError(
            f"images have values {lowest}..{highest}, the network takes {datatype}",
            f"Give integers from {datatype.minimum} to {datatype.maximum}"
            + (" without 0." if isinstance(datatype, Bipolar) else "."),
        )
    return batch


def _room(n: int, edge: EdgeType) -> Tensor:
    """An empty (n, height, width, channels) tensor of the narrowest dtype that holds the edge's type."""
    return torch.empty((n, *edge.shape), dtype=_narrowest_dtype(edge.datatype))


def _narrowest_dtype(datatype: DataType) -> torch.dtype:
    """The narrowest torch integer dtype that holds `datatype`."""
    if isinstance(datatype, UInt) and datatype.bits <= 8:
        return torch.uint8
    bits = datatype.bits + isinstance(datatype, UInt)
    if isinstance(datatype, Bipolar) or bits <= 8:
        return torch.int8
    return torch.int16 if bits <= 16 else torch.int32 if bits <= 32 else torch.int64
