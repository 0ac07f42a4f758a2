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
    dict of (n, channel, height, width) float64, all in the trained network's units; ``average`` (n, channels), the mean of each channel of the
    last stream; ``scores`` (n, classes)
    """
    edges: Edges = {}
    with torch.no_grad():
        encoded = images if network.encoding is None else network.encoding.module(images)
        stream = edges["stem_norm"] = on_line(network.line, network.stem.module.sums(encoded))
        for number, block in enumerate(network.blocks, start=1):
            bits = torch.where(stream + _per_channel(block.shift) >= 0, 1.0, -1.0).double()
            behind = run_behind_product(block, block.product.module.sums(bits), stream)
            edges |= {block_name(number) + ending: values for ending, values in behind.items()}
            stream = behind[""]
        average = edges["average"] = stream.mean(dim=(2, 3))
        edges["scores"] = real_scores(network, average)
    return edges


def run_behind_product(block: MergedBlock, sums: Tensor, stream: Tensor) -> Edges:
    """What a block makes of its convolution's integer `sums` and of the `stream` it reads, both float64, by the endings of the edges' names.

    ``_norm`` (before the addition), ``_shortcut``, ``_sum`` and ``""``, the block's output.
    """
    norm = on_line(block.line, sums)
    shortcut = _shortcut(block.shortcut, stream)
    total = norm + shortcut
    output = torch.where(total >= 0, total, total * _per_channel(block.slopes))
    return {"_norm": norm, "_shortcut": shortcut, "_sum": total, "": output}


def real_scores(network: MergedNetwork, average: Tensor) -> Tensor:
    """Scores (n, classes) of the average of each channel of the last stream, (n, channels) float64."""
    return average @ torch.from_numpy(network.weights).T + torch.from_numpy(network.bias)


def on_line(line: Line, x: Tensor) -> Tensor:
    """The line's value at each element of x, (n, channel, height, width) float64."""
    return x * _per_channel(line.scale) + _per_channel(line.offset)


def _shortcut(shortcut: Shortcut, stream: Tensor) -> Tensor:
    if shortcut.size > 1:
        stream = functional.avg_pool2d(stream, shortcut.size)
    if shortcut.weights is None:
        return torch.cat([stream] * shortcut.copies, dim=1)
    assert shortcut.line is not None
    weights = torch.from_numpy(shortcut.weights)[:, :, None, None]
    return on_line(shortcut.line, functional.conv2d(stream, weights))


def _per_channel(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values)[:, None, None]
