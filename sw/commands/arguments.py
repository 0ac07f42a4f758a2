"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

NetworkName = Annotated[str, typer.Argument(help="A shipped model, or the path of a network file.")]
BoardName = Annotated[str, typer.Option("--board", "-b", help="One of 'rbonn boards'.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing on stderr but errors.")]
PlanFile = Annotated[Path | None, typer.Option("--plan", help="A plan written by 'rbonn plan -o'.")]
Folder = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Folder of the results [default: build/NETWORK-BOARD]."),
]
Fps = Annotated[
    float | None,
    typer.Option("--fps", min=0, help="Frames per second to reach; as many as fit otherwise."),
]
Clock = Annotated[
    float | None,
    typer.Option("--clock", min=0.1, max=1000, help="Clock in MHz [default: the board's]."),
]
Traced = Annotated[
    list[str] | None,
    typer.Option("--trace", help="Edge of the network that the board records; as often as wanted."),
]
ImagesFrom = Annotated[
    Path | None,
    typer.Option(
        help="Images from a .npy file, a picture or a folder of pictures [default: the shipped samples]."
    ),
]
Simulator = Annotated[
    str | None, typer.Option(help="verilator or icarus [default: the first that is installed].")
]
Forms = Annotated[
    Literal["device", "portable"] | None,
    typer.Option(
        help="device: cell by cell; portable: arithmetic in the cells' place [default: portable for large designs]."
    ),
]
DataFolder = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Folder of the data set's files [default: $RBONN_DATA, or downloaded]."
    ),
]


def megahertz(text: str | None) -> float | None:
    """A clock as a user writes it where words are allowed too. Raises typer.BadParameter where it is none."""
    try:
        clock = None if text is None else float(text)
    except ValueError:
        clock = 0.0
    if clock is not None and not 0.1 <= clock <= 1000:
        raise typer.BadParameter(
            f"{text!r} is neither 'max' nor a number of MHz from 0.1 to 1000", param_hint="--clock"
        )
    return clock
