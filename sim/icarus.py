"""Compiles Verilog and a bench with Icarus Verilog: the fallback where Verilator has no compiler."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from ..sw.errors import BuildFailedError, ToolchainNotFoundError
from .process import reason, run_logged


def find_icarus() -> tuple[str, str]:
    """Paths of `iverilog` and `vvp`; raises ToolchainNotFoundError if they are not on PATH."""
    programs = shutil.which("iverilog"), shutil.which("vvp")
    if programs[0] is None or programs[1] is None:
        raise ToolchainNotFoundError(
            "Icarus Verilog is not installed.",
            "Install it, on Debian and Ubuntu with: apt-get install iverilog",
        )
    return programs[0], programs[1]


def compile_icarus(verilog: str, bench: str, bench_top: str, folder: Path, log: Path) -> list[str]:
    """Compiles into `folder` and returns the command that runs the simulation with cocotb.

    Raises
    ------
    ToolchainNotFoundError - Icarus Verilog is missing
    BuildFailedError - compilation failed (the last line of the log is quoted)
    """
    from cocotb_tools import config

    iverilog, vvp = find_icarus()
    (folder / "design.v").write_text(started(verilog), encoding="utf-8")
    (folder / "bench.sv").write_text(bench, encoding="utf-8")
    command = [iverilog, "-g2012", "-s", bench_top, "-o", "simulation.vvp", "bench.sv", "design.v"]
    if run_logged(command, folder, log):
        raise BuildFailedError(
            f"Compiling the simulation failed: {reason(log)}", f"The whole log is {log}"
        )
    return [vvp, "-m", config.lib_entry("vpi", "icarus"), "simulation.vvp", "-none"]


def started(verilog: str) -> str:
    """`verilog` with every ``always @*`` made to run once at time 0.

    Icarus does not run one whose inputs keep their initial values, so its outputs would stay unknown. For that, yosys has each of them read a
    register of value 0, but gives it that value before the processes start; here the register changes after they have started.
    """
    return re.sub(
        r"^(\s*reg )(\\\$auto\$verilog_backend\S+)(\s*)= 0;",
        r"\1\2 = 1; initial #0 \2 = 0;",
        verilog,
        flags=re.MULTILINE,
    )
