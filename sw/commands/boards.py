"""The command `rbonn boards`."""

from __future__ import annotations

from ..terminal import Terminal
from .arguments import AsJson


def boards(as_json: AsJson = False) -> None:
    """List the boards that can be built for."""
    from ...boards import BOARDS

    rows = [
        {
            "schema": 1,
            "name": board.name,
            "family": board.family,
            "device": board.device,
            "lut4": board.capacity.lut4,
            "block_rams": board.capacity.block_rams,
            "clock_hz": board.clock_hz,
            "link": board.link,
            "link_via": board.uart.via,
            "memory": board.memory,
            "programmers": board.programming.names,
        }
        for board in BOARDS.values()
    ]
    terminal = Terminal(as_json)
    terminal.json(rows)
    terminal.table(
        "Boards",
        ["name", "family", "device", "LUT4", "block RAMs", "clock MHz", "link", "written by"],
        (
            [*list(row.values())[1:6], row["clock_hz"] / 1e6, row["link"], row["programmers"][0]]
            for row in rows
        ),
    )
