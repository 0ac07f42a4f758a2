"""The command `rbonn lower`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..terminal import Terminal
from .arguments import AsJson, DataFolder, Quiet


def lower(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint written by 'rbonn train'.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The network file to write.")],
    module: Annotated[
        str | None, typer.Option(help="Your own module, as package.file:Class or file.py:Class.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Data set to compare on [default: the checkpoint's].")
    ] = None,
    command: Annotated[
        str, typer.Option(help="How the network was trained, stored in the network file.")
    ] = "",
    stream_bits: Annotated[
        int | None,
        typer.Option(min=4, max=24, help="Width of a residual network's stream [default: 16]."),
    ] = None,
    stream_fraction: Annotated[
        int | None,
        typer.Option(
            min=-16,
            max=24,
            help="Fractional bits of it [default: as many as training images allow].",
        ),
    ] = None,
    head_bits: Annotated[
        int | None,
        typer.Option(min=2, max=16, help="Width of what its last layer reads [default: 8]."),
    ] = None,
    data: DataFolder = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Turn a trained checkpoint into an integer network, and compare the two on the whole test set."""
    from ..lower import FixedPoint, ResidualAgreement
    from ..lower.export import export
    from ..report.stream_errors import stream_error_table
    from ..report.tables import agreement_lines

    widths = {"stream_bits": stream_bits, "stream_fraction": stream_fraction, "head_bits": head_bits}  # fmt: skip
    chosen = {name: value for name, value in widths.items() if value is not None}
    terminal = Terminal(as_json, quiet)
    with terminal.progress("lower") as bar:
        agreement = export(
            checkpoint,
            output,
            module=module,
            dataset=dataset,
            data=data,
            command=command,
            fixed_point=FixedPoint(**chosen) if chosen else None,
            progress=bar.steps,
        )
    terminal.wrote(output)
    terminal.json(
        {"schema": 1, "network": str(output), **(agreement.metadata() if agreement else {})}
    )
    if isinstance(agreement, ResidualAgreement):
        stream_error_table(terminal, agreement)
        return
    lines = agreement_lines(agreement) if agreement else ["no data set given: nothing was compared"]
    for line in lines:
        terminal.result(line)
