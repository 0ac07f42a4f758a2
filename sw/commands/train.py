"""The command `rbonn train`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..terminal import Terminal
from .arguments import AsJson, DataFolder, Quiet


def train(
    experiment: Annotated[
        str, typer.Argument(help="A shipped experiment, or the path of an experiment file.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the run [default: runs/EXPERIMENT]."),
    ] = None,
    data: DataFolder = None,
    resume: Annotated[bool, typer.Option(help="Go on where an earlier run stopped.")] = False,
    summary: Annotated[
        bool, typer.Option("--summary", help="Only show what the network consists of.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a network from an experiment file. Under torchrun, all its processes train it together."""
    from ..report.network_table import network_table
    from ..report.tables import training_lines
    from ..train import experiment_summary, find_experiment, is_main_process, load_experiment, train

    terminal = Terminal(as_json, quiet)
    path = find_experiment(experiment)
    if summary:
        described = load_experiment(path)
        layers = experiment_summary(described)
        terminal.json({"schema": 1, "name": described.name, **asdict(layers)})
        network_table(terminal, described.title, layers)
        return
    result = train(path, output or Path("runs") / path.stem, data, resume=resume, quiet=quiet)
    if not is_main_process():
        return
    terminal.json({"schema": 1, **asdict(result), "checkpoint": str(result.checkpoint)})
    for line in training_lines(result):
        terminal.result(line)
    terminal.wrote(result.checkpoint)
