"""Progress of a training on stderr: a bar with a time estimate on a terminal, a log line per epoch anywhere."""

from __future__ import annotations

import logging
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

logger = logging.getLogger(__name__)


class TrainingProgress:
    """Context manager that counts steps.

    Parameters
    ----------
    name : str - of what is trained
    n_steps, done_steps : int - steps of the whole training, and those done before a resume
    quiet : bool - no bar, also on a terminal
    """

    def __init__(self, name: str, n_steps: int, done_steps: int, *, quiet: bool) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._progress.add_task(name, total=n_steps, completed=done_steps, note="")

    def __enter__(self) -> TrainingProgress:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def step(self) -> None:
        self._progress.advance(self._task)

    def epoch(self, note: str) -> None:
        """Show `note` beside the bar, and log it."""
        self._progress.update(self._task, note=note)
        logger.info("%s", note)
