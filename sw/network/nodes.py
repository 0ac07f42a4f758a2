"""The nodes of the integer network, as frozen dataclasses with shape and type inference.

A node has a name, the names of the edges it reads, and constants. The edge it writes carries the node's own name.
Every node answers `output(*inputs)`: the type and shape of its output, or a ValueError that says which rule is broken.
What each node computes, to the bit, stands in docs/number_formats.md and is executed by `golden`.
"""

from .node import EdgeType, Node
from .node_elementwise import Add, Affine, Binarise, PReLU, Thermometer, Threshold
from .node_pools import ArgMax, AvgPool, ConcatChannels, GlobalAvgPool, MaxPool
from .node_products import Conv, Dense

__all__ = [
    "KINDS", "Add", "Affine", "ArgMax", "AvgPool", "Binarise", "ConcatChannels", "Conv", "Dense", "EdgeType", "GlobalAvgPool", "MaxPool",
    "Node", "PReLU", "Thermometer", "Threshold",
]  # fmt: skip

KINDS: dict[str, type[Node]] = {
    kind.__name__: kind
    for kind in (
        Binarise, Thermometer, Conv, Dense, Threshold, Affine, PReLU, Add, MaxPool, AvgPool, GlobalAvgPool, ConcatChannels, ArgMax,
    )
}  # fmt: skip
