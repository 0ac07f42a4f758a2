"""Plots of trainings: loss, accuracy, sign flips and corrected channels over the epochs, of one training or of several side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .figures import STYLE, save_figure

if TYPE_CHECKING:
    from ..train.history import History

_SIZE_INCHES = (10.0, 6.4)


@dataclass(frozen=True, slots=True)
class _Panel:
    """`lines` are (column of the history, label, line style), the last one what comparisons show; `unit` is what 1 is drawn as."""

    title: str
    lines: tuple[tuple[str, str, str], ...]
    unit: float = 1.0
    logarithmic: bool = False
    from_zero: bool = False
    zoomed: bool = False


_PANELS = (
    _Panel("loss", (("loss", "training", "-"),), zoomed=True),
    _Panel(
        "accuracy, %",
        (("train_accuracy", "training", "--"), ("selection_accuracy", "selection", "-")),
        unit=100,
        zoomed=True,
    ),
    _Panel(
        "sign flips per epoch, % of binary weights",
        (("sign_flip_ratio", "sign flips", "-"),),
        unit=100,
        logarithmic=True,
        from_zero=True,
    ),
    _Panel(
        "channels the recurrent step corrects, %",
        (("active_channel_ratio", "corrected", "-"),),
        unit=100,
        from_zero=True,
    ),
)


def plot_history(history: History, path: Path, title: str = "") -> None:
    """Four panels of one training, stage borders marked.

    Parameters
    ----------
    history : History - may be empty
    path : Path - .svg or .png; appears whole or not at all
    title : str - above the panels

    Raises
    ------
    OutputError - another file type, or the file cannot be written
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = _panels(title)
        epochs = history.column("epoch")
        for panel, axis in zip(_PANELS, axes, strict=True):
            for (column, label, style), colour in zip(panel.lines, ("C0", "C1"), strict=False):
                values = panel.unit * np.array(history.column(column))
                axis.plot(
                    epochs, values, style, color=colour, label=label, marker=_marker(len(epochs))
                )
            _mark_stages(axis, history)
            _finish(panel, axis, legend=len(panel.lines) > 1)
        save_figure(figure, path)


def plot_comparison(
    histories: Mapping[str, Sequence[History]], path: Path, title: str = ""
) -> None:
    """Four panels of several trainings, each a mean over its runs (seeds) and a band of one standard deviation to both sides.

    A mean covers the epochs that all runs of its name have; of one run there is no band. The deviation is that of a sample (n - 1). Loss and
    selection accuracy are drawn as large as their later half allows, where trainings differ by little; accuracy on training images is left out.

    Parameters
    ----------
    histories : Mapping[str, Sequence[History]] - name in the legend to runs; stage borders are those of the first run of all
    path, title - as in `plot_history`

    Raises
    ------
    ValueError - a name without runs
    OutputError - another file type, or the file cannot be written
    """
    empty = [name for name, runs in histories.items() if not runs]
    if empty:
        raise ValueError(f"Runs must be one at least, {empty[0]!r} has none")
    with matplotlib.rc_context(STYLE):
        figure, axes = _panels(title)
        for panel, axis in zip(_PANELS, axes, strict=True):
            bands = [
                _plot_spread(panel, axis, name, runs, f"C{number % 10}")
                for number, (name, runs) in enumerate(histories.items())
            ]
            if histories:
                _mark_stages(axis, next(iter(histories.values()))[0])
            if panel.zoomed:
                _zoom(axis, bands)
            _finish(panel, axis, legend=axis is axes[0])
            if len(panel.lines) > 1:
                axis.set_title(f"{panel.lines[-1][1]} {axis.get_title()}", fontsize=9)
        save_figure(figure, path)


def mean_and_deviation(
    runs: Sequence[History], column: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Over the epochs that all `runs` have: (epochs, mean, standard deviation of a sample), each (epochs,); of one run the deviation is 0."""
    by_epoch = [dict(zip(run.column("epoch"), run.column(column), strict=True)) for run in runs]
    epochs = sorted(set.intersection(*(set(values) for values in by_epoch)))
    values = np.array([[run[epoch] for epoch in epochs] for run in by_epoch])  # (runs, epochs)
    deviation = values.std(axis=0, ddof=1) if len(runs) > 1 else np.zeros(len(epochs))
    return np.array(epochs), values.mean(axis=0), deviation


def _plot_spread(
    panel: _Panel, axis: Axes, name: str, runs: Sequence[History], colour: str
) -> np.ndarray:
    """Draws the mean of one name's runs in one panel, and the band around it; the band's ends, (2, epochs)."""
    epochs, mean, deviation = mean_and_deviation(runs, panel.lines[-1][0])
    mean, deviation = panel.unit * mean, panel.unit * deviation
    label = f"{name} ({len(runs)} runs)" if len(runs) > 1 else name
    axis.plot(epochs, mean, color=colour, label=label, marker=_marker(len(epochs)))
    if len(runs) > 1:
        axis.fill_between(
            epochs, mean - deviation, mean + deviation, color=colour, alpha=0.2, linewidth=0
        )
    return np.stack([mean - deviation, mean + deviation])


def _zoom(axis: Axes, bands: Sequence[np.ndarray]) -> None:
    """Limits the values' axis to what the bands, each (2, epochs), cover in their later half, and a margin."""
    later = [band[:, band.shape[1] // 2 :].ravel() for band in bands if band.size]
    if later:
        values = np.concatenate(later)
        margin = 0.1 * (values.max() - values.min()) or 0.01 * abs(values.max()) or 1.0
        axis.set_ylim(values.min() - margin, values.max() + margin)


def _panels(title: str) -> tuple[Figure, list[Axes]]:
    """A figure of its own, without pyplot's global state, and its four axes."""
    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    if title:
        figure.suptitle(title)
    return figure, list(figure.subplots(2, 2, sharex=True).flat)


def _mark_stages(axis: Axes, history: History) -> None:
    """A dotted line before each epoch that starts a stage."""
    for epoch in history.stage_starts():
        axis.axvline(epoch - 0.5, color="0.4", linestyle=":", linewidth=1)


def _finish(panel: _Panel, axis: Axes, *, legend: bool) -> None:
    axis.set_title(panel.title, fontsize=9)
    axis.set_xlabel("epoch")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.xaxis.set_tick_params(labelbottom=True)
    if panel.logarithmic:
        axis.set_yscale("symlog", linthresh=0.01)  # a stage with real weights has no flips
    if panel.from_zero:
        axis.set_ylim(bottom=0)
    if legend and axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=8)


def _marker(n_epochs: int) -> str:
    """One epoch alone has no line to be seen."""
    return "o" if n_epochs == 1 else ""
