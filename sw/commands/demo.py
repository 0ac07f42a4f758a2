"""The command `rbonn demo`: the whole way once, for a shipped network, without a board."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from ..terminal import Terminal
from .arguments import BoardName, Folder, Quiet

SIMULATED_IMAGES = 10
LINK_IMAGES = 4


def demo(
    network: Annotated[
        str, typer.Argument(help="A shipped model, or a network file.")
    ] = "mnist_cnn_1w1a",
    board: BoardName = "icebreaker",
    output: Folder = None,
    quiet: Quiet = False,
) -> None:
    """Everything once, without a board: golden model, plan, Verilog, simulation, bitstream, one answer."""
    from ...sim.accelerator import simulate_accelerator
    from ...sim.top_level import simulate_top_level
    from ..models import samples_of
    from ..network.golden import GoldenModel
    from ..plan.plan import save_plan
    from ..project import Project
    from ..report.drawing import draw
    from ..report.tables import build_table, link_lines, plan_table, simulation_lines

    terminal = Terminal(quiet=quiet)
    start = monotonic()
    with terminal.progress("plan") as bar:
        bar.fraction("choosing the folding", 0)
        project = Project.find(network, board)
    folder = output or project.folder
    samples = samples_of(project.network)

    terminal.result(f"1. Golden model: {project.network.name}, integers only, in PyTorch")
    answers = GoldenModel(project.network).run(samples.images)
    right = int((answers.labels.numpy() == samples.labels).sum())
    terminal.result(f"{right} of {len(samples)} sample images right")

    terminal.result("\n2. Plan: what each layer computes per cycle, and what it costs")
    plan_table(terminal, project.summary)
    save_plan(project.plan, folder / "plan.json")
    terminal.wrote(folder / "plan.json")

    terminal.result("\n3. Verilog, written by Amaranth")
    with terminal.progress("generate") as bar:
        bar.fraction("writing Verilog", 0)
        terminal.wrote(project.write_verilog(folder))

    terminal.result("\n4. Simulation: the Verilog against the golden model, with random stalls")
    with terminal.progress("simulate") as bar:
        simulated = simulate_accelerator(
            project.network,
            project.elaboration,
            samples.images[:SIMULATED_IMAGES],
            folder=folder / "simulation",
            progress=bar.steps,
        )
    for line in simulation_lines(simulated, project.summary.initiation_interval_cycles):
        terminal.result(line)

    terminal.result("\nand once more as a board does it: bits on the pins of the serial line")
    with terminal.progress("simulate") as bar:
        conversed = simulate_top_level(
            project.network,
            project.top(),
            samples.images[:LINK_IMAGES],
            folder=folder / "simulation-link",
            progress=bar.steps,
        )
    for line in link_lines(conversed):
        terminal.result(line)

    terminal.result(f"\n5. Bitstream for {project.board.title}")
    with terminal.progress("build") as bar:
        built = project.build(folder, progress=bar.fraction)
    build_table(terminal, built)
    terminal.wrote(built.bitstream)

    terminal.result("\n6. One image and its answer")
    for line in draw(samples.images[0]):
        terminal.result(line)
    scores = ", ".join(
        f"{name}: {score}"
        for name, score in zip(project.network.class_names, answers.scores[0].tolist(), strict=True)
    )
    terminal.result(f"label {project.network.class_names[int(answers.labels[0])]}; scores {scores}")

    terminal.result(f"\nDone in {monotonic() - start:.0f} s. With a board on the desk:")
    program = "rbonn" if shutil.which("rbonn") else str(Path(sys.executable).parent / "rbonn")
    terminal.result(f"  {program} flash {network} --board {project.board.name}")
    terminal.result(f"  {program} run {network} --board {project.board.name} --port PORT IMAGE.png")
    if simulated.mismatches or conversed.mismatches or not built.timing_met:
        raise typer.Exit(1)
