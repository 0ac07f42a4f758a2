"""The stages of one matrix-vector layer: window, regrouping and product, with everything after it that it absorbs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...hw.bit_planes import BitPlanesConfig
from ...hw.fifo import FifoConfig
from ...hw.leaf_memory import LeafMemoryConfig
from ...hw.matrix_vector import MatrixVectorConfig
from ...hw.matrix_vector_layer import MatrixVectorLayerConfig
from ...hw.operands import BITS, Bits, Integers
from ...hw.pair_sums import PairSumsConfig
from ...hw.parallel_window import ParallelWindowConfig
from ...hw.popcount import PopcountConfig
from ...hw.preset_memory import PresetMemoryConfig
from ...hw.sliding_window import SlidingWindowConfig
from ...hw.stage import StageConfig
from ...hw.weight_memory import WeightMemoryConfig
from ...hw.width_converter import WidthConverterConfig
from ..errors import UnsupportedLayerError
from ..network import Affine, ArgMax, Conv, Dense, EdgeType, Network, Node, Threshold
from ..network.datatypes import to_codes
from ..plan.folding import Folding, window_lanes
from .device_forms import PORTABLE, DeviceForms
from .operands import layer_operands, product_count
from .packing import preset_words, weight_words
from .presets import Presets, layer_presets, sum_ranges
from .window_pace import is_in_time

SMALLEST_BLOCK_BITS = 64
"""Vectors of at most this many bits are replayed from registers."""

LUT_RAM_WORDS = 16
"""Words of the deepest replay buffers, of two vectors, that are LUT RAM: a cell of it holds as many."""

DEEPEST_LUT_RAM = 64
"""Pixels of the longest rows that a parallel window keeps in LUT RAM."""

SUPPORTED = (
    "at the entrance Binarise or Thermometer, or raw pixels; Conv and Dense with binary weights on bits or integers, or with integer "
    "weights on integers of 2 to 18 bits; Threshold, Affine, PReLU, Add, MaxPool of bits, AvgPool, GlobalAvgPool, ConcatChannels; "
    "ArgMax of signed scores at the end"
)


def unsupported(node: Node, problem: str) -> UnsupportedLayerError:
    """The error for a node that the hardware does not have, `problem` being the rest of the sentence about it."""
    return UnsupportedLayerError(
        f"Layer {node.name} ({node.kind}) {problem}", f"The hardware has: {SUPPORTED}."
    )


def absorbed_by(network: Network, node: Conv | Dense) -> Threshold | Affine | None:
    """The node after a product that its accumulators compute themselves; None where the signed sums go out as they are.

    A threshold is where the accumulator starts. So is the bias of the scores: an `Affine` in front of an `ArgMax` that neither multiplies nor
    shifts nor saturates. (Others need their results in the exact type.) Either has to be the sums' only reader.
    """
    readers = list(network.consumers(node.name))
    if len(readers) != 1:
        return None
    (consumer,) = readers
    if isinstance(consumer, Threshold):
        return consumer
    if not isinstance(consumer, Affine) or np.any(consumer.multipliers != 1) or consumer.shift:
        return None
    if not all(isinstance(reader, ArgMax) for reader in network.consumers(consumer.name)):
        return None
    lowest, highest = sum_ranges(node.matrix, network.edges[node.inputs[0]].datatype)
    scores = consumer.output_type
    fits_below = np.all(lowest + consumer.offsets >= scores.minimum)
    fits_above = np.all(highest + consumer.offsets <= scores.maximum)
    return consumer if fits_below and fits_above else None


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
    *,
    blank: bool = False,
) -> LayerStages:
    """Window, regrouping and product of one layer; `consumer` is what the accumulators absorb.

    A dense layer takes `folding.simd` elements per transfer, a convolution `window_lanes` channels. With `blank` memories of weights hold zeros, which is
    all that their cost depends on, and takes a tenth of the time.

    Raises
    ------
    UnsupportedLayerError - weights and inputs of types that the array does not multiply
    """
    source, output = network.edges[node.inputs[0]], network.edges[node.name]
    mw, simd = node.matrix.shape[1], folding.simd
    n_vectors = output.shape[0] * output.shape[1]
    operands = layer_operands(node, source.datatype, folding, forms)
    if operands is None:
        raise unsupported(node, f"multiplies {node.weight_type} with {source.datatype}")
    product, presets = _product(network, node, consumer, folding, forms, blank)
    bits = source.datatype.bits
    input_lanes = lanes = simd
    stages: list[tuple[str, StageConfig]] = []
    if isinstance(node, Conv):
        input_lanes = lanes = window_lanes(node, simd)
        if folding.window == "parallel":
            lanes = mw
            window, product = _parallel_window(node, source, product, forms)
            # A pixel may have to wait until its place has been read; with a FIFO what makes pixels goes on meanwhile.
            pixels = FifoConfig(window.input_width, 2, window.inputs_per_frame)
            stages += [("pixels", pixels), ("window", window)]
        elif node.kernel != (1, 1) or node.stride > 1:  # else every pixel is its own window
            window = _sliding_window(node, source, lanes)
            # A window decides late what it does when its output is taken; the FIFO ends that path.
            taps = FifoConfig(window.output_width, 2, window.outputs_per_frame)
            stages += [("window", window), ("taps", taps)]
    if lanes != simd:
        stages.append(("columns", WidthConverterConfig(bits, lanes, simd, n_vectors * mw)))
    transfers, signed = n_vectors * mw // simd, source.datatype.minimum < 0
    if isinstance(operands, Integers):
        stages.append(("pairs", PairSumsConfig(bits, simd, transfers, signed)))
    elif isinstance(operands, Bits) and operands != BITS:
        stages.append(("planes", BitPlanesConfig(bits, simd, transfers, signed)))

    stages.append(("product", product))
    return LayerStages(input_lanes, tuple(stages), product.unit, presets)


def _sliding_window(node: Conv, source: EdgeType, lanes: int) -> SlidingWindowConfig:
    return SlidingWindowConfig(lanes=lanes, **_window_shape(node, source))


def _parallel_window(
    node: Conv, source: EdgeType, product: MatrixVectorLayerConfig, forms: DeviceForms
) -> tuple[ParallelWindowConfig, MatrixVectorLayerConfig]:
    """The window and the product that takes it, with registers between the two where there is time for them.

    Unless its pipeline waits for the output, a product can hear from a register that a window is offered, and with a slow memory it says from one
    that it has been taken. Each costs a cycle before the next window: where that would come late, the offer goes without, then the answer.
    """
    is_shallow = source.shape[1] <= DEEPEST_LUT_RAM
    memory = "lut_ram" if forms.has_lut_ram and is_shallow else "block"
    window = ParallelWindowConfig(memory=memory, **_window_shape(node, source))
    if not product.replay.has_register or product.unit.back_pressure != "credit":
        return window, product
    uses, heard = product.unit.uses, replace(product, offer_latency=1)
    if is_in_time(window.schedule, uses, heard.early_cycles):
        return window, heard
    if product.early_cycles and not is_in_time(window.schedule, uses, product.early_cycles):
        return replace(window, back_pressure="direct"), product
    return window, product


def _window_shape(node: Conv, source: EdgeType) -> dict[str, Any]:
    """What both kinds of windows have to know."""
    height, width, channels = source.shape
    kernel_height, kernel_width = node.kernel
    return {
        "height": height,
        "width": width,
        "channels": channels,
        "element_bits": source.datatype.bits,
        "kernel_height": kernel_height,
        "kernel_width": kernel_width,
        "stride": node.stride,
        "padding": node.padding,
        "pad_code": pad_code(node, source),
    }


def pad_code(node: Conv, source: EdgeType) -> int:
    """What a padded tap holds, as a code; 0 among +1 and -1 is a -1 for which the presets correct."""
    if source.datatype.bits == 1:
        return int(node.pad_value > 0)
    return int(to_codes(np.array(node.pad_value), source.datatype))


def _product(
    network: Network,
    node: Conv | Dense,
    consumer: Threshold | Affine | None,
    folding: Folding,
    forms: DeviceForms,
    blank: bool,
) -> tuple[MatrixVectorLayerConfig, Presets]:
    """The array with its memories, and what its accumulators start at."""
    source, output = network.edges[node.inputs[0]], network.edges[node.name]
    (mh, mw), pe, simd = node.matrix.shape, folding.pe, folding.simd
    operands = layer_operands(node, source.datatype, folding, forms)
    assert operands is not None, "looked at before"
    counted = product_count(node, source.datatype, operands, simd)
    presets = layer_presets(node, output, source, consumer, counted)
    kind = "bits" if isinstance(consumer, Threshold) else "sums"
    is_absorbed = folding.weights == "absorbed"
    # An accumulator holds its range, and at least what one beat can count, and one bit more (`least_accumulator_bits`).
    most_of_beat = operands.tree(simd).most * ((1 << operands.planes) - 1)
    least_bits = most_of_beat.bit_length() + 1
    bits = max(presets.accumulator_bits, least_bits)
    is_coded = operands == BITS and not is_absorbed and 0 < forms.coded_rows <= pe
    arithmetic: dict[str, Any] = {"operands": operands, "coded": is_coded}
    unit = MatrixVectorConfig(
        mh,
        mw,
        pe,
        simd,
        bits,
        kind,
        output.shape[0] * output.shape[1],
        weights="absorbed" if is_absorbed else "memory",
        **arithmetic,
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
        _weights(node, unit, folding, forms, blank),
        starts,
        _replay_memory(unit, folding, forms),
        forms.memory(4 * unit.transfers_per_vector)["form"],
    )
    return product, presets


def _replay_memory(unit: MatrixVectorConfig, folding: Folding, forms: DeviceForms) -> str:
    """What vectors are kept in; while one whole window is used, the next one has time to come."""
    if folding.window == "parallel" and unit.transfers_per_vector == 1:
        return "register"
    vector_bits, words = unit.input_width * unit.transfers_per_vector, unit.transfers_per_vector
    if forms.has_lut_ram and words <= LUT_RAM_WORDS // 2 and vector_bits > SMALLEST_BLOCK_BITS:
        return "lut_ram"
    return "block" if vector_bits > SMALLEST_BLOCK_BITS else "logic"


def _weights(
    node: Conv | Dense, unit: MatrixVectorConfig, folding: Folding, forms: DeviceForms, blank: bool
) -> WeightMemoryConfig | LeafMemoryConfig:
    if blank and folding.weights != "logic":
        words = (0,) * (node.matrix.size // (unit.pe * unit.simd))
    else:
        words = weight_words(node.matrix, unit.pe, unit.simd, node.weight_type.bits)
    if unit.weights == "absorbed":
        tree = PopcountConfig(unit.simd, unit.form, absorbed=True)
        return LeafMemoryConfig(unit.pe, tree, words, forms.ram_depth, **forms.memory(len(words)))
    return WeightMemoryConfig(
        unit.weight_bits, words, folding.weights, rows=unit.pe, **forms.memory(len(words))
    )
