"""The command `rbonn generate`."""

from __future__ import annotations

from typing import Annotated

import typer

from ..terminal import Terminal
from .arguments import BoardName, Clock, Folder, Fps, NetworkName, PlanFile, Quiet


def generate(
    network: NetworkName,
    board: BoardName,
    output: Folder = None,
    core: Annotated[
        bool, typer.Option("--core", help="The accelerator alone, without link and pins.")
    ] = False,
    plan_file: PlanFile = None,
    fps: Fps = None,
    clock: Clock = None,
    quiet: Quiet = False,
) -> None:
    """Write the Verilog: top.v as it is synthesised for the board, or the accelerator alone."""
    from ..project import Project

    terminal = Terminal(quiet=quiet)
    project = Project.find(network, board, plan_file=plan_file, fps=fps, clock_mhz=clock)
    with terminal.progress("generate") as bar:
        bar.fraction("elaborating", 0)
        path = project.write_verilog(output or project.folder, core=core)
    terminal.wrote(path)
