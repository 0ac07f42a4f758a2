"""The integer network of `cifar10_resnet20_1w1a` in shape and types, with random constants: for measurements that need no accuracy."""

from __future__ import annotations

import numpy as np
from rbonn.sw.network import (
    Add,
    Affine,
    ArgMax,
    AvgPool,
    Bipolar,
    ConcatChannels,
    Conv,
    Dense,
    EdgeType,
    GlobalAvgPool,
    Int,
    Network,
    Node,
    PReLU,
    Thermometer,
    Threshold,
    UInt,
)

STREAM = Int(16)
DEVIATION = 1500
"""Of what each block adds to the residual stream: 18 of them stay far from its ends at 32 767."""


def random_resnet20(width: int = 16, n_blocks: int = 6, levels: int = 16, seed: int = 0) -> Network:
    """A stem of thermometer bits, three groups of `n_blocks` blocks of `width`, twice and four times as many channels, a dense head.

    Shortcuts are the identity, or average pools with copied channels; slopes are powers of two. Images are 32 x 32 x 3.
    """
    rng = np.random.default_rng(seed)
    nodes: list[Node] = [
        Thermometer("levels", ("image",), np.arange(1, levels + 1) * 256 // (levels + 1)),
        *branch(rng, "stem", "levels", 3 * levels, width, 1),
    ]
    stream, channels = "stem_affine", width
    for group in range(3):
        for block in range(n_blocks):
            name, n_out = f"group{group + 1}_block{block + 1}", width << group
            stride = n_out // channels
            shortcut = stream
            if stride > 1:
                nodes += copied_averages(name, stream, channels)
                shortcut = f"{name}_copies"
            thresholds = rng.integers(-DEVIATION, DEVIATION, channels)
            nodes += [
                Threshold(f"{name}_sign", (stream,), thresholds),
                *branch(rng, name, f"{name}_sign", channels, n_out, stride),
                Add(f"{name}_add", (f"{name}_affine", shortcut)),
                PReLU(f"{name}_prelu", (f"{name}_add",), 1 << rng.integers(0, 8, n_out), 7),
            ]
            stream, channels = f"{name}_prelu", n_out
    ones = np.ones(channels, np.int64)
    nodes += [
        GlobalAvgPool("pool", (stream,)),
        Affine("features", ("pool",), ones, 0 * ones, 15, Int(8)),
        Dense("head", ("features",), rng.integers(-128, 128, (10, channels)).astype(np.int8), Int(8)),
        Affine("scores", ("head",), ones[:10], rng.integers(-999, 999, 10), 0, Int(24)),
        ArgMax("label", ("scores",)),
    ]  # fmt: skip
    image = EdgeType(UInt(8), (32, 32, 3))
    return Network("random_resnet20", image, tuple(nodes), 0, "scores", tuple("0123456789"))


def branch(
    rng: np.random.Generator, name: str, source: str, n_in: int, n_out: int, stride: int
) -> list[Node]:
    """A binary convolution, and the `Affine` that brings its sums into the stream."""
    weights = rng.choice(np.array([-1, 1], np.int8), (n_out, 3, 3, n_in))
    gain = DEVIATION / (9 * n_in) ** 0.5
    multipliers = np.rint(gain * 2**4 * rng.uniform(0.5, 1.5, n_out)).astype(np.int64)
    offsets = rng.integers(-DEVIATION, DEVIATION, n_out) << 4
    return [
        Conv(f"{name}_conv", (source,), weights, Bipolar(), stride, 1, 0),
        Affine(f"{name}_affine", (f"{name}_conv",), multipliers, offsets, 4, STREAM),
    ]


def copied_averages(name: str, source: str, channels: int) -> list[Node]:
    """Averages of 2 x 2 pixels, their channels twice."""
    ones = np.ones(channels, np.int64)
    return [
        AvgPool(f"{name}_pool", (source,), 2),
        Affine(f"{name}_mean", (f"{name}_pool",), ones, 0 * ones, 2, STREAM),
        ConcatChannels(f"{name}_copies", (f"{name}_mean",), 2),
    ]
