"""The command `rbonn report`."""

from __future__ import annotations

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
    folder = output or default_folder(find_network(network).name, find_board(board).name)
    built = read_report(folder)
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
        terminal.result(f"not verified: no {VERIFICATION} of this bitstream; run 'rbonn verify'")
