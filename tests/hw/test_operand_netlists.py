"""The array with integer operands, in the device forms: what synthesis makes of it does what the portable form does."""

from typing import Any

import pytest

from .netlists import SYNTHESIS_OPTIONS, cells_of, netlist
from .operand_case import OperandCase
from .series import Series
from .stream_driver import Stalls
from .verilog_driver import drive_verilog

pytestmark = [pytest.mark.synth, pytest.mark.slow]

FORMS: dict[str, dict[str, Any]] = {
    "ice40": {"form": "ice40_carry_lanes"},
    "ecp5": {"form": "ecp5", "back_pressure": "credit", "read_latency": 2},
}


def cases(family: str) -> dict[str, OperandCase]:
    unit = FORMS[family]
    return {
        "planes": OperandCase("planes", 4, 22, 2, 11, element_bits=4, signed=True, unit=unit),
        "planes, sums": OperandCase("planes", 4, 6, 2, 3, output="sums", unit=unit),
        "integers": OperandCase("integers", 4, 14, 2, 7, signed=True, unit=unit),
        "integers, sums": OperandCase("integers", 2, 9, 2, 9, output="sums", unit=unit),
        "products in logic": OperandCase("products", 2, 6, 2, 3, element_bits=4, weight_bits=4, multipliers="logic", unit=unit),
        "depthwise": OperandCase("bipolar", 4, 9, 2, 3, depthwise=True, unit=unit),
        "depthwise planes": OperandCase("planes", 4, 4, 2, 1, 3, depthwise=True, unit=unit),
        "groups": OperandCase("bipolar", 8, 12, 2, 6, groups=2, unit=unit),
    }  # fmt: skip


@pytest.mark.parametrize("name", cases("ice40"))
@pytest.mark.parametrize("family", FORMS)
def test_the_netlist_equals_numpy(family: str, name: str) -> None:
    case = cases(family)[name]
    series = Series(*case.front, case.layer)
    cells = netlist(series, family)
    assert {"ice40": "SB_LUT4", "ecp5": "CCU2C"}[family] in cells_of(cells)
    for stalls in (None, Stalls(1)):
        run = drive_verilog(
            cells, case.inputs, n_outputs=len(case.outputs), cells=family, stalls=stalls
        )
        assert run.outputs == case.outputs


@pytest.mark.parametrize("output", ["bits", "sums"])
@pytest.mark.parametrize(("bits", "signed"), [(8, True), (8, False), (5, True), (5, False)])
def test_two_products_of_bytes_in_a_block_equal_numpy(bits: int, signed: bool, output: str) -> None:
    case = OperandCase(
        "products", 4, 9, 2, 3, bits, signed, bits, "ice40_bytes", output, unit=FORMS["ice40"]
    )
    for stalls in (None, Stalls(1)):
        run = drive_verilog(
            case.layer.component(), case.inputs, n_outputs=len(case.outputs), cells="ice40", stalls=stalls
        )  # fmt: skip
        assert run.outputs == case.outputs
        assert stalls or run.latency(0, 2) == case.layer.latency_cycles


def test_inferred_products_in_blocks_of_the_ice40_equal_numpy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(SYNTHESIS_OPTIONS, "ice40", "-device u -dsp")
    case = OperandCase("products", 4, 9, 2, 3, signed=True, unit=FORMS["ice40"])
    cells = netlist(case.layer.component(), "ice40")
    assert "SB_MAC16" in cells_of(cells)
    run = drive_verilog(
        cells, case.inputs, n_outputs=len(case.outputs), cells="ice40", stalls=Stalls(1)
    )
    assert run.outputs == case.outputs
