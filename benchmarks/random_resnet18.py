"""The integer network of the paper's ResNet-18 for ImageNet in shape and types, with random constants: for plans, which need no accuracy.

10 985 472 binary weights in sixteen 3 x 3 convolutions, 224 x 224 x 3 pixels, 1 000 classes, layer by layer as `rbonn.sw.train.networks.resnet18`. What is real there has
weights of 8 bits here: the 7 x 7 stem, the 1 x 1 convolutions of the shortcuts, the dense layer. The integer network has pools of squares side by side only, so a 2 x 2 max pool
stands in the place of the overlapping 3 x 3 one; the shape behind it is the same, and no weight lies in either.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from random_resnet20 import DEVIATION, STREAM, branch, copied_averages
from rbonn.sw.network import (
    Add,
    Affine,
    ArgMax,
    AvgPool,
    Conv,
    Dense,
    EdgeType,
    GlobalAvgPool,
    Int,
    MaxPool,
    Network,
    Node,
    PReLU,
    Threshold,
    UInt,
)

GROUPS, BLOCKS = (64, 128, 256, 512), 4
"""Channels of the four groups, and blocks of each."""

STEM_KERNEL, CLASSES = 7, 1_000

Shortcut = Literal["conv1x1", "avgpool_duplicate"]
"""Between groups: the paper's averages with a 1 x 1 convolution, or averages whose channels are copied."""


def random_resnet18(size: int = 224, shortcut: Shortcut = "conv1x1", seed: int = 0) -> Network:
    """A stem, four groups of four blocks, a dense head, for images of `size` x `size` x 3, a multiple of 32.

    Slopes are free numbers of eight bits, as in the paper.
    """
    rng = np.random.default_rng(seed)
    nodes = _stem(rng, GROUPS[0])
    stream, channels = "stem_pool", GROUPS[0]
    for number, n_out in enumerate(GROUPS, 1):
        for block in range(1, BLOCKS + 1):
            name, is_first = f"group{number}_block{block}", n_out != channels
            beside = stream
            if is_first:
                nodes += _shortcut(rng, name, stream, channels, shortcut)
                beside = nodes[-1].name
            nodes += [
                Threshold(f"{name}_sign", (stream,), rng.integers(-DEVIATION, DEVIATION, channels)),
                *branch(rng, name, f"{name}_sign", channels, n_out, 1 + is_first),
                Add(f"{name}_add", (f"{name}_affine", beside)),
                PReLU(f"{name}_prelu", (f"{name}_add",), rng.integers(0, 1 << 8, n_out), 8),
            ]
            stream, channels = f"{name}_prelu", n_out
    nodes += _head(rng, stream, channels)
    classes = tuple(str(k) for k in range(CLASSES))
    image = EdgeType(UInt(8), (size, size, 3))
    return Network("random_resnet18", image, tuple(nodes), 0, "scores", classes)


def _weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(-128, 128, shape).astype(np.int8)


def _scaled(rng: np.random.Generator, name: str, source: str, deviation: float, n: int) -> Affine:
    """Brings sums that deviate by so much into the stream."""
    shift = 20
    gain = DEVIATION / deviation * rng.uniform(0.5, 1.5, n)
    multipliers = np.rint(gain * (1 << shift)).astype(np.int64)
    offsets = rng.integers(-DEVIATION, DEVIATION, n) << shift
    return Affine(name, (source,), multipliers, offsets, shift, STREAM)


def _stem(rng: np.random.Generator, n_out: int) -> list[Node]:
    columns = 3 * STEM_KERNEL**2
    return [
        Conv("stem_conv", ("image",), _weights(rng, n_out, STEM_KERNEL, STEM_KERNEL, 3), Int(8), 2, STEM_KERNEL // 2, 0),
        _scaled(rng, "stem_affine", "stem_conv", 74 * 147 * columns**0.5, n_out),
        MaxPool("stem_pool", ("stem_affine",), 2),
    ]  # fmt: skip


def _shortcut(
    rng: np.random.Generator, name: str, source: str, channels: int, kind: Shortcut
) -> list[Node]:
    """Half the height and width, twice the channels."""
    nodes = copied_averages(name, source, channels)
    if kind == "avgpool_duplicate":
        return nodes
    pool, mean, _ = nodes
    assert isinstance(pool, AvgPool)
    weights = _weights(rng, 2 * channels, 1, 1, channels)
    real = Conv(f"{name}_conv1x1", (mean.name,), weights, Int(8), 1, 0, 0)
    scaled = _scaled(rng, f"{name}_scaled", real.name, 74 * DEVIATION * channels**0.5, 2 * channels)
    return [pool, mean, real, scaled]


def _head(rng: np.random.Generator, stream: str, channels: int) -> list[Node]:
    """The average of 49 pixels at 8 bits, and the dense layer."""
    ones = np.ones(channels, np.int64)
    return [
        GlobalAvgPool("pool", (stream,)),
        Affine("features", ("pool",), 41 * ones, 0 * ones, 18, Int(8)),
        Dense("head", ("features",), _weights(rng, CLASSES, channels), Int(8)),
        Affine("scores", ("head",), np.ones(CLASSES, np.int64), rng.integers(-999, 999, CLASSES), 0, Int(25)),
        ArgMax("label", ("scores",)),
    ]  # fmt: skip
