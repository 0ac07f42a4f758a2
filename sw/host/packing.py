"""Images as the bytes that enter an accelerator, after what the host computes itself."""

from __future__ import annotations

import numpy as np

from ..errors import InputFileError, UnsupportedLayerError
from ..network import Binarise, Bipolar, EdgeType, Network, Thermometer
from ..network.datatypes import to_codes


def device_values(image: np.ndarray, network: Network) -> np.ndarray:
    """What of raw images enters the accelerator: the values after the network's host nodes.

    Parameters
    ----------
    image : integers (..., height, width, channels) - raw, as the network's input type has them

    Returns
    -------
    integers (..., height, width, channels) - values of the edge `network.device_input`

    Raises
    ------
    InputFileError - another shape, or values outside the input type
    UnsupportedLayerError - a host node that the host cannot compute
    """
    expected = network.input_type
    if image.shape[-3:] != expected.shape:
        raise InputFileError(
            f"The image is {' x '.join(map(str, image.shape))}, {network.name} takes {' x '.join(map(str, expected.shape))}",
            "Give height x width x channels as the network takes them.",
        )
    values = image
    if values.min() < expected.datatype.minimum or values.max() > expected.datatype.maximum:
        raise InputFileError(
            f"Pixels are {values.min()} to {values.max()}, {network.name} takes {expected.datatype}",
            f"Scale them to {expected.datatype.minimum} to {expected.datatype.maximum}.",
        )
    for node in network.host_nodes:
        if isinstance(node, Binarise):
            values = np.where(values >= node.threshold, np.int8(1), np.int8(-1))
        elif isinstance(node, Thermometer):
            levels = values[..., None] >= node.thresholds  # (..., height, width, channels, levels)
            values = np.where(levels, np.int8(1), np.int8(-1)).reshape(*values.shape[:-1], -1)
        else:
            raise UnsupportedLayerError(
                f"Layer {node.name} ({node.kind}) is the host's work, which can only be Binarise or Thermometer",
                "Lower the network again.",
            )
    return values


def pack(values: np.ndarray, edge: EdgeType) -> np.ndarray:
    """Values of an edge as bytes: elements in the order row, column, channel, each in its bits, the first element in the least
    significant bits, the last byte filled up with zeros.

    Parameters
    ----------
    values : integers (..., height, width, channels)

    Returns
    -------
    uint8 (..., bytes)

    Raises
    ------
    ValueError - values of another shape or outside the edge's type
    """
    if values.shape[-3:] != edge.shape:
        raise ValueError(f"Values must be of shape {edge.shape}, not {values.shape}")
    stacked = values.shape[:-3]
    width = edge.datatype.bits
    if isinstance(edge.datatype, Bipolar) and (np.abs(values) == 1).all():
        bits = values > 0  # as below, several times as fast
    else:
        codes = to_codes(values, edge.datatype)
        bits = ((codes[..., None] >> np.arange(width)) & 1).astype(np.uint8)
    return np.packbits(bits.reshape(*stacked, -1), axis=-1, bitorder="little")
