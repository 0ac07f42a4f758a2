"""Where the streams of two layers meet with widths of their own, and what it costs to make one as wide as the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ...hw.width_converter import WidthConverterConfig
from ..build.skips import find_skips
from ..network import Add, Conv, Dense, Network, Thermometer
from .costs import stage_cost
from .resources import Resources, placed


@dataclass(frozen=True, slots=True)
class Joint:
    """A stream that is made as wide as its reader.

    Members
    -------
    source : str or None - the layer whose PE is the stream's width; None for what comes from the entrance
    source_lanes : int - the stream's width where `source` is None, else 1
    reader : str - the layer that reads it
    is_join : bool - whether it is as wide as the reader's results, with which it is added, rather than as its input
    element_bits, elements : int - bits of an element, elements of a frame
    """

    source: str | None
    source_lanes: int
    reader: str
    is_join: bool
    element_bits: int
    elements: int

    def converter(self, lanes: int, reader_lanes: int) -> WidthConverterConfig:
        """What lies there between widths of so many elements."""
        return WidthConverterConfig(self.element_bits, lanes, reader_lanes, self.elements)

    def cost(self, lanes: int, reader_lanes: int, family: str) -> Resources:
        """Of the converter; nothing between equal widths."""
        if lanes == reader_lanes:
            return Resources()
        return placed(stage_cost(self.converter(lanes, reader_lanes), family), family)


def find_joints(network: Network) -> list[Joint]:
    """All places of a network where widths meet: before each layer but the one that reads the image, and at the earlier stream of each `Add`."""
    skips = find_skips(network)

    @cache
    def origin(edge: str) -> tuple[str | None, int]:
        """The layer whose PE is the width of `edge`'s stream, or the width itself."""
        node = network.producer(edge)
        if edge == network.device_input or node is None:
            return None, 1
        if isinstance(node, Conv | Dense):
            return node.name, 1
        source = skips[node.name].late if isinstance(node, Add) else node.inputs[0]
        layer, lanes = origin(source)
        return layer, lanes * len(node.thresholds) if isinstance(node, Thermometer) else lanes

    joints = []
    for node in network.device_nodes:
        if isinstance(node, Conv | Dense) and node.inputs[0] != network.device_input:
            edge = network.edges[node.inputs[0]]
            bits = edge.datatype.bits
            joints.append(Joint(*origin(node.inputs[0]), node.name, False, bits, edge.elements))
        elif isinstance(node, Add):
            skip = skips[node.name]
            edge, (reader, _) = network.edges[skip.early], origin(skip.late)
            if reader is not None:
                bits = edge.datatype.bits
                joints.append(Joint(*origin(skip.early), reader, True, bits, edge.elements))
    return joints
