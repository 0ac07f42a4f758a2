"""The integer network: a graph of nodes that one image enters, the single meaning of a network after training."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from .datatypes import DataType
from .nodes import Conv, Dense, EdgeType, Node

INPUT = "image"
"""Name of the edge that carries the raw image."""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A network of integer nodes in the order of execution.

    Parameters
    ----------
    name : str - for example ``mnist_cnn_1w1a``
    input_type : EdgeType - type and (height, width, channels) of the raw image
    nodes : tuple of Node - each reads the edge `image` or edges of earlier nodes
    n_host_nodes : int - how many of the first nodes the host computes before it sends an image (0 or 1: a leading `Binarise` or `Thermometer`, which
        makes an image smaller on the link)
    scores : str - the edge whose integers are the class scores
    class_names : tuple of str
    metadata : dict - what is known about the network: accuracies, data set, command, licence of the data; not part of the hash

    Raises
    ------
    ValueError - an edge read before it is written, a name used twice, or shapes that do not agree (the node is named)
    """

    name: str
    input_type: EdgeType
    nodes: tuple[Node, ...]
    n_host_nodes: int
    scores: str
    class_names: tuple[str, ...]
    metadata: dict[str, Any] = field(default_factory=dict)
    edges: dict[str, EdgeType] = field(init=False)

    def __post_init__(self) -> None:
        edges = {INPUT: self.input_type}
        for node in self.nodes:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", node.name):
                raise ValueError(
                    f"Node names must be lower-case letters, digits and _, not {node.name!r}"
                )
            if node.name in edges:
                raise ValueError(f"Node {node.name!r}: another edge has the same name")
            if len(node.inputs) != node.N_INPUTS:
                raise ValueError(
                    f"Node {node.name!r} ({node.kind}): reads {len(node.inputs)} edges, not {node.N_INPUTS}"
                )
            for name in node.inputs:
                if name not in edges:
                    raise ValueError(
                        f"Node {node.name!r}: reads edge {name!r}, which no earlier node writes"
                    )
            try:
                edges[node.name] = node.output(*(edges[name] for name in node.inputs))
            except ValueError as error:
                raise ValueError(f"Node {node.name!r} ({node.kind}): {error}") from error
        object.__setattr__(self, "edges", edges)
        if self.scores not in edges:
            raise ValueError(f"Scores must be an edge of the network, not {self.scores!r}")
        if edges[self.scores].shape != (1, 1, len(self.class_names)):
            raise ValueError(
                f"Scores must have shape (1, 1, {len(self.class_names)}), not {edges[self.scores].shape}"
            )
        if self.n_host_nodes not in range(len(self.nodes)):
            raise ValueError(
                f"Host nodes must be 0 to {len(self.nodes) - 1}, not {self.n_host_nodes}"
            )

    @property
    def host_nodes(self) -> tuple[Node, ...]:
        """The leading nodes that the host computes."""
        return self.nodes[: self.n_host_nodes]

    @property
    def device_nodes(self) -> tuple[Node, ...]:
        """The nodes that the accelerator computes."""
        return self.nodes[self.n_host_nodes :]

    @property
    def device_input(self) -> str:
        """Name of the edge on which an image enters the accelerator."""
        return self.nodes[self.n_host_nodes - 1].name if self.n_host_nodes else INPUT

    def producer(self, edge: str) -> Node | None:
        """The node that writes `edge`; None for the raw image."""
        return next((node for node in self.nodes if node.name == edge), None)

    def consumers(self, edge: str) -> Iterator[Node]:
        """The nodes that read `edge`."""
        return (node for node in self.nodes if edge in node.inputs)

    @property
    def weight_bits(self) -> int:
        """Bits of all weights (not thresholds) together."""
        return sum(
            node.weights.size * node.weight_type.bits
            for node in self.nodes
            if isinstance(node, Conv | Dense)
        )

    @property
    def binary_macs(self) -> int:
        """Multiply-accumulates of one image, padded taps included."""
        return sum(
            self.edges[node.name].elements * node.matrix.shape[1]
            for node in self.nodes
            if isinstance(node, Conv | Dense)
        )

    def description(self) -> dict[str, Any]:
        """The network without arrays and metadata, as plain JSON values."""
        return {
            "name": self.name,
            "input": {
                "datatype": str(self.input_type.datatype),
                "shape": list(self.input_type.shape),
            },
            "nodes": [_describe(node) for node in self.nodes],
            "n_host_nodes": self.n_host_nodes,
            "scores": self.scores,
            "class_names": list(self.class_names),
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array of every node, under ``<node>.<field>``."""
        return {
            f"{node.name}.{name}": np.ascontiguousarray(getattr(node, name))
            for node in self.nodes
            for name in node.ARRAYS
        }

    def hash(self) -> str:
        """SHA-256, in hexadecimal, of everything that decides what the network computes."""
        digest = hashlib.sha256(json.dumps(self.description(), sort_keys=True).encode())
        for name, array in sorted(self.arrays().items()):
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()


def _describe(node: Node) -> dict[str, Any]:
    values: dict[str, Any] = {"kind": node.kind}
    for item in fields(node):
        if item.name in node.ARRAYS:
            continue
        value = getattr(node, item.name)
        values[item.name] = (
            str(value)
            if isinstance(value, DataType)
            else list(value)
            if isinstance(value, tuple)
            else value
        )
    return values
