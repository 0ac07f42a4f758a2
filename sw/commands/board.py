"""The command `rbonn board`."""

from __future__ import annotations

from ..terminal import Terminal
from .arguments import (
    AsJson,
    BoardName,
    Clock,
    Folder,
    Forms,
    Fps,
    NetworkName,
    PlanFile,
    Quiet,
    Traced,
)


def board(
    network: NetworkName,
    board: BoardName = "icebreaker",
    output: Folder = None,
    forms: Forms = None,
    plan_file: PlanFile = None,
    fps: Fps = None,
    clock: Clock = None,
    trace: Traced = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Simulate a whole board behind a serial port, which is printed, until Ctrl-C: 'rbonn run --port' works with it as with a board."""
    from ...sim.virtual_board import VirtualBoard, virtual_top
    from ..project import Project

    terminal = Terminal(as_json, quiet)
    project = Project.find(
        network, board, plan_file=plan_file, fps=fps, clock_mhz=clock, traced=trace or ()
    )
    with terminal.progress("board") as bar:
        folder = (output or project.folder) / "board"
        simulated = VirtualBoard(virtual_top(project, forms), folder, bar.steps)
    with simulated:
        terminal.json({"schema": 1, "network": project.network.name, "port": simulated.port})
        terminal.result(simulated.port)
        options = [f"--clock {clock:g}"] if clock is not None else []
        options += [f"--trace {edge}" for edge in trace or ()]
        run = ["rbonn run", network, "--board", project.board.name, "--port", simulated.port]
        terminal.say(f"try: {' '.join([*run, *options, 'IMAGE.png'])}")
        simulated.wait()
