"""What an exploration says and leaves: JSON, CSV, and the plans of its front."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from ..build.result import BuildResult
from ..files import written_whole
from ..plan.plan import save_plan
from .builds import SeedBuild
from .points import Point, Unreached

SCHEMA = 1
PLANS = "plans"
POINTS_CSV, POINTS_JSON = "points.csv", "points.json"


@dataclass(frozen=True, slots=True)
class SeedsResult:
    """What the seeds of one point gave together.

    Members
    -------
    builds : tuple of SeedBuild - by seed
    """

    builds: tuple[SeedBuild, ...]

    @property
    def results(self) -> list[BuildResult]:
        """Of the seeds that were built to the end."""
        return [build.result for build in self.builds if build.result is not None]

    @property
    def failures(self) -> list[str]:
        """Why the others were not, each reason once."""
        return list(dict.fromkeys(build.failure for build in self.builds if build.failure))

    @property
    def fmax_hz(self) -> tuple[float, float, float] | None:
        """The slowest, the median and the fastest clock after place and route; None where no seed was built."""
        clocks = [result.fmax_hz for result in self.results]
        return (min(clocks), median(clocks), max(clocks)) if clocks else None

    @property
    def n_met(self) -> int:
        """Seeds that reach the clock."""
        return sum(result.timing_met for result in self.results)

    def description(self) -> dict[str, Any]:
        """As ``rbonn explore --json`` prints it."""
        low, middle, high = self.fmax_hz or (None, None, None)
        return {
            "fmax_hz": {"min": low, "median": middle, "max": high},
            "timing_met": self.n_met,
            "seeds": [
                {
                    "seed": build.seed,
                    "failure": build.failure or None,
                    **(_built(build.result) if build.result else {}),
                }
                for build in self.builds
            ],
        }


@dataclass(frozen=True, slots=True)
class Exploration:
    """Everything that was found.

    Members
    -------
    points : list of Point - all distinct ones
    front : list of Point - those that no other one beats
    unreached : list of Unreached
    builds : dict - `SeedsResult` by the name of the point
    """

    points: list[Point]
    front: list[Point]
    unreached: list[Unreached]
    builds: dict[str, SeedsResult] = field(default_factory=dict)

    def add(self, built: SeedBuild) -> None:
        """Takes in what one seed of one point gave."""
        known = self.builds[built.point].builds if built.point in self.builds else ()
        builds = sorted((*known, built), key=lambda build: build.seed)
        self.builds[built.point] = SeedsResult(tuple(builds))

    def description(self) -> dict[str, Any]:
        """As ``rbonn explore --json`` prints it."""
        best = {point.name for point in self.front}
        return {
            "schema": SCHEMA,
            "points": [
                {
                    **_row(point, point.name in best),
                    "plan": plan_path(Path(), point).as_posix() if point.name in best else None,
                    "builds": self.builds[point.name].description()
                    if point.name in self.builds
                    else None,
                }
                for point in self.points
            ],
            "unreached": [
                {
                    "network": missing.request.label,
                    "board": missing.request.board,
                    "frames_per_second": missing.request.frames_per_second,
                    "reason": missing.reason,
                    "hint": missing.hint,
                }
                for missing in self.unreached
            ],
        }

    def write(self, folder: Path) -> list[Path]:
        """Writes JSON, CSV and the plans of the front, each whole; returns the paths of the first two. Raises OutputError."""
        for point in self.front:
            save_plan(point.plan, plan_path(folder, point))
        with written_whole(folder / POINTS_JSON) as temporary:
            temporary.write_text(json.dumps(self.description(), indent=2) + "\n")
        best = {point.name for point in self.front}
        rows = [
            _row(point, point.name in best) | _columns(self.builds.get(point.name))
            for point in self.points
        ]
        with written_whole(folder / POINTS_CSV) as temporary:
            _write_csv(temporary, rows)
        return [folder / POINTS_JSON, folder / POINTS_CSV]


def plan_path(folder: Path, point: Point) -> Path:
    """Where the plan of a point of the front lies."""
    return folder / PLANS / f"{point.name}.json"


def _row(point: Point, is_on_front: bool) -> dict[str, Any]:
    return {
        "network": point.request.label,
        "network_hash": point.plan.network_hash,
        "dataset": point.dataset or None,
        "accuracy": point.accuracy,
        "board": point.request.board,
        "clock_hz": point.clock_hz,
        "asked_frames_per_second": point.request.frames_per_second,
        "frames_per_second": point.frames_per_second,
        "initiation_interval_cycles": point.initiation_interval_cycles,
        "latency_cycles": point.latency_cycles,
        "lut4": point.lut4,
        "ff": point.ff,
        "block_rams": point.block_rams,
        "dsp": point.dsp,
        "on_front": is_on_front,
    }


def _built(result: BuildResult) -> dict[str, Any]:
    used = result.resources
    return {
        "fmax_hz": result.fmax_hz,
        "timing_met": result.timing_met,
        "lut4": used.lut4,
        "logic_cells": used.logic_cells,
        "ff": used.ff,
        "block_rams": used.block_rams,
        "dsp": used.dsp,
        "seconds": result.seconds,
        "bitstream": str(result.bitstream),
    }


def _columns(seeds: SeedsResult | None) -> dict[str, Any]:
    """The builds of a point in a row of the CSV file; empty cells where there are none."""
    low, middle, high = seeds.fmax_hz or (None, None, None) if seeds else (None, None, None)
    first = seeds.results[0].resources if seeds and seeds.results else None
    return {
        "seeds_built": len(seeds.results) if seeds else None,
        "seeds_met": seeds.n_met if seeds else None,
        "fmax_min_hz": low,
        "fmax_median_hz": middle,
        "fmax_max_hz": high,
        "built_lut4": first.lut4 if first else None,
        "built_block_rams": first.block_rams if first else None,
    }


def _write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["network"])
        writer.writeheader()
        writer.writerows(rows)
