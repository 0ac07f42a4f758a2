"""Random matrix-vector layers of realistic shapes, folded as plans fold them, for `calibrate_sample.py`.

A layer is a node of a small network; its stages are those that a build makes of it (`sw.build.layer`), in the forms of a board's device.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from rbonn.boards import Board
from rbonn.hw.matrix_vector_layer import MatrixVectorLayerConfig
from rbonn.hw.popcount import LEAF_LANES
from rbonn.hw.stage import StageConfig
from rbonn.sw.build.device_forms import device_forms
from rbonn.sw.build.layer import absorbed_by, layer_stages
from rbonn.sw.network import (
    Bipolar,
    Conv,
    DataType,
    Dense,
    EdgeType,
    Int,
    Network,
    Node,
    Threshold,
    UInt,
)
from rbonn.sw.plan.folding import Folding, Memory, WeightForm, foldings, window_forms

_T = TypeVar("_T")

CHANNELS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
IMAGE_CHANNELS = (1, 3, 4, 8)
ROWS = (8, 10, 16, 24, 32, 48, 64, 96, 128, 256)
SIDES = (4, 7, 8, 12, 14, 16, 24, 28, 32)
DENSE_COLUMNS = (32, 64, 100, 128, 196, 256, 392, 512, 784, 1024)
KERNELS = (1, 3, 3, 3, 5)

MOST_WEIGHT_BITS = 150_000
"""Of a layer: what is larger takes long to synthesise and is larger in block RAMs only."""

MOST_LOGIC_WORDS = 16
"""Words of weights in constants, which is what plans consider."""

MOST_PRESET_BITS = 3000
"""Of a table of presets in logic: plans have larger ones in block RAM."""

N_CANDIDATES = 60
"""Layers that are drawn for one whose folding is as large as asked for."""


def one_of(rng: np.random.Generator, values: Sequence[_T]) -> _T:
    """Any of `values`."""
    return values[int(rng.integers(len(values)))]


def with_head(source: EdgeType, *nodes: Node) -> Network:
    """A network of `nodes` and a dense layer behind them, so that it has scores."""
    edge = source
    for node in nodes:
        edge = node.output(edge)
    head = Dense("head", (nodes[-1].name,), np.ones((2, edge.elements), np.int8), Bipolar())
    return Network("sample", source, (*nodes, head), 0, "head", ("a", "b"))


def _random_layer(rng: np.random.Generator, source: DataType, weight_type: DataType) -> tuple[EdgeType, Conv | Dense]:  # fmt: skip
    """A layer that reads the image, and the image's type."""
    rows, is_first = one_of(rng, ROWS), not isinstance(source, Bipolar)
    low, high = weight_type.minimum, weight_type.maximum

    def weights(shape: tuple[int, ...]) -> np.ndarray:
        if isinstance(weight_type, Bipolar):
            return rng.choice([-1, 1], shape).astype(np.int8)
        return rng.integers(low, high + 1, shape).astype(np.int8)

    if rng.random() < 0.25:
        columns = one_of(rng, DENSE_COLUMNS)
        node = Dense("layer", ("image",), weights((rows, columns)), weight_type)
        return EdgeType(source, (1, 1, columns)), node
    kernel, side = one_of(rng, KERNELS), one_of(rng, SIDES)
    kernel = min(kernel, side)
    channels = one_of(rng, IMAGE_CHANNELS if is_first and rng.random() < 0.6 else CHANNELS)
    stride = 2 if kernel > 1 and rng.random() < 0.2 else 1
    padding = int(rng.integers(2)) * (kernel // 2)
    shape = (rows, kernel, kernel, channels)
    node = Conv("layer", ("image",), weights(shape), weight_type, stride, padding, 0)
    return EdgeType(source, (side, side, channels)), node


def layer_parts(
    rng: np.random.Generator,
    board: Board,
    lanes: float,
    *,
    weights: WeightForm | None = None,
    source: DataType | None = None,
    weight_type: DataType | None = None,
    planes: bool = False,
    part: str = "product",
) -> tuple[str, StageConfig]:
    """A stage of a random layer of about `lanes` products per cycle, and the shape of the layer in words.

    `weights` None: what plans consider for that many words. `part` is the suffix of the stage's name in `layer_stages`; only layers that have it are drawn.
    """
    candidates = []
    while len(candidates) < N_CANDIDATES:
        found = _candidate(rng, board, weights, source or Bipolar(), weight_type or Bipolar(), planes, part)  # fmt: skip
        if found is not None:
            candidates.append(found)
    edge, node, folding = min(
        candidates, key=lambda c: abs(math.log(c[2].pe * c[2].simd / lanes)) + 0.01 * rng.random()
    )
    return _stage(rng, board, edge, node, folding, part)


def _candidate(
    rng: np.random.Generator,
    board: Board,
    form: WeightForm | None,
    source: DataType,
    weight_type: DataType,
    planes: bool,
    part: str,
) -> tuple[EdgeType, Conv | Dense, Folding] | None:
    """A layer and a folding of it; None where it has no such part or memory."""
    edge, node = _random_layer(rng, source, weight_type)
    pe, simd = one_of(rng, list(foldings(node)))
    words = node.matrix.size // (pe * simd)
    if node.matrix.size * weight_type.bits > MOST_WEIGHT_BITS:
        return None
    window = one_of(rng, window_forms(node, simd))
    if part == "window":
        is_sliding = isinstance(node, Conv) and (node.kernel != (1, 1) or node.stride > 1)
        if window != "sequential" or not is_sliding:
            return None
    if part == "parallel_window":
        if not isinstance(node, Conv) or "parallel" not in window_forms(node, simd):
            return None
        window = "parallel"
    if form is None:
        forms: tuple[WeightForm, ...] = ("block", "logic") if words > 4 else ("logic",)
        form = one_of(rng, forms) if words <= MOST_LOGIC_WORDS else "block"
    elif words not in _words(form, board):
        return None
    integers = "planes" if planes else "whole"
    return edge, node, Folding(pe, simd, form, "logic", window, integers)


def _words(form: WeightForm, board: Board) -> range:
    """How many words of weights there may be in that form."""
    if form == "logic":
        return range(1, MOST_LOGIC_WORDS + 1)
    if form == "absorbed":
        return range(2, (device_forms(board).ram_depth >> LEAF_LANES) + 1)
    return range(1, MOST_WEIGHT_BITS)


def _stage(
    rng: np.random.Generator,
    board: Board,
    edge: EdgeType,
    node: Conv | Dense,
    folding: Folding,
    part: str,
) -> tuple[str, StageConfig]:
    network = with_head(edge, node)
    if rng.random() < 0.6:
        spread = max(1, round(math.sqrt(node.matrix.shape[1])))
        thresholds = rng.integers(-2 * spread, 2 * spread + 1, node.matrix.shape[0])
        network = with_head(edge, node, Threshold("bits", (node.name,), thresholds))
    consumer = absorbed_by(network, node)
    layer = layer_stages(network, node, consumer, folding, device_forms(board))
    suffix = "window" if part == "parallel_window" else part
    config = dict(layer.stages)[suffix]
    words = node.matrix.size // (folding.pe * folding.simd)
    shape = "x".join(str(size) for size in (*edge.shape[:2], *node.weights.shape))
    name = f"{shape} {edge.datatype}, {folding.pe} x {folding.simd}"
    if isinstance(config, MatrixVectorLayerConfig):
        assert config.presets is not None
        presets: Memory = "block"
        if config.presets.depth * config.presets.width <= MOST_PRESET_BITS:
            presets = one_of(rng, ("block", "logic", "logic"))
        config = replace(config, presets=replace(config.presets, memory=presets))
        name += f", {words} words {folding.weights}, {config.unit.output}, presets {presets}"
    return name, config


def integers_of_stream(rng: np.random.Generator) -> DataType:
    """What a first layer, or one on a stream of integers, reads."""
    kinds: tuple[DataType, ...] = (UInt(8), UInt(8), Int(8), UInt(4))
    return one_of(rng, kinds)
