"""The plot of an exploration: what frame rates cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..explore.files import Exploration
from ..explore.points import Point
from .figures import STYLE, save_figure

_SIZE_INCHES = (9.0, 5.6)
_MARKERS = "osD^vP*X"


def plot_exploration(exploration: Exploration, path: Path, title: str = "") -> None:
    """Lookup tables against frames per second, both logarithmic: a colour for each network, a marker for each board; the front is filled.

    Parameters
    ----------
    path : Path - .svg or .png; appears whole or not at all

    Raises
    ------
    OutputError - another file type, or the file cannot be written
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
        axis = figure.subplots()
        _plot_points(axis, exploration)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel("frames per second, planned")
        axis.set_ylabel("LUT4, estimated")
        axis.set_title(title, fontsize=10)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize=8)
        save_figure(figure, path)


def _plot_points(axis: Axes, exploration: Exploration) -> None:
    labels = list(dict.fromkeys(point.request.label for point in exploration.points))
    boards = list(dict.fromkeys(point.request.board for point in exploration.points))
    groups: dict[tuple[str, str], list[Point]] = {}
    for point in exploration.points:
        groups.setdefault((point.request.label, point.request.board), []).append(point)
    best = {point.name for point in exploration.front}
    for (label, board), points in groups.items():
        colour = f"C{labels.index(label) % 10}"
        marker = _MARKERS[boards.index(board) % len(_MARKERS)]
        axis.plot(
            *_coordinates(points),
            color=colour,
            marker=marker,
            markerfacecolor="none",
            linewidth=0.8,
            alpha=0.7,
            label=_legend(points[0]),
        )
        kept = [point for point in points if point.name in best]
        axis.plot(*_coordinates(kept), color=colour, marker=marker, linestyle="")


def _coordinates(points: Sequence[Point]) -> tuple[list[float], list[int]]:
    return [point.frames_per_second for point in points], [point.lut4 for point in points]


def _legend(point: Point) -> str:
    accuracy = "" if point.accuracy is None else f", {100 * point.accuracy:.2f} %"
    return f"{point.request.label}{accuracy}, {point.request.board}"
