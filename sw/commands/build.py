"""The command `rbonn build`."""

from __future__ import annotations

from typing import Annotated

import typer

from ..terminal import Terminal
from .arguments import (
    AsJson,
    BoardName,
    Folder,
    Fps,
    NetworkName,
    PlanFile,
    Quiet,
    Traced,
    megahertz,
)


def build(
    network: NetworkName,
    board: BoardName,
    output: Folder = None,
    plan_file: PlanFile = None,
    fps: Fps = None,
    clock: Annotated[
        str | None,
        typer.Option(
            "--clock",
            help="Clock in MHz, or max: the highest that is met [default: the board's].",
            metavar="MHZ|max",
        ),
    ] = None,
    clock_limit: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=1000,
            metavar="MHZ",
            help="Highest clock that --clock max tries [default: 1.5 times the board's].",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Places and routes of each clock that --clock max tries.")
    ] = 3,
    seed: Annotated[
        int | None,
        typer.Option(
            help="The seed of place and route, with --clock max the first one [default: 1; 2 and 3 where it finds no place or nearly meets the clock]."
        ),
    ] = None,
    trace: Traced = None,
    use_cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Reuse finished builds of the same design.")
    ] = True,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Build the bitstream with yosys and nextpnr; exit status 1 where it is too slow for the clock."""
    from ..fastest import build_fastest
    from ..project import Project
    from ..report.tables import build_table

    terminal = Terminal(as_json, quiet)
    highest = clock == "max"
    if clock_limit is not None and not highest:
        raise typer.BadParameter("it is for --clock max", param_hint="--clock-limit")
    clock_mhz = None if highest else megahertz(clock)
    project = Project.find(
        network, board, plan_file=plan_file, fps=fps, clock_mhz=clock_mhz, traced=trace or ()
    )
    folder = output or project.folder
    with terminal.progress("build") as bar:
        if highest:
            result = build_fastest(
                project,
                folder,
                limit_hz=None if clock_limit is None else round(clock_limit * 1e6),
                seed=1 if seed is None else seed,
                seeds=seeds,
                use_cache=use_cache,
                progress=bar.fraction,
                say=terminal.say,
            )
        else:
            result = project.build(folder, seed=seed, use_cache=use_cache, progress=bar.fraction)
    terminal.json(result.description())
    build_table(terminal, result)
    terminal.wrote(result.bitstream)
    if not result.timing_met:
        raise typer.Exit(1)
