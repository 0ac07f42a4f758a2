"""The integer network: element types, nodes, graph and file format; its executor, the golden model, is `rbonn.sw.network.golden`."""

from .datatypes import Bipolar, DataType, Int, UInt
from .file import load_network, save_network
from .graph import INPUT, Network
from .nodes import (
    Add,
    Affine,
    ArgMax,
    AvgPool,
    Binarise,
    ConcatChannels,
    Conv,
    Dense,
    EdgeType,
    GlobalAvgPool,
    MaxPool,
    Node,
    PReLU,
    Thermometer,
    Threshold,
)

__all__ = [
    "INPUT",
    "Add",
    "Affine",
    "ArgMax",
    "AvgPool",
    "Binarise",
    "Bipolar",
    "ConcatChannels",
    "Conv",
    "DataType",
    "Dense",
    "EdgeType",
    "GlobalAvgPool",
    "Int",
    "MaxPool",
    "Network",
    "Node",
    "PReLU",
    "Thermometer",
    "Threshold",
    "UInt",
    "load_network",
    "save_network",
]
