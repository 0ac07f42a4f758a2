"""Third pass: everything between an integer sum and a bit becomes one threshold per channel, exactly.

The trained layers themselves (scale factors, batch norms) are evaluated in float64 at every sum the product can give; the threshold is
where the sign switches. No formula is inverted, so there is nothing to round.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import UnsupportedLayerError
from ..network import Bipolar, EdgeType
from ..train.layers import RBOConv2d, RBOLinear
from .stages import Stage

_CHUNK_ELEMENTS = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """The thresholds of a stage.

    Parameters
    ----------
    complement : (channels,) bool - where the weights are to be negated, because larger sums give -1
    thresholds : (channels,) int64 - the bit is +1 where the sum (of the negated weights, where complemented) is at least this
    scale : (channels,) float64 - largest magnitude before the activation over all sums: what its rounding errors are relative to
    """

    complement: np.ndarray
    thresholds: np.ndarray
    scale: np.ndarray


def fold_thresholds(stage: Stage, x: EdgeType) -> Fold:
    """The thresholds of `stage` when it reads an edge of type `x`.

    With sums -N..N a threshold lies in -N..N + 1: -N for a channel that is always +1, N + 1 for one that is never.

    Raises
    ------
    UnsupportedLayerError - a channel whose bit is not monotone in the sum, or a batch norm behind a max pool that turns the order round
        (the channels are named)
    """
    _check_pools(stage)
    sums = reachable_sums(stage, x)
    n_channels = len(stage.product.module.weight)
    count = np.zeros(n_channels, np.int64)  # of sums that give +1
    first = np.full(n_channels, len(sums))  # index of the lowest of them
    last = np.full(n_channels, -1)  # index of the highest of them
    scale = np.zeros(n_channels)
    for start, values in _evaluate(stage, sums):
        bits = values >= 0  # (sums, channels)
        indices = np.arange(start, start + len(bits))[:, None]
        count += bits.sum(axis=0)
        first = np.minimum(first, np.where(bits, indices, len(sums)).min(axis=0))
        last = np.maximum(last, np.where(bits, indices, -1).max(axis=0))
        scale = np.maximum(scale, np.abs(values).max(axis=0))

    rising = first + count == len(sums)  # +1 from `first` on, or nowhere
    falling = last + 1 == count  # +1 up to `last`
    if not np.all(rising | falling):
        channels = _listed(np.flatnonzero(~(rising | falling)))
        raise UnsupportedLayerError(
            f"layer {stage.product}: the bit of {channels} does not switch once as its sum grows",
            "Between product and activation only layers that are monotone in each channel can be folded.",
        )
    highest = int(sums[-1])
    lowest_one = np.append(sums, highest + 1)[first]
    highest_one = sums[last]  # read only where it exists: a channel without any +1 is rising
    return Fold(~rising, np.where(rising, lowest_one, -highest_one), scale)


def reachable_sums(stage: Stage, x: EdgeType) -> np.ndarray:
    """Every integer sum that the product can give on an edge of type `x`, rising, int64.

    N taps of +1 and -1 give -N, -N + 2, ..., N; where padded taps hold 0, each number of taps inside the image adds its own sums.
    """
    layer = stage.product.module
    n_taps = layer.weight[0].numel()
    if not isinstance(x.datatype, Bipolar):
        limit = n_taps * max(abs(x.datatype.minimum), abs(x.datatype.maximum))
        return np.arange(-limit, limit + 1)
    inside = {n_taps}
    if isinstance(layer, RBOConv2d) and layer.pad_value == 0:
        rows, columns = (
            _taps_inside(size, kernel, layer.stride, layer.padding)
            for size, kernel in zip(x.shape[:2], layer.kernel_size, strict=True)
        )
        inside = {row * column * layer.in_channels for row in rows for column in columns}
    return np.unique(np.concatenate([np.arange(-n, n + 1, 2) for n in inside]))


def pre_activations(stage: Stage, sums: Tensor) -> Tensor:
    """What the activation sees of integer sums, in their float type, max pools left out: (n, channels, ...) in and out."""
    layer = stage.product.module
    alpha = layer.alpha.to(sums.dtype)
    values = sums * (alpha[:, None, None] if sums.ndim == 4 else alpha)
    for step in stage.between:
        if not isinstance(step.module, nn.MaxPool2d):
            values = step.module(values)
    return values


def _evaluate(stage: Stage, sums: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """(index of the first sum, pre-activations (sums, channels) float64) for all sums, in pieces."""
    layer = stage.product.module
    n_channels = len(layer.weight)
    size = max(1, _CHUNK_ELEMENTS // n_channels)
    pixel = () if isinstance(layer, RBOLinear) else (1, 1)
    for start in range(0, len(sums), size):
        piece = torch.from_numpy(sums[start : start + size]).double()
        piece = piece.reshape(-1, 1, *pixel).expand(-1, n_channels, *pixel)
        with torch.no_grad():
            yield start, pre_activations(stage, piece).reshape(-1, n_channels).numpy()


def _taps_inside(size: int, kernel: int, stride: int, padding: int) -> set[int]:
    """How many of a kernel's taps lie inside the image along one axis, over all its positions."""
    starts = range(-padding, size + padding - kernel + 1, stride)
    return {min(start + kernel, size) - max(start, 0) for start in starts}


def _check_pools(stage: Stage) -> None:
    """A max pool is an OR of the bits only where everything behind it keeps the order."""
    pooled = False
    for step in stage.between:
        pooled = pooled or isinstance(step.module, nn.MaxPool2d)
        weight = getattr(step.module, "weight", None)
        if pooled and weight is not None and bool((weight < 0).any()):
            channels = _listed(torch.nonzero(weight < 0).flatten().numpy())
            raise UnsupportedLayerError(
                f"layer {step}: negative weight in {channels}, behind a max pool",
                "Put the batch norm before the max pool: that order is exact for either sign.",
            )


def _listed(channels: np.ndarray) -> str:
    shown = ", ".join(str(c) for c in channels[:8])
    return f"channel{'s' if len(channels) > 1 else ''} {shown}{' ...' if len(channels) > 8 else ''}"
