"""The command `rbonn explore`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DoesNotFitError, OutputError, UnknownNameError
from ..terminal import Bar, Terminal
from .arguments import AsJson, Clock, Quiet

if TYPE_CHECKING:
    from ..explore.files import Exploration
    from ..explore.workers import Workers

DEFAULT_FOLDER = Path("build/explore")
DEFAULT_SEEDS = "1,2,3"


def explore(
    networks: Annotated[
        list[str], typer.Argument(help="Shipped models, or paths of network files.")
    ],
    boards: Annotated[
        str, typer.Option("--boards", "-b", help="Names of 'rbonn boards' with commas, or all.")
    ] = "all",
    fps: Annotated[
        str | None,
        typer.Option(
            help="Frames per second to plan for: LOW:HIGH, LOW:HIGH:COUNT or A,B,C "
            "[default: as many as fit, and halves of that]."
        ),
    ] = None,
    clock: Clock = None,
    build: Annotated[
        str | None,
        typer.Option(help="Place and route so many points of the front, or all of them."),
    ] = None,
    seeds: Annotated[
        str, typer.Option(help="Seeds of place and route, with commas.")
    ] = DEFAULT_SEEDS,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Processes on this machine [default: its cores]."),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Address of a Dask scheduler whose workers do the work instead."),
    ] = None,
    every_point: Annotated[
        bool, typer.Option("--all", help="Show every point, not only the front.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(help="The plot, .svg or .png [default: front.svg in the folder]."),
    ] = None,
    use_cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Reuse builds of 'rbonn build'.")
    ] = True,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the results.")
    ] = DEFAULT_FOLDER,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Plan networks for boards over a range of frame rates, show the Pareto front, and build points of it."""
    from ..build.target import find_board
    from ..explore.files import Exploration
    from ..explore.planning import plan_all
    from ..explore.points import front
    from ..explore.rates import parse_rates
    from ..explore.workers import open_workers
    from ..files import check_writable
    from ..models import find_network
    from ..report.exploration import exploration_tables

    terminal = Terminal(as_json, quiet)
    found = {network.hash(): network for network in map(find_network, networks)}
    chosen = [find_board(name).name for name in _board_names(boards)]
    rates, numbers, count = parse_rates(fps), _seed_numbers(seeds), _count(build)
    figure = _plot_path(plot, output, terminal)
    check_writable(output)
    with (
        open_workers(jobs or _default_jobs(terminal), scheduler) as workers,
        terminal.progress("explore") as bar,
    ):
        points, unreached = plan_all(
            list(found.values()), chosen, rates, workers, clock_mhz=clock, progress=bar.steps
        )
        if not points:
            raise DoesNotFitError(unreached[0].reason, unreached[0].hint)
        exploration = Exploration(points, front(points), unreached)
        written = exploration.write(output)
        if figure is not None:
            from ..report.front_plot import plot_exploration

            plot_exploration(exploration, figure, " and ".join(n.name for n in found.values()))
            written.append(figure)
        if count:
            _build(exploration, count, numbers, workers, output, use_cache, bar)
    terminal.json(exploration.description())
    exploration_tables(terminal, exploration, every_point=every_point)
    for path in written:
        terminal.wrote(path)


def _build(
    exploration: Exploration,
    count: int,
    seeds: Sequence[int],
    workers: Workers,
    folder: Path,
    use_cache: bool,
    bar: Bar,
) -> None:
    """Builds `count` points of the front; what is known so far is written after each seed."""
    from ..explore.builds import BuildStore, build_points
    from ..explore.points import spread

    chosen = spread(exploration.front, count)
    store = BuildStore(folder)
    for built in build_points(
        chosen, seeds, workers, store, use_cache=use_cache, progress=bar.steps
    ):
        exploration.add(built)
        exploration.write(folder)


def _board_names(text: str) -> list[str]:
    """Names of boards, each once."""
    from ...boards import BOARDS

    if text.strip().lower() == "all":
        return list(BOARDS)
    return list(dict.fromkeys(name.strip().lower() for name in text.split(",")))


def _seed_numbers(text: str) -> list[int]:
    """Seeds, each once, rising."""
    try:
        return sorted({int(word) for word in text.split(",")})
    except ValueError as error:
        raise UnknownNameError(
            f"--seeds {text}: not numbers", "Give whole numbers with commas, for example 1,2,3."
        ) from error


def _count(text: str | None) -> int:
    """How many points to build."""
    if text is None:
        return 0
    if text.strip().lower() == "all":
        return sys.maxsize
    if not text.strip().isdigit() or int(text) == 0:
        raise UnknownNameError(
            f"--build {text}: not a number of points", "Give a number from 1 on, or all."
        )
    return int(text)


def _plot_path(asked: Path | None, folder: Path, terminal: Terminal) -> Path | None:
    """Where the plot goes; None where none was asked for and it cannot be made."""
    if asked is not None or find_spec("matplotlib") is not None:
        path = asked or folder / "front.svg"
        if path.suffix.lower() not in (".svg", ".png"):
            raise OutputError(
                f"{path}: a plot cannot be written as {path.suffix or 'a file without suffix'}",
                "Name a .svg or .png file.",
            )
        from ..report import front_plot  # noqa: F401 - needs matplotlib, which is missed now rather than after the planning

        return path
    terminal.say("no plot: matplotlib is not installed (pip install 'rbonn[explore]')")
    return None


def _default_jobs(terminal: Terminal) -> int:
    """The cores that this process may use; 1 where there is no Dask."""
    if find_spec("distributed") is None:
        terminal.say("one after the other: Dask is not installed (pip install 'rbonn[explore]')")
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
