"""What people look at while a training runs: history.json, history.svg and event files in its folder."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType

from ..report.training_plots import plot_history
from .events import TrainingEvents
from .history import HISTORY, History

PLOT = "history.svg"
EVENTS = "events"
_PLOT_SECONDS = 60.0


class TrainingRecord:
    """Context manager that keeps a training's files up to date with its history; the plot once a minute and at the end.

    Parameters
    ----------
    folder : Path - of the training
    history : History - grows while the training runs
    title : str - of the plot
    writes : bool - False: does nothing, for all processes of a training but the first
    """

    def __init__(self, folder: Path, history: History, title: str, *, writes: bool) -> None:
        self._folder = folder
        self._history = history
        self._title = title
        self._events = TrainingEvents(folder / EVENTS, history) if writes else None
        self._plotted = time.monotonic()

    def __enter__(self) -> TrainingRecord:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._events is None:
            return
        self._events.close()
        if len(self._history) and not isinstance(error, Exception):  # after Ctrl-C, too
            self._history.save(self._folder / HISTORY)
            self._plot()

    def add_last(self) -> None:
        """Records the history's last epoch. Raises OutputError where that cannot be written."""
        if self._events is None:
            return
        self._events.add(self._history[-1])
        self._history.save(self._folder / HISTORY)
        if time.monotonic() - self._plotted >= _PLOT_SECONDS:
            self._plot()

    def _plot(self) -> None:
        plot_history(self._history, self._folder / PLOT, self._title)
        self._plotted = time.monotonic()
