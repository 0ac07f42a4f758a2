"""`rbonn.sim.routed_netlist`: what the chip wires by itself is added to nextpnr's netlist."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from rbonn.sim.routed_netlist import join_pll, select_inputs, tie_inputs
from rbonn.sw.errors import SimulationError, UnavailableLevelError


def cell(kind: str, inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "parameters": {},
        "attributes": {},
        "connections": dict(inputs),
        "port_directions": dict.fromkeys(inputs, "input"),
    } | more


CELLS = {
    "pll": cell("ICESTORM_PLL", {"REFERENCECLK": []}, attributes={"BEL_PAD_INPUT": "X12/Y31/io1"}),
    "pad": cell("SB_IO", {"PACKAGE_PIN": [7]}, attributes={"NEXTPNR_BEL": "X12/Y31/io1"}),
    "other pad": cell("SB_IO", {"PACKAGE_PIN": [8]}, attributes={"NEXTPNR_BEL": "X1/Y0/io0"}),
    "clock": cell("SB_GB", {"USER_SIGNAL_TO_GLOBAL_BUFFER": []}),
    "reset": cell("SB_GB", {"USER_SIGNAL_TO_GLOBAL_BUFFER": [9]}),
}


def test_the_pll_is_joined_to_its_pad_and_to_the_network_of_the_clock() -> None:
    cells = copy.deepcopy(CELLS)
    join_pll(cells)
    assert cells["pll"]["connections"] == {"REFERENCECLK": [7], "PLLOUT_A_GLOBAL": [10]}
    assert cells["clock"]["connections"]["USER_SIGNAL_TO_GLOBAL_BUFFER"] == [10]
    assert cells["reset"] == CELLS["reset"]


@pytest.mark.parametrize("gone", ["pll", "clock"])
def test_a_pll_or_a_network_without_the_other_is_refused(gone: str) -> None:
    cells = copy.deepcopy(CELLS)
    del cells[gone]
    with pytest.raises(SimulationError, match=r"PLLs and \d global buffers without an input"):
        join_pll(cells)


def test_inputs_without_a_wire_have_what_the_chip_gives_them() -> None:
    cells = {
        "cell": cell("ICESTORM_LC", {"CEN": [], "SR": [], "I0": [3]}),
        "multiplier": cell("ICESTORM_DSP", {"CE": [], "AHOLD": []}),
    }
    tie_inputs(cells)
    assert cells["cell"]["connections"] == {"CEN": ["1"], "SR": ["0"], "I0": [3]}
    assert cells["multiplier"]["connections"] == {"CE": ["1"], "AHOLD": ["0"]}


def test_selectors_before_block_rams_are_followed() -> None:
    inputs = {"A0": [], "A1": [], "A2": [5], "A3": [6], "A4": [], "CLKA": [4]}
    cells = {"ram": cell("DP16KD", inputs)}
    cells["ram"]["parameters"] = {
        "A0MUX": "0 ", "A1MUX": "INV", "A2MUX": "1 ", "A3MUX": "A3", "CLKAMUX": "INV", "GSR": "DISABLED"
    }  # fmt: skip
    select_inputs(cells)
    assert cells["ram"]["connections"] == {
        "A0": ["0"], "A1": ["0"], "A2": ["1"], "A3": [6], "A4": ["1"], "CLKA": [4]
    }  # fmt: skip
    assert cells["ram"]["parameters"] == {"CLKAMUX": "INV", "GSR": "DISABLED"}


def test_a_selector_that_inverts_a_wire_is_refused() -> None:
    cells = {"ram": cell("DP16KD", {"CEA": [3]}, parameters={"CEAMUX": "INV"})}
    with pytest.raises(UnavailableLevelError, match="ram: the input CEA is inverted"):
        select_inputs(cells)
