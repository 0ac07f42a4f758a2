"""The merged residual network run in float64: the real numbers that its integer edges stand for."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .residual_form import Line, MergedBlock, MergedNetwork, Shortcut, block_name

Edges = dict[str, Tensor]


def run_merged(network: MergedNetwork, images: Tensor) -> Edges:
    """Every real-valued edge under the name that it has in the integer network, and the scores.

    Parameters
    ----------
    images : (n, channel, height, width) float64 raw pixels

    Returns
    -------
    dict of (n, channel, height, width) float64; ``scores`` (n, classes); ``average`` (n, channels), the mean of each channel of the last stream
    """
    edges: Edges = {}
    with torch.no_grad():
        encoded = images if network.encoding is None else network.encoding.module(images)
        stream = edges["stem_norm"] = _line(network.line, network.stem.module.sums(encoded))
        for number, block in enumerate(network.blocks, start=1):
            stream = _block(block, block_name(number), stream, edges)
        average = edges["average"] = stream.mean(dim=(2, 3))
        edges["scores"] = average @ _tensor(network.weights).T + _tensor(network.bias)
    return edges


def _block(block: MergedBlock, name: str, stream: Tensor, edges: Edges) -> Tensor:
    bits = torch.where(stream + _channels(block.shift) >= 0, 1.0, -1.0).to(stream.dtype)
    main = edges[f"{name}_norm"] = _line(block.line, block.product.module.sums(bits))
    beside = edges[f"{name}_shortcut"] = _shortcut(block.shortcut, stream)
    total = edges[f"{name}_sum"] = main + beside
    stream = edges[name] = torch.where(total >= 0, total, total * _channels(block.slopes))
    return stream


def _shortcut(shortcut: Shortcut, stream: Tensor) -> Tensor:
    if shortcut.size > 1:
        stream = functional.avg_pool2d(stream, shortcut.size)
    if shortcut.weights is None:
        return torch.cat([stream] * shortcut.copies, dim=1)
    assert shortcut.line is not None
    weights = _tensor(shortcut.weights)[:, :, None, None]
    return _line(shortcut.line, functional.conv2d(stream, weights))


def _line(line: Line, x: Tensor) -> Tensor:
    return x * _channels(line.scale) + _channels(line.offset)


def _channels(values: np.ndarray) -> Tensor:
    return _tensor(values)[:, None, None]


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))
