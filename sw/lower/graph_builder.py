"""Nodes one after the other, each checked where it is appended, with errors that name the layer it comes from."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import UnsupportedLayerError
from ..network import INPUT, EdgeType, MaxPool, Node
from .stages import pool_size
from .trace import Layer


class GraphBuilder:
    """A graph of nodes that grows at its end.

    Members
    -------
    nodes : list of Node
    edges : dict of str to EdgeType - of all nodes, and of the image
    edge : str - that the last node writes
    x : EdgeType - of that edge
    """

    def __init__(self, image: EdgeType) -> None:
        self.nodes: list[Node] = []
        self.edges = {INPUT: image}
        self.edge = INPUT

    @property
    def x(self) -> EdgeType:
        return self.edges[self.edge]

    def append(self, layer: Layer, node: Node) -> str:
        """Appends the node that comes from `layer`, which errors name; the name of the edge it writes."""
        try:
            output = node.output(*(self.edges[name] for name in node.inputs))
        except ValueError as error:
            raise UnsupportedLayerError(
                f"layer {layer} cannot be lowered: {error}",
                "Check the layer's parameters against the image size and the layer before it.",
            ) from error
        self.nodes.append(node)
        self.edges[node.name] = output
        self.edge = node.name
        return node.name

    def append_pools(self, stage_name: str, pools: Sequence[Layer]) -> None:
        """Appends the max pools behind a stage."""
        for layer, name in zip(pools, pool_names(stage_name, pools), strict=True):
            self.append(layer, MaxPool(name, (self.edge,), pool_size(layer)))


def pool_names(stage_name: str, pools: Sequence[Layer]) -> tuple[str, ...]:
    """Names of the `MaxPool` nodes behind a stage: ``conv1_pool``, or ``conv1_pool1``, ``conv1_pool2``, ... where there are several."""
    if len(pools) == 1:
        return (f"{stage_name}_pool",)
    return tuple(f"{stage_name}_pool{i + 1}" for i in range(len(pools)))
