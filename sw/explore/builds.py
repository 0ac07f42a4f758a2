"""Places and routes points of an exploration with several seeds, and keeps every finished build.

A build is kept under the key of its Verilog, tools and seed (`build.synthesis.build_key`), in a `BuildCache` without a limit. What a worker needs
and what it gives goes through its connection, so that the workers of a cluster need no folder in common with this machine.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..build.cache import BuildCache
from ..build.design import Design, board_design
from ..build.flow import LOGS
from ..build.result import REPORT, BuildResult, result_of
from ..build.synthesis import build_design, build_key, ready_tools
from ..build.target import find_board
from ..errors import BuildFailedError, DoesNotFitError, OutputError, RbonnError
from ..network import Network
from ..plan.plan import AcceleratorPlan
from ..project import Project
from .points import Point
from .workers import Job, Workers, is_wanted

BUILDS = "builds"
"""Folder of the finished builds, in that of the exploration."""


@dataclass(frozen=True, slots=True)
class SeedBuild:
    """What one seed gave of one point: a result, or why there is none."""

    point: str
    seed: int
    result: BuildResult | None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished build as it comes from a worker: the report, and the files that are kept of it by their names."""

    report: dict[str, Any]
    files: dict[str, bytes]


def generated(network: Network, board_name: str, plan: AcceleratorPlan) -> Design:
    """What the tools read of a plan. Raises the errors of `board_design`."""
    board = find_board(board_name)
    return board_design(board, Project(network, board, plan).top(), plan.clock_hz)


def keys_of(design: Design, seeds: Sequence[int]) -> list[str]:
    """Key of the build of each seed with the tools that are found here."""
    tools = ready_tools(design.board)
    return [build_key(design, tools, seed) for seed in seeds]


def placed_and_routed(
    design: Design, seed: int, key: str, name: str, source_hash: str, use_cache: bool
) -> Finished:
    """Builds one seed in a folder of its own.

    Parameters
    ----------
    key : str - of `keys_of`
    name, source_hash : str - what is built, for the report
    use_cache : bool - whether the cache of `rbonn build` on the worker's machine is used

    Raises
    ------
    BuildFailedError - a tool failed, or the tools here are not those that the key was made with
    DoesNotFitError - the design is too large
    """
    tools = ready_tools(design.board)
    if build_key(design, tools, seed) != key:
        raise BuildFailedError(
            f"{name}: workers have different versions of {', '.join(tools)}",
            f"Install the same on all of them; one has {', '.join(map(str, tools.values()))}.",
        )

    def tell(step: str, fraction: float) -> None:
        if not is_wanted():
            raise BuildFailedError(f"{name}: {step} was taken back", "Start it again.")

    with tempfile.TemporaryDirectory(prefix="rbonn-") as work:
        folder = Path(work)
        result = build_design(
            design,
            tools,
            name,
            folder,
            seed=seed,
            progress=tell,
            cache=BuildCache() if use_cache else None,
            source_hash=source_hash,
        )
        names = (*LOGS, result.bitstream.name, REPORT)
        files = {file: (folder / file).read_bytes() for file in names}
        return Finished(json.loads(files[REPORT]), files)


class BuildStore:
    """Finished builds in a folder, each whole or not there.

    Parameters
    ----------
    folder : Path - of the exploration
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / BUILDS
        self._entries = BuildCache(self.folder, limit_bytes=sys.maxsize)

    def read(self, key: str) -> BuildResult | None:
        """The result that is kept under `key`; None where there is none, or it is damaged."""
        with tempfile.TemporaryDirectory(prefix="rbonn-") as copy:
            if not self._entries.fetch(key, Path(copy)):
                return None
            values = json.loads((Path(copy) / REPORT).read_text())
        try:
            return result_of(values, self.folder / key)
        except (KeyError, TypeError):
            return None

    def keep(self, key: str, finished: Finished) -> BuildResult:
        """Keeps a finished build. Raises OutputError where it cannot be written."""
        with tempfile.TemporaryDirectory(prefix="rbonn-") as work:
            for name, contents in finished.files.items():
                (Path(work) / name).write_bytes(contents)
            self._entries.store(key, [Path(work) / name for name in finished.files])
        result = self.read(key)
        if result is None:
            raise OutputError(
                f"{self.folder / key}: cannot be written",
                "Name another place with '--output', or make room or rights there.",
            )
        return result


def build_points(
    points: Sequence[Point],
    seeds: Sequence[int],
    workers: Workers,
    store: BuildStore,
    *,
    use_cache: bool = True,
    progress: Callable[[str, int, int], None] | None = None,
) -> Iterator[SeedBuild]:
    """Builds all `seeds` of all `points`, those that are kept already excepted; each as soon as it is there.

    A point whose Verilog cannot be made, and a seed whose build fails, are answers with a `failure`.
    """
    tell = progress or (lambda what, done, of: None)
    total, done = len(points) * len(seeds), 0
    designs, keyed, running = {}, {}, {}
    for point in points:
        job = workers.submit(generated, point.request.network, point.request.board, point.plan)
        designs[point.name] = job
        keyed[workers.submit(keys_of, job, list(seeds))] = point
    tell("Verilog", 0, total)
    for job in workers.finished(list(keyed)):
        point = keyed[job]
        for answer in _kept(point, seeds, job, store):
            if isinstance(answer, SeedBuild):
                done += 1
                yield answer
                continue
            seed, key = answer
            about = (key, point.request.label, point.plan.network_hash, use_cache)
            work = workers.submit(placed_and_routed, designs[point.name], seed, *about)
            running[work] = (point, seed, key)
    tell("place and route", done, total)
    for job in workers.finished(list(running)):
        point, seed, key = running[job]
        try:
            built = SeedBuild(point.name, seed, store.keep(key, job.result()))
        except (BuildFailedError, DoesNotFitError) as error:
            built = SeedBuild(point.name, seed, None, error.message)
        done += 1
        tell(f"{point.name}, seed {seed} done", done, total)
        yield built


def _kept(
    point: Point, seeds: Sequence[int], keys: Job, store: BuildStore
) -> Iterator[SeedBuild | tuple[int, str]]:
    """For each seed the build that is kept, or its number and key where there is none; failures where there is no Verilog."""
    try:
        found = keys.result()
    except RbonnError as error:
        yield from (SeedBuild(point.name, seed, None, error.message) for seed in seeds)
        return
    for seed, key in zip(seeds, found, strict=True):
        result = store.read(key)
        yield (seed, key) if result is None else SeedBuild(point.name, seed, replace(result, cached=True))  # fmt: skip
