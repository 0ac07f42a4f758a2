"""The stages of one matrix-vector layer: window, regrouping and product, with everything after it that it absorbs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...hw.fifo import FifoConfig
from ...hw.leaf_memory import LeafMemoryConfig
from ...hw.matrix_vector import MatrixVectorConfig
from ...hw.matrix_vector_layer import MatrixVectorLayerConfig
from ...hw.popcount import PopcountConfig
from ...hw.preset_memory import PresetMemoryConfig
from ...hw.processing_element import least_accumulator_bits
from ...hw.sliding_window import SlidingWindowConfig
from ...hw.stage import StageConfig
from ...hw.weight_memory import WeightMemoryConfig
from ...hw.width_converter import WidthConverterConfig
from ..errors import UnsupportedLayerError
from ..network import Affine, ArgMax, Bipolar, Conv, Dense, EdgeType, Network, Node, Threshold
from ..plan.folding import Folding, window_lanes
from .device_forms import PORTABLE, DeviceForms
from .packing import preset_words, weight_words
from .presets import Presets, layer_presets

SMALLEST_BLOCK_BITS = 64
"""Vectors of at most this many bits are replayed from registers."""

SUPPORTED = (
    "Binarise or Thermometer at the entrance, then a chain of Conv or Dense with binary weights on "
    "binary inputs, each followed by Threshold and any MaxPool, that ends in Dense, at most an "
    "integer bias, and ArgMax"
)


def unsupported(node: Node, problem: str) -> UnsupportedLayerError:
    """The error for a node that the hardware does not have, `problem` being the rest of the sentence about it."""
    return UnsupportedLayerError(
        f"Layer {node.name} ({node.kind}) {problem}", f"The hardware has: {SUPPORTED}."
    )


def absorbed_by(network: Network, node: Conv | Dense) -> Threshold | Affine | None:
    """The node after a product that its accumulators compute themselves; None where the sums go out as they are.

    Raises
    ------
    UnsupportedLayerError - the sums go to something else, or to several layers
    """
    readers = list(network.consumers(node.name))
    if len(readers) != 1:
        raise unsupported(node, f"is read by {len(readers)} layers")
    (consumer,) = readers
    if isinstance(consumer, Threshold):
        return consumer
    if isinstance(consumer, ArgMax):
        return None
    if isinstance(consumer, Affine):
        if np.any(consumer.multipliers != 1) or consumer.shift:
            raise unsupported(consumer, "multiplies; only an integer bias can be built")
        n_columns, scores = node.matrix.shape[1], consumer.output_type  # a sum reaches both ends
        lowest, highest = consumer.offsets.min() - n_columns, consumer.offsets.max() + n_columns
        if lowest < scores.minimum or highest > scores.maximum:
            raise unsupported(
                consumer,
                f"may saturate: {lowest} to {highest} can occur, {scores} is {scores.minimum} to {scores.maximum}",
            )
        return consumer
    raise unsupported(node, "is followed by neither Threshold nor Affine nor ArgMax")


@dataclass(frozen=True, slots=True, eq=False)
class LayerStages:
    """Stages of one matrix-vector layer, as (suffix of the name, config), and what they were made from.

    `input_lanes` is the number of elements that the first stage takes per transfer: whoever feeds it regroups to that.
    """

    input_lanes: int
    stages: tuple[tuple[str, StageConfig], ...]
    unit: MatrixVectorConfig
    presets: Presets


def layer_stages(
    network: Network,
    node: Conv | Dense,
    consumer: Threshold | Affine | None,
    folding: Folding,
    forms: DeviceForms = PORTABLE,
) -> LayerStages:
    """Window, regrouping and product of one layer; `consumer` is what the accumulators absorb.

    A dense layer takes `folding.simd` elements per transfer, a convolution `window_lanes` channels.

    Raises
    ------
    UnsupportedLayerError - weights or inputs that are not bipolar
    """
    source, output = network.edges[node.inputs[0]], network.edges[node.name]
    if not isinstance(source.datatype, Bipolar) or not isinstance(node.weight_type, Bipolar):
        raise unsupported(node, f"multiplies {node.weight_type} with {source.datatype}")
    mh, mw = node.matrix.shape
    pe, simd = folding.pe, folding.simd
    n_vectors = output.shape[0] * output.shape[1]
    stages: list[tuple[str, StageConfig]] = []
    if isinstance(node, Conv):
        lanes = window_lanes(node, simd)
        if (
            node.weights.shape[1:3] != (1, 1) or node.stride > 1
        ):  # else every pixel is its own window
            window = _sliding_window(node, source, lanes)
            stages.append(("window", window))
            # A window decides late what it does when its output is taken; the FIFO ends that path.
            stages.append(("taps", FifoConfig(lanes, 2, window.outputs_per_frame)))
        if lanes != simd:
            stages.append(("columns", WidthConverterConfig(1, lanes, simd, n_vectors * mw)))

    presets = layer_presets(node, output, source, consumer)
    kind = "bits" if isinstance(consumer, Threshold) else "sums"
    bits = max(presets.accumulator_bits, least_accumulator_bits(simd, kind))
    source_of_weights = "absorbed" if folding.weights == "absorbed" else "memory"
    is_coded = source_of_weights == "memory" and 0 < forms.coded_rows <= pe
    unit = MatrixVectorConfig(
        mh,
        mw,
        pe,
        simd,
        bits,
        kind,
        n_vectors,
        weights=source_of_weights,
        coded=is_coded,
        **forms.unit,
    )
    start_words = preset_words(presets.values, pe, bits)
    starts = PresetMemoryConfig(
        pe * bits,
        start_words,
        mh // pe,
        presets.row_classes,
        presets.column_classes,
        folding.presets,
        **forms.memory(2 * len(start_words)),
    )
    product = MatrixVectorLayerConfig(
        unit,
        _weights(node, unit, folding, forms),
        starts,
        "block" if mw > SMALLEST_BLOCK_BITS else "logic",
        forms.memory(4 * mw // simd)["form"],
    )
    stages.append(("product", product))
    input_lanes = window_lanes(node, simd) if isinstance(node, Conv) else simd
    return LayerStages(input_lanes, tuple(stages), unit, presets)


def _weights(
    node: Conv | Dense, unit: MatrixVectorConfig, folding: Folding, forms: DeviceForms
) -> WeightMemoryConfig | LeafMemoryConfig:
    words = weight_words(node.matrix, unit.pe, unit.simd)
    if unit.weights == "absorbed":
        tree = PopcountConfig(unit.simd, unit.form, absorbed=True)
        return LeafMemoryConfig(unit.pe, tree, words, forms.ram_depth, **forms.memory(len(words)))
    return WeightMemoryConfig(unit.weight_bits, words, folding.weights, **forms.memory(len(words)))


def _sliding_window(node: Conv, source: EdgeType, lanes: int) -> SlidingWindowConfig:
    height, width, channels = source.shape
    kernel_height, kernel_width = node.kernel
    return SlidingWindowConfig(
        height=height,
        width=width,
        channels=channels,
        element_bits=1,
        lanes=lanes,
        kernel_height=kernel_height,
        kernel_width=kernel_width,
        stride=node.stride,
        padding=node.padding,
        pad_code=int(node.pad_value > 0),  # the presets correct for zeros
    )
