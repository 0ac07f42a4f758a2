"""Where the streams of two layers meet with widths of their own, and what it costs to make one as wide as the other."""

from __future__ import annotations

from dataclasses import dataclass

from ...boards.board import Board
from ...hw.width_converter import WidthConverterConfig
from ..build.device_forms import device_forms
from ..build.elaborate import skip_fifo
from ..build.skips import find_skips
from ..network import Add, Conv, Dense, Network, Thermometer
from .costs import stage_cost
from .resources import Resources, placed
from .skip_depths import LEAST_DEPTH


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


@dataclass(frozen=True, slots=True)
class SkipFifo:
    """A FIFO beside a long branch, as wide as the results of a layer.

    Members
    -------
    name : str - of its stage
    source : str - the layer
    element_bits, elements : int - bits of an element, elements of a frame
    """

    name: str
    source: str
    element_bits: int
    elements: int

    def cost(self, lanes: int, held: int, board: Board) -> Resources:
        """Of so many lanes, if it holds `held` elements."""
        depth, forms = max(-(-held // lanes), LEAST_DEPTH), device_forms(board)
        config = skip_fifo(lanes * self.element_bits, depth, self.elements // lanes, forms)
        return placed(stage_cost(config, board.family), board.family)


def find_fifos(network: Network) -> list[SkipFifo]:
    """The FIFOs of a network, but for those at its entrance."""
    origins, found = _Origins(network), []
    for add, skip in origins.skips.items():
        source, edge = origins(skip.edge)[0], network.edges[skip.edge]
        if source is not None:
            found.append(SkipFifo(f"{add}_skip", source, edge.datatype.bits, edge.elements))
    return found


class _Origins:
    """Which layer's PE is the width of a stream."""

    def __init__(self, network: Network) -> None:
        self.network, self.skips = network, find_skips(network)
        self.known: dict[str, tuple[str | None, int]] = {}

    def __call__(self, edge: str) -> tuple[str | None, int]:
        """The layer, and 1; or None, and the width."""
        if edge not in self.known:
            self.known[edge] = self._origin(edge)
        return self.known[edge]

    def _origin(self, edge: str) -> tuple[str | None, int]:
        node = self.network.producer(edge)
        if edge == self.network.device_input or node is None:
            return None, 1
        if isinstance(node, Conv | Dense):
            return node.name, 1
        source = self.skips[node.name].late if isinstance(node, Add) else node.inputs[0]
        layer, lanes = self(source)
        return layer, lanes * len(node.thresholds) if isinstance(node, Thermometer) else lanes


def find_joints(network: Network) -> list[Joint]:
    """All places of a network where widths meet: before each layer but the one that reads the image, and at the earlier stream of each `Add`."""
    origin = _Origins(network)
    joints = []
    for node in network.device_nodes:
        if isinstance(node, Conv | Dense) and node.inputs[0] != network.device_input:
            edge = network.edges[node.inputs[0]]
            bits = edge.datatype.bits
            joints.append(Joint(*origin(node.inputs[0]), node.name, False, bits, edge.elements))
        elif isinstance(node, Add):
            skip = origin.skips[node.name]
            edge, (reader, _) = network.edges[skip.early], origin(skip.late)
            if reader is not None:
                bits = edge.datatype.bits
                joints.append(Joint(*origin(skip.early), reader, True, bits, edge.elements))
    return joints
