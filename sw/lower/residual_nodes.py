"""Fifth pass of residual networks: the merged network as integer nodes, with the stream in its fixed-point format."""

from __future__ import annotations

import numpy as np

from ..errors import UnsupportedLayerError
from ..network import (
    Add,
    Affine,
    AvgPool,
    ConcatChannels,
    Conv,
    DataType,
    EdgeType,
    Int,
    Node,
    PReLU,
    Threshold,
)
from . import fixed_point
from .encoding import encoding_node
from .graph_builder import GraphBuilder
from .products import product_node, stage_weights
from .residual_form import Line, MergedBlock, MergedNetwork, Shortcut, block_name
from .residual_head import head_nodes
from .stages import Stage
from .stream_format import Ranges, StreamFormat
from .trace import Layer

WEIGHT_BITS = 8
"""Of real-valued weights: those of shortcuts and of the last layer."""


def residual_nodes(
    network: MergedNetwork, image: EdgeType, stream: StreamFormat, ranges: Ranges, head_bits: int
) -> tuple[tuple[Node, ...], int]:
    """The nodes, and the fractional bits of the scores.

    Nodes are called ``thermometer``, ``stem``, ``stem_norm``; ``block1_bits``, ``block1_conv``, ``block1_norm``, ``block1_sum``, ``block1``, ...; in the
    shortcuts ``block7_pool``, ``block7_average``, ``block7_shortcut_conv``, ``block7_shortcut``; and at the end ``pool``, ``average``, ``head``, ``scores``, ``label``.

    Raises
    ------
    UnsupportedLayerError - a factor that 16 bits do not hold in this format (the layer is named)
    """
    graph = GraphBuilder(image)
    if network.encoding is not None:
        graph.append(network.encoding, encoding_node(network.encoding, graph.edge))
    _append_product(graph, network.stem, "stem")
    edge = append_line(graph, network.stem, network.line, "stem_norm", 1.0, stream)
    for number, block in enumerate(network.blocks, start=1):
        edge = _append_block(graph, block, block_name(number), edge, stream)
    nodes, score_fraction = head_nodes(network, edge, graph.x, stream, ranges, head_bits)
    for node in nodes:
        graph.append(network.head, node)
    return tuple(graph.nodes), score_fraction


def append_line(
    graph: GraphBuilder, layer: Layer, line: Line, name: str, unit: float, stream: StreamFormat
) -> str:
    """Appends the `Affine` that takes integers of `unit` to the stream."""
    factors = line.scale * (unit * stream.scale)
    node = affine_node(layer, name, graph.edge, factors, line.offset * stream.scale, stream.datatype)  # fmt: skip
    return graph.append(layer, node)


def affine_node(
    layer: Layer, name: str, edge: str, factors: np.ndarray, offsets: np.ndarray, output: DataType
) -> Affine:
    """``round(factor[c] * x + offset[c])`` as near as 16-bit multipliers allow.

    Raises
    ------
    UnsupportedLayerError - a factor that they do not hold
    """
    try:
        numbers, shift = fixed_point.multipliers(factors)
    except OverflowError as error:
        raise UnsupportedLayerError(
            f"layer {layer}: {error} ({name})",
            "Choose fewer fractional bits, or train with a batch norm that scales less.",
        ) from error
    return Affine(
        name, (edge,), numbers, fixed_point.round_half_up(offsets * 2.0**shift), shift, output
    )


def _append_product(graph: GraphBuilder, layer: Layer, name: str) -> None:
    stage = Stage(name, layer)
    graph.append(layer, product_node(stage, stage_weights(stage, graph.x), graph.edge))


def _append_block(
    graph: GraphBuilder, block: MergedBlock, name: str, edge: str, stream: StreamFormat
) -> str:
    lowest, highest = stream.datatype.minimum, stream.datatype.maximum
    limits = fixed_point.thresholds(block.shift, stream.fraction, lowest, highest)
    graph.append(block.layer, Threshold(f"{name}_bits", (edge,), limits))
    _append_product(graph, block.product, f"{name}_conv")
    main = append_line(graph, block.product, block.line, f"{name}_norm", 1.0, stream)
    beside = _append_shortcut(graph, block.shortcut, name, edge, stream)
    total = graph.append(block.layer, Add(f"{name}_sum", (main, beside)))
    slopes, shift = fixed_point.slopes(block.slopes, block.power_of_two)
    return graph.append(block.layer, PReLU(name, (total,), slopes, shift))


def _append_shortcut(
    graph: GraphBuilder, shortcut: Shortcut, name: str, edge: str, stream: StreamFormat
) -> str:
    layer = shortcut.layer
    if shortcut.size > 1:
        n_channels = graph.edges[edge].shape[2]
        graph.append(layer, AvgPool(f"{name}_pool", (edge,), shortcut.size))
        mean = Line(np.full(n_channels, shortcut.size**-2.0), np.zeros(n_channels))
        edge = append_line(graph, layer, mean, f"{name}_average", 1 / stream.scale, stream)
    if shortcut.weights is None:
        if shortcut.copies == 1:
            return edge
        return graph.append(layer, ConcatChannels(f"{name}_shortcut", (edge,), shortcut.copies))
    assert shortcut.line is not None
    weights, scale = fixed_point.symmetric_weights(shortcut.weights, WEIGHT_BITS)
    node = Conv(
        f"{name}_shortcut_conv", (edge,), weights[:, None, None, :], Int(WEIGHT_BITS), 1, 0, 0
    )
    graph.append(layer, node)
    line = Line(shortcut.line.scale * scale, shortcut.line.offset)
    return append_line(graph, layer, line, f"{name}_shortcut", 1 / stream.scale, stream)
