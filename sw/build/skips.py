"""Where the FIFOs of a residual network go: on the branch of each `Add` that does not wait for a window."""

from __future__ import annotations

from dataclasses import dataclass

from ..network import Add, AvgPool, Conv, GlobalAvgPool, MaxPool, Network, Node
from .layer import unsupported


@dataclass(frozen=True, slots=True)
class Skip:
    """The early branch of an `Add`.

    Members
    -------
    late, early : str - the edges that the `Add` reads
    edge, reader : str - the FIFO lies between this edge and this node of the early branch
    """

    late: str
    early: str
    edge: str
    reader: str


def find_skips(network: Network) -> dict[str, Skip]:
    """The early branch of each `Add`, by the node's name.

    Early is the branch whose windows and pools hold back fewer pixels, of two that hold back as many the one with fewer windows. The FIFO lies where the fewest bits pass.

    Raises
    ------
    UnsupportedLayerError - an `Add` whose branches do not come from one edge, or whose early branch has an `Add` of its own
    """
    producers = {node.name: node for node in network.device_nodes}
    return {
        node.name: _skip(network, node, producers)
        for node in network.device_nodes
        if isinstance(node, Add)
    }


def _skip(network: Network, add: Add, producers: dict[str, Node]) -> Skip:
    first, second = add.inputs
    branches = []
    for early, late in ((second, first), (first, second)):
        nodes = _branch(early, _ancestors(late, producers), producers)
        if nodes is not None:
            n_windows = sum(isinstance(node, Conv) and node.kernel != (1, 1) for node in nodes)
            branches.append(((_pixels_held(network, nodes), n_windows), early, late, nodes))
    if not branches:
        raise unsupported(add, f"adds {first} and {second}, which are no branches of one edge")
    _, early, late, nodes = min(branches, key=lambda branch: branch[0])
    # From the fork to the Add: (edge, who reads it).
    readers = [*(node.name for node in nodes), add.name]
    edges = [nodes[0].inputs[0] if nodes else early, *(node.name for node in nodes)]
    places = list(zip(edges, readers, strict=True))
    edge, reader = min(reversed(places), key=lambda place: network.edges[place[0]].bits)
    return Skip(late, early, edge, reader)


def _ancestors(edge: str, producers: dict[str, Node]) -> set[str]:
    """`edge` and all edges of the accelerator that it depends on."""
    found, left = set(), [edge]
    while left:
        edge = left.pop()
        if edge not in found:
            found.add(edge)
            left += producers[edge].inputs if edge in producers else ()
    return found


def _branch(edge: str, others: set[str], producers: dict[str, Node]) -> list[Node] | None:
    """The nodes from an edge in `others` to `edge`, in the order of the data; None where one of them is an `Add`."""
    nodes: list[Node] = []
    while edge not in others:
        if edge not in producers or isinstance(producers[edge], Add):
            return None
        nodes.insert(0, producers[edge])
        (edge,) = producers[edge].inputs
    return nodes


def _pixels_held(network: Network, nodes: list[Node]) -> int:
    """Pixels of the branch's first edge, about, that must have come before the first pixel of its last one leaves."""
    held = 0
    rows, columns = 1, 1  # of the first edge, for a row and a column of the edge at hand
    first_columns = network.edges[nodes[0].inputs[0]].shape[1] if nodes else 1
    for node in nodes:
        height, width, _ = network.edges[node.inputs[0]].shape
        below, right = 0, 0
        if isinstance(node, Conv):
            below, right = (size - 1 - node.padding for size in node.kernel)
        elif isinstance(node, MaxPool | AvgPool):
            below = right = node.size - 1
        elif isinstance(node, GlobalAvgPool):
            below, right = height - 1, width - 1
        held += below * rows * first_columns + right * columns
        out_height, out_width, _ = network.edges[node.name].shape
        rows, columns = rows * -(-height // out_height), columns * -(-width // out_width)
    return held
