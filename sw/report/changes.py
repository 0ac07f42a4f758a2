"""What is said of a network that does not fit: the smallest changes with which it would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from ..build.target import find_board
from ..errors import RbonnError
from ..models import find_network
from ..plan.changes import smallest_changes
from ..terminal import Terminal

SCHEMA = 1


def with_changes(
    terminal: Terminal,
    error: RbonnError,
    network_name: str,
    board_name: str,
    frames_per_second: float | None,
    clock_mhz: float | None,
) -> RbonnError:
    """`error` with the smallest changes as its hint; they are the result where that is JSON."""
    network, board = find_network(network_name), find_board(board_name)
    with _waiting(terminal):
        changes = smallest_changes(
            network, board, clock_mhz=clock_mhz, frames_per_second=frames_per_second
        )
    terminal.json(
        {
            "schema": SCHEMA,
            "fits": False,
            "network": network.name,
            "board": board.name,
            "reason": error.message,
            "changes": [asdict(change) for change in changes],
        }
    )
    if not changes:
        return type(error)(error.message, f"{error.hint} No other board or shipped network fits.")
    return type(error)(
        error.message, f"It would fit with {_or([c.text(network) for c in changes])}."
    )


@contextmanager
def _waiting(terminal: Terminal) -> Iterator[None]:
    """Says what takes so long to a person who waits; an error has two lines and no more where nobody does."""
    if not terminal.err.is_terminal:
        yield
        return
    with terminal.progress("plan") as bar:
        bar.fraction("looking for what would fit", 0)
        yield


def _or(parts: list[str]) -> str:
    """An enumeration of alternatives."""
    return " or ".join(parts) if len(parts) < 3 else f"{', '.join(parts[:-1])}, or {parts[-1]}"
