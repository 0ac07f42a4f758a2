"""Builds a bitstream: elaboration, synthesis, place and route, packing; results from the tools' own reports.

Everything happens in a hidden folder beside the results, which appear when all of them are there. A build that fails leaves
its logs (``yosys.log``, ``nextpnr.log``, ``pack.log``), one that is interrupted leaves nothing.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from amaranth.hdl import Elaboratable

from ...boards import Board
from ..files import check_writable
from .cache import BuildCache, file_digest, key_of
from .design import TOP, Design, board_design
from .flow import CROWDED, LOGS, Flow, Progress, with_seed
from .process import terminable
from .report import NoPlaceError, cells_of, clocks_of, resources_of, utilisation_of
from .result import REPORT, RESULTS, SCHEMA, BuildResult, result_of
from .routed import ROUTED
from .toolchain import Tool, find_tools, is_compiled, warm_up

NEARLY = 0.9
"""Part of the asked-for clock from which another seed is worth its time."""


def build(
    board: Board,
    top: Elaboratable,
    name: str,
    folder: Path,
    clock_hz: int | None = None,
    *,
    seed: int = 1,
    attempts: int = 1,
    progress: Progress | None = None,
    cache: BuildCache | None = None,
    timeout_seconds: float | None = None,
    synthesis_options: Sequence[str] | None = None,
    place_and_route_options: Sequence[str] = (),
    source_hash: str = "",
) -> BuildResult:
    """Builds `top` for `board` into `folder`.

    Writes ``top.v`` (exactly what is synthesised), ``top.json`` (netlist), ``routed.json.gz`` (netlist after place and route), ``top.asc`` or
    ``top.config``, ``top.bin`` or ``top.bit``, the constraints, the logs and ``report.json``.

    Parameters
    ----------
    board : Board - where it will run
    top : Elaboratable - component with ports ``rx`` and ``tx``
    name : str - what is built, for the report
    folder : Path - where the results go; made where missing
    clock_hz : int | None - clock; None: the board's
    seed : int - first seed of place and route
    attempts : int - seeds tried at most (`seed`, `seed` + 1, ...) while the placer finds no place, or timing is missed by less than a tenth; the result is of the first
        that meets timing, else of the last that found a place
    progress : Progress | None - told what is being done
    cache : BuildCache | None - finished builds and netlists; None: build anew and store nothing
    timeout_seconds : float | None - limit of each tool
    synthesis_options, place_and_route_options - see `board_design`
    source_hash : str - of what `top` was made from, for the report

    Raises
    ------
    OutputError - `folder` cannot be written
    ClockError - the board cannot make that clock
    ToolchainNotFoundError - a tool is missing
    DoesNotFitError - the design is too large
    NoPlaceError - the placer found no place with any of the seeds
    BuildFailedError - a tool failed; its log is named
    """
    tell = progress or (lambda step, fraction: None)
    tools = ready_tools(board, tell)
    start = time.monotonic()
    tell("elaborating", 0.0)
    design = board_design(
        board,
        top,
        clock_hz,
        seed=seed,
        synthesis_options=synthesis_options,
        place_and_route_options=place_and_route_options,
    )
    return build_design(
        design,
        tools,
        name,
        folder,
        seed=seed,
        attempts=attempts,
        progress=tell,
        cache=cache,
        timeout_seconds=timeout_seconds,
        source_hash=source_hash,
        start=start,
    )


def ready_tools(board: Board, progress: Progress | None = None) -> dict[str, Tool]:
    """The programs that a build for `board` runs, by name, each started once before. Raises ToolchainNotFoundError where one is missing."""
    tools = find_tools(board.family)
    for tool in tools.values():
        if not is_compiled(tool):
            if progress is not None:
                progress(f"preparing {tool.name} (first use)", 0.0)
            warm_up(tool)
    return tools


def build_design(
    design: Design,
    tools: dict[str, Tool],
    name: str,
    folder: Path,
    *,
    seed: int = 1,
    attempts: int = 1,
    progress: Progress | None = None,
    cache: BuildCache | None = None,
    timeout_seconds: float | None = None,
    source_hash: str = "",
    start: float | None = None,
) -> BuildResult:
    """Builds a design that is elaborated already; otherwise as `build`.

    Parameters
    ----------
    design : Design - for any seed
    tools : dict[str, Tool] - of `ready_tools`
    start : float | None - when the work on it began, by `time.monotonic`; None: now
    """
    tell = progress or (lambda step, fraction: None)
    start = time.monotonic() if start is None else start
    with terminable(), _work_folder(folder) as work:
        flow = Flow(design, tools, work, folder, tell, timeout_seconds, cache)
        values = _first_met(flow, range(seed, seed + attempts), start)
        values |= {
            "name": name,
            "source_hash": source_hash,
            "board": design.board.name,
            "asked_hz": float(design.asked_hz),
        }
        (work / REPORT).write_text(json.dumps(values, indent=2) + "\n")
        for file in _files(design):
            (work / file).replace(folder / file)
    tell("done", 1.0)
    return result_of(values, folder)


def _first_met(flow: Flow, seeds: Sequence[int], start: float) -> dict[str, Any]:
    """The report of the seed that `build` chooses, whose files are left in the flow's folder."""
    found: dict[str, Any] = {}
    no_place: NoPlaceError | None = None
    tried: list[int] = []
    for seed in seeds:
        tried.append(seed)
        try:
            found, no_place = _one_seed(flow, seed, start), None
        except NoPlaceError as error:
            no_place = error
            continue
        if not NEARLY <= _margin(found) < 1:
            break
    if not found:
        assert no_place is not None
        which = (
            f"with seed {seeds[0]}" if len(seeds) == 1 else f"with seeds {seeds[0]} to {seeds[-1]}"
        )
        raise NoPlaceError(f"{no_place.message}, {which}", no_place.hint) from no_place
    if no_place is not None:  # its files are gone
        found = _one_seed(flow, found["seed"], start)
    return found | {"seeds_tried": tried}


