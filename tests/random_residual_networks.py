"""Random networks with a residual stream: shapes, weights and fixed-point constants drawn from a seed or by Hypothesis.

The stream's values spread over its type: by a rough estimate of its deviation, multipliers are chosen so that it neither vanishes nor
saturates everywhere; some of its values do saturate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from hypothesis import strategies as st
from rbonn.sw.network import (
    Add,
    Affine,
    ArgMax,
    AvgPool,
    Binarise,
    Bipolar,
    ConcatChannels,
    Conv,
    DataType,
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

Stem = Literal["host", "device", "thermometer", "int8", "binary"]
"""Where pixels become bits: on the host, on the device, as a thermometer of three levels, or not at all (8-bit or binary weights on pixels)."""

Shortcut = Literal["duplicate", "conv1x1"]
"""Of blocks that change the shape; all others have the identity."""


@dataclass(frozen=True)
class BlockShape:
    """A residual block of one binary convolution of `kernel` x `kernel` taps, an odd number, with a border that keeps the image's size.

    A ``duplicate`` shortcut needs `channels` to be a multiple of the channels that come in; a stride of 2 needs an even height and width.
    """

    channels: int
    stride: int = 1
    shortcut: Shortcut = "duplicate"
    pad_value: int = 0
    power_of_two: bool = True
    kernel: int = 3


def random_residual_network(
    image: tuple[int, int, int],
    blocks: Sequence[BlockShape],
    *,
    stem: Stem = "thermometer",
    stem_channels: int = 4,
    stream_bits: int = 16,
    n_classes: int = 3,
    seed: int = 0,
) -> Network:
    """A stem, `blocks` and a head with 8-bit weights, as lowering makes them of a trained network."""
    draft = _Draft(image, stream_bits, np.random.default_rng(seed))
    stream = draft.stem(stem, stem_channels)
    for number, block in enumerate(blocks, 1):
        stream = draft.block(f"block{number}", stream, block)
    draft.head(stream, n_classes)
    names = tuple(str(k) for k in range(n_classes))
    n_host_nodes = int(stem == "host")
    return Network(
        "random_residual",
        EdgeType(UInt(8), image),
        tuple(draft.nodes),
        n_host_nodes,
        "scores",
        names,
    )


class _Draft:
    """Nodes so far, and of every edge its type and about how far its values deviate from 0."""

    def __init__(self, image: tuple[int, int, int], bits: int, rng: np.random.Generator) -> None:
        self.rng = rng
        self.stream_type = Int(bits)
        self.nodes: list[Node] = []
        self.edges = {"image": EdgeType(UInt(8), image)}
        self.deviations = {"image": 147.0}

    def stem(self, stem: Stem, n_channels: int) -> str:
        rng, source, weight_type, pad_value = (
            self.rng,
            "bits",
            Bipolar(),
            int(self.rng.integers(-1, 2)),
        )
        if stem in ("int8", "binary"):
            source, pad_value = "image", 0
            weight_type = Int(8) if stem == "int8" else Bipolar()
        elif stem == "thermometer":
            self.add(Thermometer("bits", ("image",), np.array([40, 128, 200])), 1)
        else:
            self.add(Binarise("bits", ("image",), int(rng.integers(80, 176))), 1)
        self.conv("stem", source, n_channels, 3, weight_type, padding=1, pad_value=pad_value)
        return self.affine("stem_affine", "stem", self.stream_type)

    def block(self, name: str, stream: str, shape: BlockShape) -> str:
        rng, edge = self.rng, self.edges[stream]
        shortcut = self.shortcut(name, stream, shape)
        self.threshold(f"{name}_sign", stream)
        self.conv(
            f"{name}_conv", f"{name}_sign", shape.channels, shape.kernel, Bipolar(), shape.stride,
            shape.kernel // 2, shape.pad_value,
        )  # fmt: skip
        branch = self.affine(f"{name}_affine", f"{name}_conv", edge.datatype)
        deviation = float(np.hypot(self.deviations[branch], self.deviations[shortcut]))
        self.add(Add(f"{name}_add", (branch, shortcut)), deviation)
        shift = int(rng.integers(0, 8))
        unit = 1 << shift
        if shape.power_of_two:
            slopes = rng.choice([-1, 1, 1, 1], shape.channels) << rng.integers(
                0, shift + 1, shape.channels
            )
        else:
            slopes = rng.integers(-unit, 2 * unit, shape.channels, endpoint=True)
        return self.add(PReLU(f"{name}_prelu", (f"{name}_add",), slopes, shift), 0.8 * deviation)

    def shortcut(self, name: str, stream: str, shape: BlockShape) -> str:
        """Edge of the stream in the block's output shape."""
        n_channels = self.edges[stream].shape[2]
        if shape.stride == 1 and shape.channels == n_channels:
            return stream
        if shape.stride > 1:
            pixels = shape.stride**2
            self.add(
                AvgPool(f"{name}_pool", (stream,), shape.stride),
                self.deviations[stream] * pixels**0.75,
            )
            stream = self.mean(f"{name}_mean", f"{name}_pool", pixels)
        if shape.shortcut == "conv1x1":
            self.conv(f"{name}_conv1x1", stream, shape.channels, 1, Int(8))
            return self.affine(f"{name}_scaled", f"{name}_conv1x1", self.stream_type)
        copies, rest = divmod(shape.channels, n_channels)
        if rest:
            raise ValueError(
                f"Channels must be copies of those that come in: {n_channels}, not {shape.channels!r}"
            )
        if copies == 1:
            return stream
        return self.add(
            ConcatChannels(f"{name}_copies", (stream,), copies), self.deviations[stream]
        )

    def head(self, stream: str, n_classes: int) -> None:
        height, width, _ = self.edges[stream].shape
        self.add(
            GlobalAvgPool("pool", (stream,)), self.deviations[stream] * (height * width) ** 0.75
        )
        source = self.affine("features", "pool", Int(8))
        n_inputs = self.edges[source].elements
        weights = self.rng.integers(-128, 128, (n_classes, n_inputs)).astype(np.int8)
        deviation = self.deviations[source] * 74 * n_inputs**0.5
        self.add(Dense("head", (source,), weights, Int(8)), deviation)
        self.affine("scores", "head", Int(int(self.rng.integers(12, 24))))
        self.add(ArgMax("label", ("scores",)), 1)

    def mean(self, name: str, source: str, pixels: int) -> str:
        """A sum of so many pixels divided by their number; in one case of two exactly and without multipliers."""
        if self.rng.random() < 0.5:
            return self.affine(name, source, self.stream_type)
        n_channels = self.edges[source].shape[2]
        ones, zeros = np.ones(n_channels, np.int64), np.zeros(n_channels, np.int64)
        shift = pixels.bit_length() - 1
        node = Affine(name, (source,), ones, zeros, shift, self.stream_type)
        return self.add(node, self.deviations[source] / pixels)

    def affine(self, name: str, source: str, output: DataType) -> str:
        """To values that deviate by a tenth to a half of the largest that `output` has."""
        rng, n_channels = self.rng, self.edges[source].shape[2]
        target = output.maximum * rng.choice([0.1, 0.2, 0.2, 0.5])
        gain = target / self.deviations[source]  # of which a multiplier is a multiple of 2^-shift
        least = max(0, int(np.ceil(-np.log2(gain))))
        shift = int(min(31, least + rng.integers(0, 9)))
        spread = (
            gain * 2.0**shift * rng.uniform(0.5, 1.5, n_channels) * rng.choice([-1, 1], n_channels)
        )
        multipliers = np.clip(np.rint(spread), -(2**15) + 1, 2**15 - 1).astype(np.int64)
        offsets = np.rint(rng.normal(0, target / 2, n_channels) * 2.0**shift).astype(np.int64)
        node = Affine(name, (source,), multipliers, offsets, shift, output)
        return self.add(node, float(target))

    def threshold(self, name: str, source: str) -> None:
        """One threshold in eight is at an end of the type or beyond it."""
        rng, x = self.rng, self.edges[source]
        n_channels, type_ = x.shape[2], x.datatype
        thresholds = np.rint(rng.normal(0, self.deviations[source] / 2, n_channels))
        extreme = rng.random(n_channels) < 0.125
        ends = [type_.minimum, type_.maximum, type_.maximum + 1]
        thresholds[extreme] = rng.choice(ends, extreme.sum())
        thresholds = np.clip(thresholds, type_.minimum, type_.maximum + 1).astype(np.int64)
        self.add(Threshold(name, (source,), thresholds), 1)

    def conv(
        self,
        name: str,
        source: str,
        n_channels: int,
        kernel: int,
        weight_type: DataType,
        stride: int = 1,
        padding: int = 0,
        pad_value: int = 0,
    ) -> None:
        shape = (n_channels, kernel, kernel, self.edges[source].shape[2])
        if isinstance(weight_type, Bipolar):
            weights = self.rng.choice([-1, 1], shape).astype(np.int8)
        else:
            weights = self.rng.integers(-128, 128, shape).astype(np.int8)
        size = 1 if isinstance(weight_type, Bipolar) else 74
        deviation = self.deviations[source] * size * weights[0].size ** 0.5
        self.add(Conv(name, (source,), weights, weight_type, stride, padding, pad_value), deviation)

    def add(self, node: Node, deviation: float) -> str:
        self.nodes.append(node)
        self.edges[node.name] = node.output(*(self.edges[name] for name in node.inputs))
        self.deviations[node.name] = deviation
        return node.name


