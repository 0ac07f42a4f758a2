"""`rbonn.sw.host.trace`: a recorded image back as values."""

import numpy as np
import pytest
from rbonn.hw.trace import TraceConfig
from rbonn.sw.host.trace import trace_values
from rbonn.sw.network import INPUT, Bipolar, Dense, EdgeType, Int, Network, UInt
from rbonn.sw.network.datatypes import to_codes

from .test_device import network


def recorded(values: np.ndarray, datatype, lanes: int) -> bytes:
    """Transfers of `lanes` elements, each in whole bytes, one bit at a time."""
    parts = []
    for transfer in to_codes(values, datatype).reshape(-1, lanes):
        number = sum(int(code) << k * datatype.bits for k, code in enumerate(transfer))
        parts.append(number.to_bytes(-(-lanes * datatype.bits // 8), "little"))
    return b"".join(parts)


@pytest.mark.parametrize("lanes", [1, 2, 4])
@pytest.mark.parametrize("datatype", [Bipolar(), UInt(3), Int(5), Int(13)])
def test_values_come_back(lanes: int, datatype) -> None:
    weights = np.ones((3, 24), np.int8)
    given = Network(
        "n", EdgeType(datatype, (2, 3, 4)), (Dense("scores", (INPUT,), weights, Bipolar()),),
        0, "scores", ("a", "b", "c"),
    )  # fmt: skip
    rng = np.random.default_rng(lanes)
    values = rng.integers(datatype.minimum, datatype.maximum + 1, (2, 3, 4))
    values[values == 0] = 1
    payload = recorded(values, datatype, lanes)
    config = TraceConfig(INPUT, lanes * datatype.bits, 24 // lanes)
    assert trace_values(payload, [config], given)[INPUT].tolist() == values.tolist()
    with pytest.raises(ValueError, match=f"Trace must be {len(payload)} bytes, not 1"):
        trace_values(b"x", [config], given)


def test_edges_follow_each_other() -> None:
    given = network()
    image = np.arange(4).reshape(2, 2, 1)
    once = TraceConfig(INPUT, 8, 4)
    both = trace_values(bytes(range(4)) * 2, [once, once], given)
    assert both[INPUT].tolist() == image.tolist()
