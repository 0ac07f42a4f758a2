"""Builds a network at the highest clock that it meets."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from .build.clock_search import SEEDS, highest_clock
from .build.flow import Progress
from .build.result import REPORT, BuildResult, read_report
from .files import check_writable
from .project import Project

Say = Callable[[str], None]
"""Told of every place and route what came of it."""


def build_fastest(
    project: Project,
    folder: Path,
    *,
    limit_hz: int | None = None,
    seed: int = 1,
    seeds: int = SEEDS,
    use_cache: bool = True,
    progress: Progress | None = None,
    say: Say | None = None,
) -> BuildResult:
    """Builds the bitstream with the highest clock that one of `seeds` places and routes meets, into `folder`; otherwise as `Project.build`.

    The folding is the project's at every clock. Each place and route is an entry of the cache of its own, so that a search that was interrupted goes on where it stopped.

    Parameters
    ----------
    limit_hz : int or None - the highest clock that is allowed, see `highest_clock`

    Raises
    ------
    ClockError - the design meets no clock of the board
    """
    check_writable(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".clocks-") as name:

        def attempt(clock_hz: int, number: int) -> BuildResult:
            built = Path(name) / f"{clock_hz}-{number}"
            built.mkdir()
            at_clock = replace(project, plan=replace(project.plan, clock_hz=clock_hz))
            result = at_clock.build(built, seed=number, use_cache=use_cache, progress=progress)
            if say is not None:
                met = "met" if result.timing_met else f"missed, {result.fmax_hz / 1e6:.2f} reached"
                say(f"{result.clock_hz / 1e6:g} MHz, seed {number}: {met}")
            return result

        search = highest_clock(project.board, attempt, limit_hz=limit_hz, seeds=seeds, seed=seed)
        built = search.result.bitstream.parent
        report = built / REPORT
        values = json.loads(report.read_text())
        values["asked_hz"] = float(search.limit_hz)
        values["clocks_tried"] = [
            {key: getattr(tried, key) for key in ("clock_hz", "seed", "fmax_hz", "timing_met")}
            for tried in search.tried
        ]
        report.write_text(json.dumps(values, indent=2) + "\n")
        # The report, which names the others' state, comes last.
        for path in sorted(built.iterdir(), key=lambda path: path.name == REPORT):
            path.replace(folder / path.name)
    return read_report(folder)
