"""From a network and its plan to the description of the accelerator, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...hw.accelerator import AcceleratorConfig, Probe, Stage
from ...hw.argmax import ArgMaxConfig
from ...hw.max_pool import MaxPoolConfig
from ...hw.stage import StageConfig
from ...hw.thermometer import ThermometerConfig
from ...hw.threshold import ThresholdConfig
from ...hw.width_converter import WidthConverterConfig
from ..network import (
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
    Node,
    Thermometer,
    Threshold,
)
from ..plan.folding import Folding, window_lanes
from .device_forms import PORTABLE, DeviceForms
from .layer import LayerStages, absorbed_by, layer_stages, unsupported


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


def elaborate(
    network: Network, foldings: dict[str, Folding], forms: DeviceForms = PORTABLE
) -> Elaboration:
    """The accelerator for `network` with the given folding of each matrix-vector layer, in the forms of a device.

    Thresholds and integer biases disappear into the accumulators of the unit before them; their edges are still observed.

    Raises
    ------
    UnsupportedLayerError - a node, or an order of nodes, that the hardware does not have
    """
    chain = _Chain(network, forms)
    nodes = list(network.device_nodes)
    for before, node in zip((network.device_input, *(n.name for n in nodes)), nodes, strict=False):
        if node.inputs != (before,):
            raise unsupported(node, f"reads {', '.join(node.inputs)}, not the layer before it")
        if isinstance(node, Conv | Dense):
            chain.matrix_vector(node, absorbed_by(network, node), foldings[node.name])
        elif isinstance(node, Binarise):
            chain.binarise(node)
        elif isinstance(node, Thermometer):
            chain.thermometer(node)
        elif isinstance(node, MaxPool):
            chain.max_pool(node)
        elif isinstance(node, ArgMax):
            chain.arg_max(node)
        elif node.name not in chain.absorbed:
            raise unsupported(node, "stands where no unit can absorb it")
    if not isinstance(nodes[-1], ArgMax):
        raise unsupported(nodes[-1], "is the last node")
    return chain.finish()


@dataclass(slots=True, eq=False)
class _Chain:
    """Stages so far, and what streams out of the last one: `lanes` elements of `element_bits` bits per transfer."""

    network: Network
    forms: DeviceForms
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
        layer = layer_stages(self.network, node, consumer, folding, self.forms)
        stage = ""
        for suffix, config in layer.stages:
            stage = self.append(node.name, suffix, config)
        self.layers[node.name] = layer
        self.observe(node.name, stage, "sums", folding.pe * layer.unit.accumulator_bits)
        if consumer is not None:
            self.absorbed.add(consumer.name)
            self.observe(consumer.name, stage, "payload", layer.unit.output_width)
        self.lanes, self.element_bits = folding.pe, layer.unit.element_bits

    def binarise(self, node: Binarise) -> None:
        source = self._integers(node)
        config = ThresholdConfig(
            input_bits=source.datatype.bits,
            thresholds=(node.threshold,),
            lanes=1,
            pixels=source.elements,
            signed=isinstance(source.datatype, Int),
        )
        self._bits(node, config, config.output_width)

    def thermometer(self, node: Thermometer) -> None:
        source = self._integers(node)
        config = ThermometerConfig(
            input_bits=source.datatype.bits,
            thresholds=tuple(int(threshold) for threshold in node.thresholds),
            lanes=1,
            elements_per_frame=source.elements,
            signed=isinstance(source.datatype, Int),
        )
        self._bits(node, config, config.output_width)

    def _integers(self, node: Node) -> EdgeType:
        """The integer edge that a node at the entrance reads, one element per transfer."""
        source = self.network.edges[node.inputs[0]]
        if self.stages:
            raise unsupported(node, "is not the first layer")
        self._unpack(node.name, 1)
        return source

    def _bits(self, node: Node, config: StageConfig, lanes: int) -> None:
        stage = self.append(node.name, "", config)
        self.observe(node.name, stage, "payload", config.output_width)
        self.lanes, self.element_bits = lanes, 1

    def max_pool(self, node: MaxPool) -> None:
        source = self.network.edges[node.inputs[0]]
        if not isinstance(source.datatype, Bipolar):
            raise unsupported(node, f"pools {source.datatype}")
        height, width, channels = source.shape
        if not self.stages:
            raise unsupported(node, "is the first layer")
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
        source = self.network.edges[node.inputs[0]]
        if not isinstance(source.datatype, Int):
            raise unsupported(node, f"compares {source.datatype}; it needs signed scores")
        if node.inputs[0] != self.network.scores:
            raise unsupported(
                node, f"compares {node.inputs[0]}, the scores are {self.network.scores}"
            )
        n_classes = source.shape[2]
        self.regroup(node.name, "scores", 1, n_classes)
        config = ArgMaxConfig(n_classes=n_classes, score_bits=self.element_bits)
        self.append(node.name, "", config)  # its edge is the accelerator's output

    def finish(self) -> Elaboration:
        config = AcceleratorConfig(tuple(self.stages), tuple(self.probes))
        return Elaboration(config, self.layer_of_stage, self.layers)
