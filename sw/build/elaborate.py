"""From a network and its plan to the description of the accelerator, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ...hw.accelerator import AcceleratorConfig, Probe, Source, Stage
from ...hw.fifo import FifoConfig
from ...hw.fork import ForkConfig
from ...hw.stage import StageConfig
from ...hw.width_converter import WidthConverterConfig
from ..network import (
    Add,
    ArgMax,
    Conv,
    Dense,
    Network,
    Node,
)
from ..plan.folding import Folding
from ..plan.skip_depths import LEAST_DEPTH, SkipDepth, skip_depths
from .device_forms import PORTABLE, DeviceForms
from .layer import LayerStages, absorbed_by, layer_stages, unsupported
from .node_stages import add_stage, argmax_stage, node_stage
from .skips import Skip, find_skips

SHALLOW = 32
"""Places up to which a FIFO is LUT RAM, where there is some: a block RAM would be mostly empty."""


@dataclass(frozen=True, slots=True, eq=False)
class Elaboration:
    """An accelerator and how its edges relate to the golden model's.

    Members
    -------
    config : AcceleratorConfig
    layer_of_stage : dict - the graph's node that each stage serves, by stage name
    layers : dict - `LayerStages` of each matrix-vector layer, by node
    skips : dict - `SkipDepth` of each FIFO beside the long way of a residual block, by stage name
    """

    config: AcceleratorConfig
    layer_of_stage: dict[str, str]
    layers: dict[str, LayerStages]
    skips: dict[str, SkipDepth] = field(default_factory=dict)

    def observed(self, edge: str, values: np.ndarray) -> np.ndarray:
        """What the probe of `edge` shows when the golden model's edge has `values` (images, height, width, channels).

        Sums appear as the accumulators hold them, start values included; all else appears as it is.
        """
        return self.layers[edge].presets.observed(values) if edge in self.layers else values


def elaborate(
    network: Network,
    foldings: dict[str, Folding],
    forms: DeviceForms = PORTABLE,
    skip_places: Mapping[str, int] | None = None,
) -> Elaboration:
    """The accelerator for `network` with the given folding of each matrix-vector layer, in the forms of a device.

    Thresholds and integer biases behind a product disappear into the accumulators of its unit; their edges are still observed. What several
    nodes read goes through a fork, and the early branch of every `Add` through a FIFO.

    Parameters
    ----------
    skip_places : depths of FIFOs beside long branches, by stage name, that replace the computed ones

    Raises
    ------
    UnsupportedLayerError - a node, or an order of nodes, that the hardware does not have
    """
    graph = _Graph(network, forms)
    for node in network.device_nodes:
        if node.name in graph.absorbed:
            continue
        if isinstance(node, Conv | Dense):
            graph.matrix_vector(node, foldings[node.name])
        elif isinstance(node, Add):
            graph.add(node)
        elif isinstance(node, ArgMax):
            graph.arg_max(node)
        else:
            graph.node(node)
    if not isinstance(network.device_nodes[-1], ArgMax):
        raise unsupported(network.device_nodes[-1], "is the last node")
    return graph.finish(skip_places or {})


@dataclass(frozen=True, slots=True)
class _Stream:
    """What a node reads: an output of a stage, `lanes` elements of `element_bits` bits per transfer."""

    source: Source
    lanes: int
    element_bits: int


@dataclass(slots=True, eq=False)
class _Graph:
    """Stages so far, and the streams that wait for their readers, by the edge of the network that they carry."""

    network: Network
    forms: DeviceForms
    stages: list[Stage] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    layer_of_stage: dict[str, str] = field(default_factory=dict)
    layers: dict[str, LayerStages] = field(default_factory=dict)
    absorbed: set[str] = field(default_factory=set)
    streams: dict[str, list[_Stream]] = field(default_factory=dict)
    fifos: list[str] = field(default_factory=list)
    skips: dict[str, Skip] = field(init=False)

    def __post_init__(self) -> None:
        self.skips = find_skips(self.network)

    def append(self, layer: str, suffix: str, config: StageConfig, *sources: Source) -> Source:
        """Adds a stage; answers where its first output is."""
        name = f"{layer}_{suffix}" if suffix else layer
        self.stages.append(Stage(name, config, sources))
        self.layer_of_stage[name] = layer
        return Source(name)

    def observe(self, edge: str, source: Source, port: str, width: int) -> None:
        self.probes.append(Probe(edge, source.stage, port, width))

    def take(self, node: Node, edge: str, lanes: int | None = None) -> _Stream:
        """The stream of `edge` for `node`, behind the FIFO that it may need, with `lanes` elements per transfer (None: as it is)."""
        if edge == self.network.device_input:
            return self._unpack(node, lanes or 1)
        if not self.streams.get(edge):
            raise unsupported(node, f"reads {edge}, which the hardware does not have as a stream")
        stream = self.streams[edge].pop()
        for add, skip in self.skips.items():
            if (skip.edge, skip.reader) == (edge, node.name):
                stream = self._skip(stream, edge, add)
        if lanes is None or lanes == stream.lanes:
            return stream
        n_readers = len(list(self.network.consumers(edge)))
        config = WidthConverterConfig(
            stream.element_bits, stream.lanes, lanes, self.network.edges[edge].elements
        )
        suffix = "lanes" if n_readers == 1 else f"{edge}_lanes"
        return replace(
            stream, source=self.append(node.name, suffix, config, stream.source), lanes=lanes
        )

    def give(self, edge: str, stream: _Stream) -> None:
        """Makes `stream` what the readers of `edge` take, through a fork where there are several."""
        readers = list(self.network.consumers(edge))
        streams = [stream]
        if len(readers) > 1:
            config = ForkConfig(
                stream.lanes * stream.element_bits,
                len(readers),
                self.network.edges[edge].elements // stream.lanes,
            )
            name = self.append(edge, "fork", config, stream.source).stage
            streams = [replace(stream, source=Source(name, k)) for k in range(len(readers))]
        self.streams[edge] = streams

    def _unpack(self, node: Node, lanes: int) -> _Stream:
        """The first stage: bytes become elements of the edge on which images enter."""
        name = self.network.device_input
        if self.stages:
            raise unsupported(node, f"reads {name}, which another layer reads too")
        edge = self.network.edges[name]
        config = WidthConverterConfig(1, 8, lanes * edge.datatype.bits, edge.bits)
        source = self.append(node.name, "unpack", config)
        self.observe(name, source, "payload", config.output_width)
        return _Stream(source, lanes, edge.datatype.bits)

    def _skip(self, stream: _Stream, edge: str, add: str) -> _Stream:
        """A FIFO beside a late branch; how deep it must be is known when all stages are."""
        n_transfers = self.network.edges[edge].elements // stream.lanes
        width = stream.lanes * stream.element_bits
        config = skip_fifo(width, max(n_transfers, LEAST_DEPTH), n_transfers, self.forms)
        source = self.append(add, "skip", config, stream.source)
        self.fifos.append(source.stage)
        return replace(stream, source=source)

    def matrix_vector(self, node: Conv | Dense, folding: Folding) -> None:
        consumer = absorbed_by(self.network, node)
        layer = layer_stages(self.network, node, consumer, folding, self.forms)
        source = self.take(node, node.inputs[0], layer.input_lanes).source
        for suffix, config in layer.stages:
            source = self.append(node.name, suffix, config, source)
        self.layers[node.name] = layer
        self.observe(node.name, source, "sums", folding.pe * layer.unit.accumulator_bits)
        if consumer is not None:
            self.absorbed.add(consumer.name)
            self.observe(consumer.name, source, "payload", layer.unit.output_width)
        edge = node.name if consumer is None else consumer.name
        self.give(edge, _Stream(source, folding.pe, layer.unit.element_bits))

    def node(self, node: Node) -> None:
        """A node with one input that a stage of its own computes."""
        stream = self.take(node, node.inputs[0])
        stage = node_stage(self.network, node, stream.lanes, stream.element_bits, self.forms)
        source = self.append(node.name, "", stage.config, stream.source)
        self.observe(node.name, source, "payload", stage.config.output_width)
        if stage.queue is not None:
            source = self.append(node.name, "queue", stage.queue, source)
        self.give(node.name, _Stream(source, stage.lanes, stage.element_bits))

    def add(self, node: Add) -> None:
        skip = self.skips[node.name]
        main = self.take(node, skip.late)
        beside = self.take(node, skip.early, main.lanes)
        config = add_stage(self.network, node, main.lanes)
        source = self.append(node.name, "", config, main.source, beside.source)
        self.observe(node.name, source, "payload", config.output_width)
        self.give(node.name, _Stream(source, main.lanes, main.element_bits))

    def arg_max(self, node: ArgMax) -> None:
        scores = node.inputs[0]
        if scores != self.network.scores:
            raise unsupported(node, f"compares {scores}, the scores are {self.network.scores}")
        stream = self.take(node, scores, 1)
        config = argmax_stage(self.network, node, stream.element_bits)
        self.append(node.name, "", config, stream.source)  # its edge is the accelerator's output

    def finish(self, skip_places: Mapping[str, int]) -> Elaboration:
        for edge, streams in self.streams.items():
            if streams:
                node = self.network.producer(edge)
                assert node is not None, "the image is no stream before it is read"
                raise unsupported(node, "is read by no layer")
        config = AcceleratorConfig(tuple(self.stages), tuple(self.probes))
        depths = skip_depths(config, self.fifos)
        places = {name: depth.planned for name, depth in depths.items()} | dict(skip_places)
        stages = tuple(self._at_depth(stage, places.get(stage.name)) for stage in self.stages)
        config = AcceleratorConfig(stages, tuple(self.probes))
        return Elaboration(config, self.layer_of_stage, self.layers, depths)

    def _at_depth(self, stage: Stage, depth: int | None) -> Stage:
        if depth is None:
            return stage
        config = stage.config
        fifo = skip_fifo(config.input_width, depth, config.inputs_per_frame, self.forms)
        return replace(stage, config=fifo)


def skip_fifo(width: int, depth: int, n_transfers: int, forms: DeviceForms) -> FifoConfig:
    """A FIFO in the memory that suits its depth; one that turns out shallow is no later than it was planned to be."""
    if depth <= SHALLOW and forms.has_lut_ram:
        return FifoConfig(width, depth, n_transfers, "lut_ram")
    return FifoConfig(width, depth, n_transfers, "block", **forms.memory(depth))
