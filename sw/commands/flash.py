"""The command `rbonn flash`."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from ..terminal import Terminal
from .arguments import BoardName, Folder, NetworkName, Quiet


def flash(
    network: NetworkName,
    board: BoardName,
    output: Folder = None,
    volatile: Annotated[
        bool, typer.Option("--volatile", help="Load the FPGA only; gone at power-off.")
    ] = False,
    cable: Annotated[
        str | None,
        typer.Option(help="Cable of your own, as 'openFPGALoader --list-cables' calls it."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the command only.")] = False,
    quiet: Quiet = False,
) -> None:
    """Write the bitstream that 'rbonn build' made to the board."""
    from ..build.design import TOP
    from ..build.flash import flash
    from ..build.target import find_board
    from ..models import find_network
    from ..project import default_folder

    terminal = Terminal(quiet=quiet)
    target, loaded = find_board(board), find_network(network)
    folder = output or default_folder(loaded.name, target.name)
    command = flash(
        target,
        folder / f"{TOP}{target.bitstream_suffix}",
        name=loaded.name,
        source_hash=loaded.hash(),
        volatile=volatile,
        cable=cable,
        dry_run=dry_run,
        echo=terminal.say,
    )
    terminal.result(shlex.join(command))
