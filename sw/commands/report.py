"""The command `rbonn report`."""

from __future__ import annotations

from ..errors import InputFileError
from ..terminal import Terminal
from .arguments import AsJson, BoardName, Folder, NetworkName


def report(
    network: NetworkName,
    board: BoardName,
    output: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Show what 'rbonn build' and 'rbonn verify' found of a network on a board."""
    from ..build.result import read_report
    from ..build.target import find_board
    from ..models import find_network
    from ..project import default_folder
    from ..report.tables import build_table
    from ..report.verification import VERIFICATION, of_build, verification_table

    terminal = Terminal(as_json)
    loaded, target = find_network(network), find_board(board)
    folder = output or default_folder(loaded.name, target.name)
    built = read_report(folder)
    if (built.source_hash, built.board) != (loaded.hash(), target.name):
        raise InputFileError(
            f"{folder}: a build of {built.name} for {built.board}, not of this {loaded.name} for {target.name}",
            "Name the network and the board that were built, or another folder.",
        )
    verification = of_build(folder, built)
    terminal.json(
        {
            "schema": 1,
            "build": built.description(),
            "verification": verification and verification.description(),
        }
    )
    build_table(terminal, built)
    if verification is not None:
        verification_table(terminal, verification)
    else:
        terminal.result(f"not verified: no {VERIFICATION} of these files; run 'rbonn verify'")