def _one_seed(flow: Flow, seed: int, start: float) -> dict[str, Any]:
    """The report of one seed, from the cache where that has it."""
    key = build_key(flow.design, flow.tools, seed)
    if flow.cache is not None and flow.cache.fetch(key, flow.work):
        return json.loads((flow.work / REPORT).read_text()) | {"cached": True}
    flow.run(seed)
    values = _values(flow, seed, time.monotonic() - start)
    (flow.work / REPORT).write_text(json.dumps(values))
    if flow.cache is not None:
        flow.cache.store(key, [flow.work / file for file in _files(flow.design)])
    return values


def _margin(values: dict[str, Any]) -> float:
    """The least part of a clock asked for that is reached."""
    return min((c["fmax_hz"] / c["asked_hz"] for c in values["clocks"].values()), default=1.0)


def _values(flow: Flow, seed: int, seconds: float) -> dict[str, Any]:
    """Contents of the report, from the tools' own."""
    design = flow.design
    report = flow.place_and_route_report()
    clocks = clocks_of(report)
    resources = resources_of(
        design.board.family, cells_of(flow.work / "stat.json"), utilisation_of(report)
    )
    capacity = design.board.capacity
    bitstream = RESULTS[design.board.family][-1]
    return {
        "schema": SCHEMA,
        "name": "",
        "source_hash": "",
        "board": design.board.name,
        "asked_hz": float(design.asked_hz),
        "device": design.board.device,
        "bitstream": bitstream,
        "bitstream_sha256": file_digest(flow.work / bitstream),
        "resources": asdict(resources),
        "capacity": {
            "lut4": capacity.lut4,
            "ff": capacity.ff,
            "block_rams": capacity.block_rams,
            "dsp": capacity.dsp,
            "single_port_rams": capacity.single_port_rams,
        },
        "fmax_hz": min(got for got, _ in clocks.values()),
        "clock_hz": float(design.clock_hz),
        "timing_met": all(got >= asked for got, asked in clocks.values()),
        "clocks": {
            name: {"fmax_hz": got, "asked_hz": asked} for name, (got, asked) in clocks.items()
        },
        "seed": seed,
        "seeds_tried": [seed],
        "seconds": round(seconds, 2),
        "cached": False,
        "tools": {name: f"{tool.version} ({tool.source})" for name, tool in flow.tools.items()},
    }


def _files(design: Design) -> tuple[str, ...]:
    """Every file that a build leaves; the report, which names the others' state, comes last."""
    inputs = (f"{TOP}.v", *design.files)
    return (*inputs, *LOGS, ROUTED, *RESULTS[design.board.family], REPORT)


def build_key(design: Design, tools: dict[str, Tool], seed: int) -> str:
    """Digest of all that decides the result: the Verilog and the other inputs, the commands, the tools, the seed of place and route."""
    return key_of(
        [
            f"schema {SCHEMA}",
            design.board.device,
            design.verilog,
            *(f"{name}\n{text}" for name, text in sorted(design.files.items())),
            *(" ".join(with_seed(command, seed)) for command in design.commands),
            f"crowded {CROWDED[design.board.family]}",
            *(str(tool) for tool in tools.values()),
        ]
    )


@contextmanager
def _work_folder(folder: Path) -> Iterator[Path]:
    """A hidden folder inside `folder`; at its end only the logs of a failure stay.

    `folder` itself goes too where it was made here and would stay empty.
    """
    check_writable(folder)
    existed = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=folder, prefix=".build-"))
    try:
        yield work
    except Exception:
        for log in LOGS:
            if (work / log).exists():
                (work / log).replace(folder / log)
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if not existed and not any(folder.iterdir()):
            folder.rmdir()
