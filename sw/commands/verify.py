"""The command `rbonn verify`."""

from __future__ import annotations

from typing import Annotated

import typer

from ..terminal import Terminal
from .arguments import (
    AsJson,
    BoardName,
    Clock,
    Folder,
    Fps,
    ImagesFrom,
    NetworkName,
    PlanFile,
    Quiet,
    Simulator,
)


def verify(
    network: NetworkName,
    board: BoardName,
    images: Annotated[
        int, typer.Option("--images", "-n", min=1, help="Sample images for the Verilog.")
    ] = 10,
    images_from: ImagesFrom = None,
    chip_images: Annotated[
        int, typer.Option(min=1, help="How many of them go through the pins of what was built.")
    ] = 5,
    simulator: Simulator = None,
    output: Folder = None,
    plan_file: PlanFile = None,
    fps: Fps = None,
    clock: Clock = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Build, and compare Verilog, netlist and bitstream with the golden model; exit status 1 where one differs or timing is missed. What cannot be run here is no failure, but keeps the build from being signed off."""
    from ...sim.verification import verify as verify_levels
    from ..project import Project
    from ..report.verification import save_verification, verification_table

    terminal = Terminal(as_json, quiet)
    project = Project.find(network, board, plan_file=plan_file, fps=fps, clock_mhz=clock)
    chosen = project.images(max(images, chip_images), images_from)
    folder = output or project.folder
    with terminal.progress("build") as bar:
        built = project.build(folder, progress=bar.fraction)
    with terminal.progress("verify") as bar:
        verification = verify_levels(
            project,
            built,
            chosen[:images],
            chosen[:chip_images],
            folder=folder,
            simulator=simulator,
            progress=bar.steps,
        )
    path = save_verification(verification, folder)
    terminal.json(verification.description())
    verification_table(terminal, verification)
    terminal.wrote(path)
    if verification.found_faults:
        raise typer.Exit(1)
