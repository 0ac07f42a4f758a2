"""Random stages of nodes that are no products, as wide as plans have them, for `calibrate_sample.py`.

Each function takes a random generator, a board and a size between 0 and 1, in which the width of the stage (or what else its cost follows from) grows by
equal ratios, and answers the stage's shape in words and its config.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from calibrate_layers import one_of, with_head
from rbonn.boards import Board
from rbonn.hw.argmax import ArgMaxConfig
from rbonn.hw.fifo import FifoConfig
from rbonn.hw.fork import ForkConfig
from rbonn.hw.stage import StageConfig
from rbonn.hw.width_converter import WidthConverterConfig
from rbonn.sw.build.device_forms import device_forms
from rbonn.sw.build.elaborate import skip_fifo
from rbonn.sw.build.node_stages import add_stage, node_stage
from rbonn.sw.network import (
    Add,
    Affine,
    AvgPool,
    Binarise,
    Bipolar,
    ConcatChannels,
    DataType,
    Dense,
    EdgeType,
    GlobalAvgPool,
    Int,
    MaxPool,
    Network,
    Node,
    PReLU,
    Thermometer,
    Threshold,
    UInt,
)

Draw = Callable[[np.random.Generator, Board, float], tuple[str, StageConfig]]

CHANNELS = (8, 16, 24, 32, 48, 64, 96, 128)
STREAM_BITS = (8, 12, 16, 16, 16)


def between(low: float, high: float, size: float) -> float:
    """From `low` at size 0 to `high` at size 1 by equal ratios."""
    return low * (high / low) ** size


def lanes_of(channels: int, wanted: float) -> int:
    """The divisor of `channels` that is nearest to `wanted` by ratio."""
    divisors = [n for n in range(1, channels + 1) if channels % n == 0]
    return min(divisors, key=lambda n: abs(math.log(n / wanted)))


def _shape(rng: np.random.Generator, sides: tuple[int, ...] = (4, 8, 16, 32)) -> tuple[int, int, int]:  # fmt: skip
    side = one_of(rng, sides)
    return side, side, one_of(rng, CHANNELS)


def _of_node(board: Board, source: EdgeType, node: Node, lanes: int, what: str = "") -> tuple[str, StageConfig]:  # fmt: skip
    """The stage of a node that reads the image."""
    network = with_head(source, node)
    config = node_stage(network, node, lanes, source.datatype.bits, device_forms(board)).config
    shape = "x".join(str(n) for n in source.shape)
    return f"{shape} {source.datatype}, {lanes} lanes{what}", config


def threshold(rng: np.random.Generator, board: Board, size: float) -> tuple[str, StageConfig]:
    shape, bits = _shape(rng), one_of(rng, STREAM_BITS)
    if rng.random() < 0.2:
        source = EdgeType(UInt(8), (28, 28, one_of(rng, (1, 3, 4))))
        node: Node = Binarise("node", ("image",), int(rng.integers(40, 200)))
        return _of_node(board, source, node, lanes_of(source.shape[2], between(1, 4, size)))
    thresholds = rng.integers(-600, 601, shape[2]) % (1 << bits) - (1 << bits - 1)
    node = Threshold("node", ("image",), np.clip(thresholds, -600, 600))
    return _of_node(board, EdgeType(Int(bits), shape), node, lanes_of(shape[2], between(1, 24, size)))  # fmt: skip


def thermometer(rng: np.random.Generator, board: Board, size: float) -> tuple[str, StageConfig]:
    levels = round(between(3, 40, size))
    channels = one_of(rng, (1, 3, 3))
    node = Thermometer("node", ("image",), np.sort(rng.choice(254, levels, replace=False) + 1))
    source = EdgeType(UInt(8), (32, 32, channels))
    return _of_node(board, source, node, one_of(rng, (1, 1, channels)), f", {levels} levels")


def affine(rng: np.random.Generator, board: Board, size: float) -> tuple[str, StageConfig]:
    """Batch norms behind products mostly, else averages or scores."""
    channels, kind = one_of(rng, CHANNELS), rng.random()
    lanes = lanes_of(channels, between(1, 16, size))
    if kind < 0.2:  # an average to the stream's type: the same for all channels
        scale, zero = np.full(channels, 1 << 14), np.zeros(channels, np.int64)
        node = Affine("node", ("image",), scale, zero, 16, Int(16))
        return _of_node(board, EdgeType(Int(18), (8, 8, channels)), node, lanes, ", average")
    if kind < 0.35:  # averages of all pixels to a head of 8 bits
        scale, offsets = rng.integers(6000, 22_000, channels), rng.integers(-(10**9), 10**9, channels)  # fmt: skip
        node = Affine("node", ("image",), scale, offsets, 24, Int(8))
        return _of_node(board, EdgeType(Int(22), (1, 1, channels)), node, lanes, ", head")
    columns = one_of(rng, (27, 72, 144, 288, 576))
    matrix = rng.choice([-1, 1], (channels, columns)).astype(np.int8)
    product = Dense("product", ("image",), matrix, Bipolar())
    scale, offsets = rng.integers(4000, 30_000, channels), rng.integers(-400_000, 400_000, channels)
    bits, shift = one_of(rng, STREAM_BITS), int(rng.integers(8, 12))
    node = Affine("node", ("product",), scale, offsets, shift, Int(bits))
    network = with_head(EdgeType(Bipolar(), (1, 1, columns)), product, node)
    sums = network.edges["product"].datatype.bits
    config = node_stage(network, node, lanes, sums, device_forms(board)).config
    return f"{channels} channels, sums of {columns} to {bits} bits, {lanes} lanes", config


def prelu(
    rng: np.random.Generator, board: Board, size: float, *, free: bool = False
) -> tuple[str, StageConfig]:
    """Slopes that are powers of two, as they are trained; or `free` ones."""
    shape, bits = _shape(rng), one_of(rng, STREAM_BITS)
    lanes = lanes_of(shape[2], between(1, 12, size))
    if free:
        node = PReLU("node", ("image",), rng.integers(-200, 1200, shape[2]), 10)
    else:
        slopes = 1 << rng.choice([4, 5, 5, 6, 6, 6, 7], shape[2])
        negative = rng.random(shape[2]) < 0.1 * rng.integers(2)
        node = PReLU("node", ("image",), np.where(negative, -slopes, slopes), 7)
    return _of_node(board, EdgeType(Int(bits), shape), node, lanes)


def residual_add(rng: np.random.Generator, board: Board, size: float) -> tuple[str, StageConfig]:
    source, bits = _shape(rng), one_of(rng, STREAM_BITS)
    edge = EdgeType(Int(bits), source)
    add, head = Add("node", ("image", "image")), np.ones((2, edge.elements), np.int8)
    nodes = (add, Dense("head", ("node",), head, Bipolar()))
    network = Network("sample", edge, nodes, 0, "head", ("a", "b"))
    lanes = lanes_of(source[2], between(1, 24, size))
    return f"{bits} bits, {lanes} lanes", add_stage(network, add, lanes)


def max_pool(rng: np.random.Generator, board: Board, size: float) -> tuple[str, StageConfig]:
    shape = _shape(rng, (8, 14, 16, 28, 32))
    node = MaxPool("node", ("image",), one_of(rng, (2, 2, 3)))
    lanes = lanes_of(shape[2], between(1, 64, size))
    return _of_node(board, EdgeType(Bipolar(), shape), node, lanes, f", size {node.size}")


def avg_pool(rng: np.random.Generator, board: Board, size: float) -> tuple[str, StageConfig]:
    shape = _shape(rng, (8, 16))
    node = AvgPool("node", ("image",), 2)
    lanes = lanes_of(shape[2], between(1, 6, size))
    return _of_node(board, EdgeType(Int(one_of(rng, STREAM_BITS)), shape), node, lanes)


def global_avg_pool(rng: np.random.Generator, board: Board, size: float) -> tuple[str, StageConfig]:
    shape = _shape(rng, (4, 7, 8))
    node = GlobalAvgPool("node", ("image",))
    lanes = lanes_of(shape[2], between(1, 8, size))
    return _of_node(board, EdgeType(Int(one_of(rng, STREAM_BITS)), shape), node, lanes)


def concat_channels(rng: np.random.Generator, board: Board, size: float) -> tuple[str, StageConfig]:
    shape = _shape(rng)
    node, kind = ConcatChannels("node", ("image",), one_of(rng, (2, 2, 2, 4))), rng.random()
    source: DataType = Bipolar() if kind < 0.2 else Int(one_of(rng, STREAM_BITS))
    lanes = lanes_of(shape[2], between(1, 12, size))
    return _of_node(board, EdgeType(source, shape), node, lanes, f", {node.copies} copies")


def fork(rng: np.random.Generator, board: Board, size: float) -> tuple[str, StageConfig]:
    width, branches = round(between(8, 512, size)), one_of(rng, (2, 2, 3, 4))
    return f"{width} bits, {branches} branches", ForkConfig(width, branches, 1024)


def fifo(rng: np.random.Generator, board: Board, size: float) -> tuple[str, StageConfig]:
    """Of depth 2 beside windows, or of any depth beside long branches."""
    if rng.random() < 0.35:
        width = round(between(4, 256, size))
        return f"{width} bits, depth 2", FifoConfig(width, 2, 1024)
    width = one_of(rng, STREAM_BITS) * one_of(rng, (1, 1, 2, 4))
    depth = round(between(4, 1200, size))
    return f"{width} bits, depth {depth}", skip_fifo(width, depth, 4096, device_forms(board))


def width_converter(
    rng: np.random.Generator, board: Board, size: float, *, bits: int = 1
) -> tuple[str, StageConfig]:
    """Bytes of the link to the first layer, or channels between layers."""
    channels = one_of(rng, CHANNELS)
    if bits == 1 and rng.random() < 0.3:
        channels = 784
        i_lanes, o_lanes = 8, lanes_of(channels, between(1, 196, size))
    else:
        most = channels if bits == 1 else min(channels, 16)
        wide, narrow = lanes_of(channels, between(2, most, size)), one_of(rng, (1, 1, 2, 4))
        narrow = lanes_of(channels, min(narrow, wide / 2))
        i_lanes, o_lanes = (wide, narrow) if rng.random() < 0.5 else (narrow, wide)
    name = f"{bits} bits, {i_lanes} to {o_lanes} lanes"
    return name, WidthConverterConfig(bits, i_lanes, o_lanes, 64 * channels)


def arg_max(rng: np.random.Generator, board: Board, size: float) -> tuple[str, StageConfig]:
    classes, bits = round(between(3, 1000, size)), int(rng.integers(8, 24))
    return f"{classes} classes, {bits} bits", ArgMaxConfig(classes, bits)
