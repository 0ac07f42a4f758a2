"""How pixels become bits, as a node."""

from __future__ import annotations

import numpy as np

from ..network import Binarise, Thermometer
from ..train.layers import InputThermometer
from .trace import Layer


def encoding_edge(encoding: Layer) -> str:
    """Name of the node that makes bits of pixels: ``binarise`` or ``thermometer``."""
    return "thermometer" if isinstance(encoding.module, InputThermometer) else "binarise"


def encoding_node(encoding: Layer, edge: str) -> Binarise | Thermometer:
    """The node of an InputBinarise or InputThermometer that reads `edge`."""
    layer = encoding.module
    if isinstance(layer, InputThermometer):
        thresholds = np.array(layer.thresholds, np.int64)
        return Thermometer(encoding_edge(encoding), (edge,), thresholds)
    return Binarise(encoding_edge(encoding), (edge,), layer.threshold)
