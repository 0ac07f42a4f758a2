"""FIFO and width converter, proved over every stall pattern of their first cycles."""

from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Module
from rbonn.hw.fifo import Fifo, FifoConfig
from rbonn.hw.width_converter import WidthConverterConfig

from .formal import prove_order

pytestmark = pytest.mark.formal


@pytest.mark.parametrize(
    ("depth", "made_of"),
    [
        *((depth, {"memory": "logic"}) for depth in (1, 2, 3)),
        (3, {"memory": "lut_ram"}),
        (4, {"read_latency": 2}),
        (5, {"read_latency": 2}),
    ],
)
def test_a_fifo_neither_loses_nor_repeats_and_holds_at_most_its_depth(
    depth: int, made_of: dict[str, Any], tmp_path: Path
) -> None:
    fifo = FifoConfig(width=1, depth=depth, **made_of).component()
    result = prove_order(
        fifo, tmp_path, element_bits=1, i_lanes=1, o_lanes=1, most_held=depth, depth=10
    )
    assert result == "PASS"


@pytest.mark.parametrize(
    ("i_lanes", "o_lanes", "most_held"), [(1, 3, 3), (3, 1, 3), (2, 3, 12), (3, 2, 12)]
)
def test_a_width_converter_neither_loses_nor_repeats(
    i_lanes: int, o_lanes: int, most_held: int, tmp_path: Path
) -> None:
    converter = WidthConverterConfig(1, i_lanes, o_lanes, 12).component()
    result = prove_order(
        converter,
        tmp_path,
        element_bits=1,
        i_lanes=i_lanes,
        o_lanes=o_lanes,
        most_held=most_held,
        depth=10,
    )
    assert result == "PASS"


class ForgetfulFifo(Fifo):
    """Overwrites its output where the spare register should have been used."""

    def _two_registers(self, m: Module) -> None:
        m.d.comb += self.i.ready.eq(1)
        with m.If(self.o.ready | self.i.valid):
            m.d.sync += [self.o.valid.eq(self.i.valid), self.o.payload.eq(self.i.payload)]


def test_the_proof_finds_a_planted_fault(tmp_path: Path) -> None:
    fifo = ForgetfulFifo(FifoConfig(width=2, depth=2))
    result = prove_order(
        fifo, tmp_path, element_bits=2, i_lanes=1, o_lanes=1, most_held=2, depth=10
    )
    assert result == "FAIL"
