"""What a board recorded of an image, as values on edges of the network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...hw.trace import TraceConfig
from ..network import Network
from ..network.datatypes import from_codes


def trace_values(
    payload: bytes, traces: Sequence[TraceConfig], network: Network
) -> dict[str, np.ndarray]:
    """Values on each traced edge.

    Parameters
    ----------
    payload : bytes - as `Device.trace` gives it
    traces : sequence of TraceConfig - of the board, in its order
    network : Network

    Returns
    -------
    dict of int64 (height, width, channels), by edge

    Raises
    ------
    ValueError - `payload` has not the length of `traces`
    """
    expected = sum(trace.n_bytes for trace in traces)
    if len(payload) != expected:
        raise ValueError(f"Trace must be {expected} bytes, not {len(payload)}")
    values, start = {}, 0
    for trace in traces:
        edge = network.edges[trace.edge]
        recorded = np.frombuffer(payload, np.uint8, trace.n_bytes, start)
        start += trace.n_bytes
        bits = np.unpackbits(
            recorded.reshape(trace.transfers, trace.transfer_bytes), axis=1, bitorder="little"
        )  # (transfers, bits of their bytes)
        width = edge.datatype.bits
        elements = bits[:, : trace.width].reshape(-1, width).astype(np.int64)
        codes = (elements << np.arange(width)).sum(axis=1)
        values[trace.edge] = from_codes(codes, edge.datatype).astype(np.int64).reshape(edge.shape)
    return values
