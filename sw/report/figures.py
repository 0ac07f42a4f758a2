"""How figures look, and how they become files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ..errors import OutputError
from ..files import written_whole

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "rbonn",  # the same data make the same file
    "svg.fonttype": "none",  # text stays text: smaller, and it can be searched for
    "font.size": 9,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
"""For `matplotlib.rc_context`."""

_DOTS_PER_INCH = 120  # of PNG files


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a figure in the format of the path's suffix, .svg or .png; the file appears whole or not at all.

    Raises
    ------
    OutputError - another suffix, or the file cannot be written
    """
    kind = path.suffix.removeprefix(".").lower()
    if kind not in ("svg", "png"):
        raise OutputError(
            f"{path}: a plot cannot be written as {path.suffix or 'a file without suffix'}",
            "Name a .svg or .png file.",
        )
    metadata = {"Date": None} if kind == "svg" else {}
    with written_whole(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=_DOTS_PER_INCH, metadata=metadata)