def random_images(network: Network, count: int, seed: int = 0) -> np.ndarray:
    """uint8 (count, height, width, channels), each channel of each image between two ends of its own: labels differ."""
    rng = np.random.default_rng(seed)
    height, width, channels = network.input_type.shape
    ends = np.sort(rng.integers(0, 256, (2, count, 1, 1, channels)), axis=0)
    return rng.integers(ends[0], ends[1], (count, height, width, channels), np.uint8, endpoint=True)


DRAWN_STEMS: tuple[Stem, ...] = ("host", "device", "thermometer", "int8")
SHORTCUTS: tuple[Shortcut, ...] = get_args(Shortcut)
SIDES = st.one_of(
    st.sampled_from([(4, 4), (4, 8), (6, 6), (8, 8), (10, 6)]),
    st.tuples(st.integers(4, 10), st.integers(4, 10)),
)


@st.composite
def residual_networks(draw: st.DrawFn) -> Network:
    """Small residual networks: images of 4 to 10 pixels a side, 1 to 4 blocks of 2 to 8 channels, streams of 8 to 16 bits."""
    height, width = draw(SIDES)
    image = (height, width, draw(st.integers(1, 3)))
    stem_channels = n_channels = draw(st.one_of(st.integers(2, 4), st.integers(2, 8)))
    blocks = []
    for _ in range(draw(st.integers(1, 4))):
        can_halve = height % 2 == 0 and width % 2 == 0
        stride = draw(st.sampled_from([1, 2])) if can_halve else 1
        height, width = height // stride, width // stride
        shortcut = draw(st.sampled_from(SHORTCUTS))
        if shortcut == "conv1x1":
            n_channels = draw(st.integers(2, 8))
        else:
            n_channels *= draw(st.integers(1, 8 // n_channels))
        pad_value = draw(st.sampled_from([0, 1, -1]))
        blocks.append(BlockShape(n_channels, stride, shortcut, pad_value, draw(st.booleans())))
    return random_residual_network(
        image,
        blocks,
        stem=draw(st.sampled_from(DRAWN_STEMS)),
        stem_channels=stem_channels,
        stream_bits=draw(st.integers(8, 16)),
        n_classes=draw(st.integers(2, 5)),
        seed=draw(st.integers(0, 2**32 - 1)),
    )
