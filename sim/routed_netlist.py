"""The design after place and route as Verilog: the netlist that nextpnr wrote, with models of its cells.

nextpnr leaves out what the chip wires by itself: inputs that are pulled up or down, and on an iCE40 the way from the oscillator's pad over the PLL into a
global network. Both are added here. Where the wires run is not in this netlist; for an iCE40 the bitstream level has that.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from ..boards import Family
from ..sw.build.design import TOP
from ..sw.build.process import last_error, run_tool
from ..sw.build.routed import read_routed
from ..sw.build.toolchain import find_tool
from ..sw.errors import BuildFailedError, SimulationError, UnavailableLevelError
from .cell_models import cell_models
from .chip import CHIP

PULLED_UP = {
    "ICESTORM_LC": {"CEN"},
    "ICESTORM_RAM": {"RCLKE", "WCLKE"},
    "ICESTORM_DSP": {"CE"},
    "SB_IO": {"CLOCK_ENABLE"},
    "TRELLIS_FF": {"CE"},
    "TRELLIS_COMB": {"A", "B", "C", "D"},
    "DCCA": {"CE"},
}
"""Inputs that are 1 where no wire leads to them; all others of these cells are 0."""

SELECTED = ("DP16KD", "MULT18X18D")
"""Cells each of whose inputs has a parameter ``<input>MUX``: a constant, the wire or its inverse; without a wire it is 1 before that."""

Cells = dict[str, dict[str, Any]]


def routed_verilog(folder: Path, family: Family) -> tuple[str, Counter[str]]:
    """Verilog of the routed design of the build in `folder`, as module `CHIP` with the pads as ports, and how many cells of each type it has.

    Raises
    ------
    InputFileError - there is no routed netlist
    UnavailableLevelError - a cell has no model
    SimulationError - the pads and the PLL are not wired as expected
    ToolchainNotFoundError, BuildFailedError - from yosys
    """
    module = read_routed(folder)["modules"][TOP]
    cells: Cells = module["cells"]
    types = Counter(cell["type"] for cell in cells.values())
    models = cell_models(family, types)
    if family == "ice40":
        join_pll(cells)
    select_inputs(cells)
    tie_inputs(cells)
    for port in module["ports"].values():
        port["direction"] = "inout"  # as the cells' pads are
    # The names of nets and cells are half of what simulators would have to compile.
    module["netnames"] = {
        f"n{number}": {"bits": net["bits"]}
        for number, (name, net) in enumerate(module["netnames"].items())
        if name not in module["ports"]
    }
    module["cells"] = {f"c{number}": cell for number, cell in enumerate(cells.values())}
    verilog = _verilog({"creator": "rbonn", "modules": {CHIP: module}})
    return f"{verilog}\n{models}", types


def join_pll(cells: Cells) -> None:
    """Adds the wires of an iCE40 that no fabric makes: pad to PLL, and PLL to the buffer of a global network.

    Raises
    ------
    SimulationError - it is not clear what belongs together
    """
    plls = [cell for cell in cells.values() if cell["type"] == "ICESTORM_PLL"]
    buffers = [
        cell["connections"]
        for cell in cells.values()
        if cell["type"] == "SB_GB" and not cell["connections"]["USER_SIGNAL_TO_GLOBAL_BUFFER"]
    ]
    if len(plls) != len(buffers) or len(plls) > 1:
        raise SimulationError(
            f"The netlist has {len(plls)} PLLs and {len(buffers)} global buffers without an input.",
            "This level takes designs with one PLL, whose output is the clock.",
        )
    for pll, buffer in zip(plls, buffers, strict=True):
        output = 1 + max(
            (
                bit
                for cell in cells.values()
                for bits in cell["connections"].values()
                for bit in bits
            ),
            key=lambda bit: bit if isinstance(bit, int) else 0,
        )
        pll["connections"]["PLLOUT_A_GLOBAL"] = [output]
        buffer["USER_SIGNAL_TO_GLOBAL_BUFFER"] = [output]
        pad = pll["attributes"].get("BEL_PAD_INPUT")
        if pad is not None:
            (pin,) = (
                cell["connections"]["PACKAGE_PIN"]
                for cell in cells.values()
                if cell["type"] == "SB_IO" and cell["attributes"]["NEXTPNR_BEL"] == pad
            )
            pll["connections"]["REFERENCECLK"] = pin


def select_inputs(cells: Cells) -> None:
    """Does what the selectors before the inputs of an ECP5's block RAMs and multipliers do, which models of those cells do not know.

    Raises
    ------
    UnavailableLevelError - a selector inverts a wire; only clocks are inverted, by a parameter of the cell itself
    """
    for name, cell in cells.items():
        if cell["type"] not in SELECTED:
            continue
        connections, parameters = cell["connections"], cell["parameters"]
        for port, direction in cell["port_directions"].items():
            if direction != "input":
                continue
            selected = parameters.get(f"{port}MUX", port).strip()
            if not connections[port]:
                connections[port] = ["0" if selected in ("0", "INV") else "1"]
                parameters.pop(f"{port}MUX", None)
            elif selected in ("0", "1"):
                connections[port] = [selected]
            elif selected == "INV" and not port.startswith("CLK"):
                raise UnavailableLevelError(
                    f"{name}: the input {port} is inverted before the cell.",
                    "There is no model of that; simulate the Verilog with '--level rtl'.",
                )
            if not port.startswith("CLK"):
                parameters.pop(f"{port}MUX", None)


def tie_inputs(cells: Cells) -> None:
    """Gives every input without a wire the value that the chip gives it."""
    for cell in cells.values():
        up = PULLED_UP.get(cell["type"], set())
        for port, bits in cell["connections"].items():
            if not bits and cell["port_directions"][port] == "input":
                cell["connections"][port] = ["1" if port in up else "0"]


def _verilog(netlist: dict[str, Any]) -> str:
    """What yosys makes of `netlist`."""
    yosys = find_tool("yosys")
    with tempfile.TemporaryDirectory(prefix="rbonn-") as name:
        folder = Path(name)
        (folder / "routed.json").write_text(json.dumps(netlist), encoding="utf-8")
        (folder / "routed.ys").write_text(
            "read_json routed.json\nwrite_verilog -noattr -norename routed.v\n", encoding="utf-8"
        )
        log = folder / "yosys.log"
        if run_tool([yosys.path, "-q", "routed.ys"], folder, log):
            raise BuildFailedError(
                f"yosys: no Verilog from the netlist after place and route: {last_error(log)}",
                "This is a defect of the project or of this yosys: please report it.",
            )
        return (folder / "routed.v").read_text(encoding="utf-8")
