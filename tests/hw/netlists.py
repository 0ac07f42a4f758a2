"""Netlists of single components, and models of the cells in them, for simulation and for proofs.

The netlist is what synthesis makes of a component alone, with the options of a build. Cells are modelled by yosys, and by the project
where yosys has no model.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rbonn.boards import Family
from rbonn.sim.cell_models import own_models, yosys_models
from rbonn.sw.build.design import TOP, component_verilog
from rbonn.sw.build.memory_map import fast_script
from rbonn.sw.build.process import last_error, run_tool
from rbonn.sw.build.toolchain import find_tool

SYNTHESIS_OPTIONS = {"ice40": "-device u", "ecp5": "-nowidelut"}


def netlist(source: str | Any, family: str) -> str:
    """Verilog of the cells that synthesis for `family` ("ice40" or "ecp5") makes of a component or of its Verilog; ports as there.

    Raises AssertionError with the tool's message where synthesis fails.
    """
    yosys = find_tool("yosys")
    script = f"""
read_verilog {TOP}.v
synth_{family} -top {TOP} {SYNTHESIS_OPTIONS[family]}
write_verilog -noattr -norename netlist.v
"""
    script, files = fast_script(family, yosys, script)  # type: ignore[arg-type]
    verilog = source if isinstance(source, str) else component_verilog(source)
    files |= {f"{TOP}.v": verilog, f"{TOP}.ys": script}
    with tempfile.TemporaryDirectory(prefix="rbonn-") as name:
        folder = Path(name)
        for file, text in files.items():
            (folder / file).write_text(text)
        log = folder / "yosys.log"
        status = run_tool([yosys.path, "-q", f"{TOP}.ys"], folder, log, timeout_seconds=300)
        assert status == 0, f"status {status}: {last_error(log)}"
        return (folder / "netlist.v").read_text()


def cells_of(verilog: str) -> set[str]:
    """Types of the cells and modules that `verilog` instantiates."""
    return set(re.findall(r"^  (\w+) (?:#\(|\\?\S+ \()", verilog, re.MULTILINE)) - {"assign"}


def cell_models(family: str, names: Iterable[str] | None = None) -> str:
    """Verilog models of the cells of `family`: all of them, or of those called `names` and what they are made of."""
    header, modules = _models(family)
    if names is not None:
        wanted, left = set(), set(names) & set(modules)
        while left:
            wanted |= left
            words = {word for name in left for word in re.findall(r"\w+", modules[name])}
            left = words & set(modules) - wanted
        modules = {name: text for name, text in modules.items() if name in wanted}
    return "\n".join([header, *modules.values()])


def _models(family: Family) -> tuple[str, dict[str, str]]:
    """What stands before all models of `family`, and each of them by its name; without those that exist after packing only."""
    before, of_yosys = yosys_models(family)
    packed = {"ice40": "ICESTORM_LC", "ecp5": "TRELLIS_COMB"}[family]
    modules = own_models(family) | of_yosys
    return before, {name: text for name, text in modules.items() if name != packed}
