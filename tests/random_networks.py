"""Random integer networks that the hardware has: shapes, weights and thresholds drawn from a seed or by Hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from rbonn.sw.network import (
    Affine,
    ArgMax,
    Binarise,
    Bipolar,
    Conv,
    Dense,
    EdgeType,
    Int,
    MaxPool,
    Network,
    Thermometer,
    Threshold,
    UInt,
)


@dataclass(frozen=True)
class ConvShape:
    """A convolution and the pool after it."""

    channels: int
    kernel: tuple[int, int] = (3, 3)
    stride: int = 1
    padding: int = 0
    pad_value: int = -1
    pool: int = 1


def random_network(
    image: tuple[int, int, int],
    convolutions: Sequence[ConvShape] = (),
    hidden: Sequence[int] = (),
    n_classes: int = 3,
    *,
    seed: int = 0,
    bias: bool = True,
    entrance: str = "host",
    extremes: float = 0.125,
) -> Network:
    """A chain of that shape; so many of its thresholds (a fraction) are the least or the largest that a sum can reach, or beyond.

    At the `entrance` pixels are binarised by the "host" or the "device", or become a "thermometer" of three levels.
    """
    rng = np.random.default_rng(seed)
    shape = image
    nodes = [Binarise("binarise", ("image",), int(rng.integers(1, 255)))]
    if entrance == "thermometer":
        nodes = [Thermometer("thermometer", ("image",), np.array([40, 128, 200]))]
        shape = (*image[:2], 3 * image[2])

    def add_bits(name: str, n_channels: int, n_columns: int) -> None:
        thresholds = np.rint(rng.normal(0, n_columns**0.5, n_channels)).astype(np.int64)
        extreme = rng.random(n_channels) < extremes
        thresholds[extreme] = rng.choice([-n_columns, n_columns, n_columns + 1], extreme.sum())
        nodes.append(Threshold(f"{name}_bits", (name,), thresholds))

    for index, conv in enumerate(convolutions, 1):
        weights = rng.choice([-1, 1], (conv.channels, *conv.kernel, shape[2])).astype(np.int8)
        name = f"conv{index}"
        node = Conv(
            name, (nodes[-1].name,), weights, Bipolar(), conv.stride, conv.padding, conv.pad_value
        )
        nodes.append(node)
        shape = node.output(EdgeType(Bipolar(), shape)).shape
        add_bits(name, conv.channels, weights[0].size)
        if conv.pool > 1:
            nodes.append(MaxPool(f"{name}_pool", (nodes[-1].name,), conv.pool))
            shape = (shape[0] // conv.pool, shape[1] // conv.pool, shape[2])
    for index, size in enumerate(hidden, 1):
        weights = rng.choice([-1, 1], (size, int(np.prod(shape)))).astype(np.int8)
        nodes.append(Dense(f"dense{index}", (nodes[-1].name,), weights, Bipolar()))
        shape = (1, 1, size)
        add_bits(f"dense{index}", size, weights.shape[1])
    weights = rng.choice([-1, 1], (n_classes, int(np.prod(shape)))).astype(np.int8)
    nodes.append(Dense("head", (nodes[-1].name,), weights, Bipolar()))
    scores = "head"
    if bias:
        offsets = rng.integers(-9, 10, n_classes).astype(np.int64)
        span = weights.shape[1] + 9
        ones = np.ones(n_classes, np.int64)
        nodes.append(Affine("scores", ("head",), ones, offsets, 0, Int.holding(-span, span)))
        scores = "scores"
    nodes.append(ArgMax("label", (scores,)))
    names = tuple(str(k) for k in range(n_classes))
    return Network(
        "random", EdgeType(UInt(8), image), tuple(nodes), int(entrance == "host"), scores, names
    )


def random_images(network: Network, count: int, seed: int = 0) -> np.ndarray:
    """uint8 (count, height, width, channels)."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, *network.input_type.shape), dtype=np.uint8)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Small networks of every shape that is supported."""
    size = st.integers(1, 6)
    image = (draw(size), draw(size), draw(st.integers(1, 3)))
    height, width = image[:2]
    convolutions = []
    for _ in range(draw(st.integers(0, 2))):
        kernel = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        padding = draw(st.integers(0, min(kernel) - 1))
        stride = draw(st.integers(1, 3))
        height, width = (
            (length + 2 * padding - k) // stride + 1
            for length, k in zip((height, width), kernel, strict=True)
        )
        if min(height, width) < 1:
            break
        pool = draw(st.integers(1, min(2, height, width)))
        height, width = height // pool, width // pool
        pad_value = draw(st.sampled_from([-1, 0, 1]))
        convolutions.append(
            ConvShape(draw(st.integers(1, 6)), kernel, stride, padding, pad_value, pool)
        )
    return random_network(
        image,
        convolutions,
        draw(st.lists(st.integers(1, 8), max_size=2)),
        draw(st.integers(2, 5)),
        seed=draw(st.integers(0, 2**32 - 1)),
        bias=draw(st.booleans()),
        entrance=draw(st.sampled_from(["host", "device", "thermometer"])),
    )
