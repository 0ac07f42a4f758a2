"""The command `rbonn plan`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..errors import DoesNotFitError, PlanError
from ..terminal import Terminal
from .arguments import AsJson, BoardName, Clock, Fps, NetworkName, Quiet


def plan(
    network: NetworkName,
    board: BoardName,
    fps: Fps = None,
    clock: Clock = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the plan to this file.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Choose the folding of every layer, and say what it costs, how fast it is, and what keeps it from being faster."""
    from ..plan.limits import limits_of
    from ..plan.plan import save_plan
    from ..plan.roofline import roofline
    from ..project import Project
    from ..report.changes import with_changes
    from ..report.tables import plan_table

    terminal = Terminal(as_json, quiet)
    try:
        project = Project.find(network, board, fps=fps, clock_mhz=clock)
    except (DoesNotFitError, PlanError) as error:
        raise with_changes(terminal, error, network, board, fps, clock) from error
    if output is not None:
        save_plan(project.plan, output)
        terminal.wrote(output)
    limits = limits_of(
        project.network, project.plan, project.board, project.elaboration, project.options
    )
    roof = roofline(project.network, project.board, project.elaboration, project.plan.clock_hz)
    proof = project.summary.proof
    terminal.json(
        {
            "schema": 1,
            "fits": True,
            **asdict(project.summary),
            "proof": proof and {**asdict(proof), "is_optimal": proof.is_optimal, "gap": proof.gap},
            "limits": asdict(limits),
            "roofline": {**asdict(roof), "share": roof.share, "roof": roof.roof},
        }
    )
    plan_table(terminal, project.summary, limits, roof)
