"""The integer network: element types, nodes, graph and file format; its executor, the golden model, is `rbonn.sw.network.golden`."""

from .datatypes import Bipolar, DataType, Int, UInt
from .file import load_network, save_network
from .graph import INPUT, Network
from .nodes import (
    Affine,
    ArgMax,
    Binarise,
    Conv,
    Dense,
    EdgeType,
    MaxPool,
    Node,
    Thermometer,
    Threshold,
)

__all__ = [
    "INPUT",
    "Affine",
    "ArgMax",
    "Binarise",
    "Bipolar",
    "Conv",
    "DataType",
    "Dense",
    "EdgeType",
    "Int",
    "MaxPool",
    "Network",
    "Node",
    "Thermometer",
    "Threshold",
    "UInt",
    "load_network",
    "save_network",
]
