"""The command `rbonn models`."""

from __future__ import annotations

from ..terminal import Terminal
from .arguments import AsJson


def models(as_json: AsJson = False) -> None:
    """List the networks that ship with the program."""
    from ..models import model_names, model_summary

    rows = [model_summary(name) for name in model_names()]
    terminal = Terminal(as_json)
    terminal.json(rows)
    terminal.table(
        "Shipped networks",
        ["name", "data set", "right %", "float %", "tested on", "weight bits", "MACs"],
        (
            [
                row["name"],
                row["dataset"],
                f"{100 * row['accuracy_integer']:.2f}",
                f"{100 * row['accuracy_float']:.2f}",
                row["test_images"],
                row["weight_bits"],
                row["binary_macs"],
            ]
            for row in rows
        ),
    )
