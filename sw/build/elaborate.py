"""From a network and its plan to the description of the accelerator, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...hw.accelerator import AcceleratorConfig, Probe, Stage, StageConfig
from ...hw.argmax import ArgMaxConfig
from ...hw.matrix_vector import MatrixVectorConfig
from ...hw.matrix_vector_layer import MatrixVectorLayerConfig
from ...hw.max_pool import MaxPoolConfig
from ...hw.preset_memory import PresetMemoryConfig
from ...hw.replay import ReplayConfig
from ...hw.sliding_window import SlidingWindowConfig
from ...hw.weight_memory import WeightMemoryConfig
from ...hw.width_converter import WidthConverterConfig
from ..errors import UnsupportedLayerError
from ..network import (
    Affine,
    ArgMax,
    Bipolar,
    Conv,
    Dense,
    EdgeType,
    MaxPool,
    Network,
    Node,
    Threshold,
)
from ..plan.folding import Folding, window_lanes
from .packing import preset_words, weight_words
from .presets import Presets, layer_presets

SMALLEST_BLOCK_BITS = 64
"""Vectors of at most this many bits are replayed from registers."""

SUPPORTED = (
    "a chain of Conv or Dense with binary weights on binary inputs, each followed by Threshold and "
    "at most one MaxPool, that ends in Dense, at most an integer bias, and ArgMax"
)


@dataclass(frozen=True, slots=True, eq=False)
class Elaboration:
    """An accelerator and how its edges relate to the golden model's.

    Members
    -------
    config : AcceleratorConfig
    layer_of_stage : dict - the graph's node that each stage serves, by stage name
    layers : dict - `LayerStages` of each matrix-vector layer, by node
    """

    config: AcceleratorConfig
    layer_of_stage: dict[str, str]
    layers: dict[str, LayerStages]

    def observed(self, edge: str, values: np.ndarray) -> np.ndarray:
        """What the probe of `edge` shows when the golden model's edge has `values` (images, height, width, channels).

        Sums appear as the accumulators hold them, start values included; all else appears as it is.
        """
        return self.layers[edge].presets.observed(values) if edge in self.layers else values


def elaborate(network: Network, foldings: dict[str, Folding]) -> Elaboration:
    """The accelerator for `network` with the given folding of each matrix-vector layer.

    Thresholds and integer biases disappear into the accumulators of the unit before them; their edges are still observed.

    Raises
    ------
    UnsupportedLayerError - a node, or an order of nodes, that the hardware does not have
    """
    chain = _Chain(network)
    nodes = list(network.device_nodes)
    for before, node in zip((network.device_input, *(n.name for n in nodes)), nodes, strict=False):
        if node.inputs != (before,):
            raise _unsupported(node, f"reads {', '.join(node.inputs)}, not the layer before it")
        if isinstance(node, Conv | Dense):
            chain.matrix_vector(node, absorbed_by(network, node), foldings[node.name])
        elif isinstance(node, MaxPool):
            chain.max_pool(node)
        elif isinstance(node, ArgMax):
            chain.arg_max(node)
        elif node.name not in chain.absorbed:
            raise _unsupported(node, "stands where no unit can absorb it")
    if not isinstance(nodes[-1], ArgMax):
        raise _unsupported(nodes[-1], "is the last node")
    return chain.finish()


def _unsupported(node: Node, problem: str) -> UnsupportedLayerError:
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
        raise _unsupported(node, f"is read by {len(readers)} layers")
    (consumer,) = readers
    if isinstance(consumer, Threshold):
        return consumer
    if isinstance(consumer, ArgMax):
        return None
    if isinstance(consumer, Affine):
        if np.any(consumer.multipliers != 1) or consumer.shift:
            raise _unsupported(consumer, "multiplies; only an integer bias can be built")
        return consumer
    raise _unsupported(node, "is followed by neither Threshold nor Affine nor ArgMax")


@dataclass(frozen=True, slots=True, eq=False)
class LayerStages:
    """Stages of one matrix-vector layer, as (suffix of the name, config), and what they were made from."""

    stages: tuple[tuple[str, StageConfig], ...]
    unit: MatrixVectorConfig
    presets: Presets


def layer_stages(
    network: Network, node: Conv | Dense, consumer: Threshold | Affine | None, folding: Folding
) -> LayerStages:
    """Window, regrouping, replay and product of one layer; `consumer` is what the accumulators absorb.

    A dense layer takes `folding.simd` elements per transfer, a convolution `window_lanes` channels.

    Raises
    ------
    UnsupportedLayerError - weights or inputs that are not bipolar
    """
    source, output = network.edges[node.inputs[0]], network.edges[node.name]
    if not isinstance(source.datatype, Bipolar) or not isinstance(node.weight_type, Bipolar):
        raise _unsupported(node, f"multiplies {node.weight_type} with {source.datatype}")
    mh, mw = node.matrix.shape
    pe, simd = folding.pe, folding.simd
    n_vectors = output.shape[0] * output.shape[1]
    stages: list[tuple[str, StageConfig]] = []
    if isinstance(node, Conv):
        lanes = window_lanes(node, simd)
        if (
            node.weights.shape[1:3] != (1, 1) or node.stride > 1
        ):  # else every pixel is its own window
            stages.append(("window", _sliding_window(node, source, lanes)))
        if lanes != simd:
            stages.append(("columns", WidthConverterConfig(1, lanes, simd, n_vectors * mw)))
    if mh > pe:
        memory = "block" if mw > SMALLEST_BLOCK_BITS else "logic"
        stages.append(("replay", ReplayConfig(simd, mw // simd, mh // pe, n_vectors, memory)))

    presets = layer_presets(node, output, source, consumer)
    bits = max(presets.accumulator_bits, simd.bit_length() + presets.step)
    kind = "bits" if isinstance(consumer, Threshold) else "sums"
    unit = MatrixVectorConfig(mh, mw, pe, simd, bits, kind, n_vectors)
    weights = WeightMemoryConfig(pe * simd, weight_words(node.matrix, pe, simd), folding.weights)
    starts = PresetMemoryConfig(
        pe * bits,
        preset_words(presets.values, pe, bits),
        mh // pe,
        presets.row_classes,
        presets.column_classes,
        folding.presets,
    )
    stages.append(("product", MatrixVectorLayerConfig(unit, weights, starts)))
    return LayerStages(tuple(stages), unit, presets)


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


@dataclass(slots=True, eq=False)
class _Chain:
    """Stages so far, and what streams out of the last one: `lanes` elements of `element_bits` bits per transfer."""

    network: Network
    stages: list[Stage] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    layer_of_stage: dict[str, str] = field(default_factory=dict)
    layers: dict[str, LayerStages] = field(default_factory=dict)
    absorbed: set[str] = field(default_factory=set)
    lanes: int = 0
    element_bits: int = 0

    def append(self, layer: str, suffix: str, config: StageConfig) -> str:
        name = f"{layer}_{suffix}" if suffix else layer
        self.stages.append(Stage(name, config))
        self.layer_of_stage[name] = layer
        return name

    def observe(self, edge: str, stage: str, port: str, width: int) -> None:
        self.probes.append(Probe(edge, stage, port, width))

    def regroup(self, layer: str, suffix: str, lanes: int, elements: int) -> None:
        """Makes the stream carry `lanes` elements per transfer."""
        if not self.stages:
            self._unpack(layer, lanes)
        elif lanes != self.lanes:
            config = WidthConverterConfig(self.element_bits, self.lanes, lanes, elements)
            self.append(layer, suffix, config)
        self.lanes = lanes

    def _unpack(self, layer: str, lanes: int) -> None:
        """The first stage: bytes become elements of the edge on which images enter."""
        edge = self.network.edges[self.network.device_input]
        self.element_bits = edge.datatype.bits
        config = WidthConverterConfig(1, 8, lanes * self.element_bits, edge.bits)
        stage = self.append(layer, "unpack", config)
        self.observe(self.network.device_input, stage, "payload", config.output_width)

    def matrix_vector(
        self, node: Conv | Dense, consumer: Threshold | Affine | None, folding: Folding
    ) -> None:
        source = self.network.edges[node.inputs[0]]
        lanes = folding.simd
        if isinstance(node, Conv):
            lanes = window_lanes(node, folding.simd)
        self.regroup(node.name, "channels", lanes, source.elements)
        layer = layer_stages(self.network, node, consumer, folding)
        for suffix, config in layer.stages:
            stage = self.append(node.name, suffix, config)
        self.layers[node.name] = layer
        self.observe(node.name, stage, "sums", folding.pe * layer.unit.accumulator_bits)
        if consumer is not None:
            self.absorbed.add(consumer.name)
            self.observe(consumer.name, stage, "payload", layer.unit.output_width)
        self.lanes, self.element_bits = folding.pe, layer.unit.element_bits

    def max_pool(self, node: MaxPool) -> None:
        source = self.network.edges[node.inputs[0]]
        if not isinstance(source.datatype, Bipolar):
            raise _unsupported(node, f"pools {source.datatype}")
        height, width, channels = source.shape
        if not self.stages:
            raise _unsupported(node, "is the first layer")
        config = MaxPoolConfig(
            height=height,
            width=width,
            channels=channels,
            element_bits=1,
            lanes=self.lanes,
            size=node.size,
        )
        stage = self.append(node.name, "", config)
        self.observe(node.name, stage, "payload", config.output_width)

    def arg_max(self, node: ArgMax) -> None:
        n_classes = self.network.edges[node.inputs[0]].shape[2]
        self.regroup(node.name, "scores", 1, n_classes)
        config = ArgMaxConfig(n_classes=n_classes, score_bits=self.element_bits)
        self.append(node.name, "", config)  # its edge is the accelerator's output

    def finish(self) -> Elaboration:
        config = AcceleratorConfig(tuple(self.stages), tuple(self.probes))
        return Elaboration(config, self.layer_of_stage, self.layers)
