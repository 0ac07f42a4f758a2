"""The command `rbonn simulate`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from ..terminal import Terminal
from .arguments import (
    AsJson,
    BoardName,
    Clock,
    Folder,
    Forms,
    Fps,
    ImagesFrom,
    NetworkName,
    PlanFile,
    Quiet,
    Simulator,
)


def simulate(
    network: NetworkName,
    board: BoardName,
    images: Annotated[
        int, typer.Option("--images", "-n", min=1, help="How many sample images.")
    ] = 10,
    images_from: ImagesFrom = None,
    level: Annotated[
        Literal["rtl", "netlist", "bitstream"],
        typer.Option(
            help="rtl: the generated Verilog, on every edge; netlist: after place and route, bitstream: unpacked again, both through the pins."
        ),
    ] = "rtl",
    link: Annotated[
        bool,
        typer.Option("--link", help="The whole top level, through its serial line, as a board."),
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the random stalls.")] = 1,
    simulator: Simulator = None,
    forms: Forms = None,
    output: Folder = None,
    plan_file: PlanFile = None,
    fps: Fps = None,
    clock: Clock = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Simulate with cocotb and compare with the golden model: the generated Verilog on every edge, or what was built of it through its pins."""
    from ...sim import Stalls
    from ...sim.accelerator import simulate_accelerator
    from ...sim.levels import check_bitstream, check_netlist
    from ...sim.top_level import simulate_top_level
    from ..project import Project
    from ..report.tables import link_lines, simulation_lines
    from ..report.verification import level_lines

    terminal = Terminal(as_json, quiet)
    if level != "rtl" and (link or forms is not None):
        raise typer.BadParameter("goes with --level rtl", param_hint="--link or --forms")
    project = Project.find(network, board, plan_file=plan_file, fps=fps, clock_mhz=clock)
    chosen = project.images(images, images_from)
    folder = output or project.folder
    built = None
    if level != "rtl":
        with terminal.progress("build") as bar:
            built = project.build(folder, progress=bar.fraction)
    folder /= (
        f"simulation-{level}" if level != "rtl" else "simulation-link" if link else "simulation"
    )
    with terminal.progress("simulate") as bar:
        if built is not None:
            check = {"netlist": check_netlist, "bitstream": check_bitstream}[level]
            result = check(
                project, built, chosen, folder=folder, simulator=simulator, progress=bar.steps
            )
            used, lines = "device", level_lines(result)
        elif link:
            result = simulate_top_level(
                project.network,
                project.top(),
                chosen,
                folder=folder,
                simulator=simulator,
                progress=bar.steps,
            )
            used, lines = "device", link_lines(result)
        else:
            used, elaboration = project.simulated(forms)
            result = simulate_accelerator(
                project.network,
                elaboration,
                chosen,
                folder=folder,
                stalls=Stalls(seed=seed),
                simulator=simulator,
                progress=bar.steps,
            )
            lines = simulation_lines(result, project.summary.initiation_interval_cycles)
            lines.append(f"simulated in {used} forms")
    terminal.json({"schema": 1, **asdict(result), "forms": used})
    for line in lines:
        terminal.result(line)
    if result.mismatches:
        raise typer.Exit(1)
