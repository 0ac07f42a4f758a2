"""What the stages of `calibrate_sample.py` take after synthesis, each alone, with the commands of a build."""

from __future__ import annotations

import hashlib
import re
import tempfile
import time
from pathlib import Path
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from calibrate_link import Link
from calibrate_sample import Case
from pe_array_measure import DEVICES
from rbonn.boards import Board, Family
from rbonn.sw.build.design import TOP, component_verilog
from rbonn.sw.build.memory_map import fast_script
from rbonn.sw.build.process import last_error, run_tool
from rbonn.sw.build.report import cells_of
from rbonn.sw.build.toolchain import Tool

SYNTHESIS_SECONDS = 900

COMMANDS: dict[Family, str] = {
    "ecp5": DEVICES["ECP5-25F"].synthesis,
    "ice40": DEVICES["iCE40UP5K"].synthesis,
}
"""yosys' commands, with the options of a build."""

LUTS_PER_LUT_RAM = 6
"""Of a TRELLIS_DPR16X4: four lookup tables hold its words, two more its write port."""


class Streams(wiring.Component):
    """A stage with its streams alone, however many: what else it shows for observation costs nothing where nobody looks."""

    def __init__(self, component: wiring.Component) -> None:
        self.component = component
        members = component.signature.members
        self.names = [name for name in members if name in "io" or name.startswith(("i_", "o_"))]
        super().__init__({name: members[name] for name in self.names})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.stage = self.component
        for name in self.names:
            outer, inner = getattr(self, name), getattr(self.component, name)
            if self.signature.members[name].flow == Out:
                wiring.connect(m, inner, wiring.flipped(outer))
            else:
                wiring.connect(m, wiring.flipped(outer), inner)
        return m


def synthesised(case: Case, yosys: Tool, known: dict[str, Any] | None = None) -> dict[str, Any]:
    """A row of the table: cells by kind, the digest of the Verilog, and seconds. The `known` row, where it is of the same Verilog.

    A configuration that yosys cannot map has its message as `failed` in the place of cells.
    """
    start = time.monotonic()
    verilog = component_verilog(Streams(case.config.component()))
    digest = hashlib.sha256(verilog.encode()).hexdigest()[:16]
    if known is not None and known["verilog"] == digest:
        return known
    return {
        "part": case.part,
        "family": case.family,
        "block": case.block,
        "name": case.name,
        "verilog": digest,
        **_cells(verilog, case.family, yosys),
        "seconds": round(time.monotonic() - start, 1),
    }


def link_cells(board: Board, yosys: Tool) -> dict[str, Any]:
    """Cells of the link alone."""
    return _cells(component_verilog(Link(board)), board.family, yosys)


def _cells(verilog: str, family: Family, yosys: Tool) -> dict[str, Any]:
    script = f"""read_verilog {TOP}.v
{COMMANDS[family]} -top {TOP}
tee -q -o stat.json stat -json -top {TOP}
"""
    script, files = fast_script(family, yosys, script)
    with tempfile.TemporaryDirectory(prefix="rbonn-") as name:
        folder = Path(name)
        for file, text in (files | {f"{TOP}.v": verilog, f"{TOP}.ys": script}).items():
            (folder / file).write_text(text)
        log = folder / "yosys.log"
        command = [yosys.path, "-q", f"{TOP}.ys"]
        if run_tool(command, folder, log, timeout_seconds=SYNTHESIS_SECONDS):
            return {"failed": last_error(log)}
        return counted(family, cells_of(folder / "stat.json"))


def counted(family: Family, cells: dict[str, int]) -> dict[str, int]:
    """Cells as costs count them. On ECP5 `lut4` has two for each carry cell, and `LUTS_PER_LUT_RAM` for each LUT RAM."""

    def count(pattern: str) -> int:
        return sum(n for kind, n in cells.items() if re.fullmatch(pattern, kind))

    lut4, carries, lut_rams = count("SB_LUT4|LUT4"), count("SB_CARRY|CCU2C"), count("TRELLIS_DPR16X4")  # fmt: skip
    if family == "ecp5":
        lut4 += 2 * carries + LUTS_PER_LUT_RAM * lut_rams
    return {
        "lut4": lut4,
        "carries": carries,
        "lut_rams": lut_rams,
        "ff": count("SB_DFF.*|TRELLIS_FF"),
        "block_rams": count("SB_RAM40_4K.*|DP16KD|PDPW16KD"),
        "dsp": count("SB_MAC16|MULT18X18D"),
    }
