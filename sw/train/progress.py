"""Progress of a training on stderr: a bar with a time estimate on a terminal, a log line per epoch anywhere."""

from __future__ import annotations

import logging
from pathlib import Path
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

from .history import EpochRecord
from .training_state import Position

logger = logging.getLogger(__name__)


class TrainingProgress:
    """Context manager that counts steps.

    Parameters
    ----------
    name : str - of what is trained
    n_epochs : int
    epoch_steps, done_steps : int - steps of an epoch, and those of the training that were done before a resume
    quiet : bool - no bar, also on a terminal
    """

    def __init__(
        self, name: str, n_epochs: int, epoch_steps: int, done_steps: int, *, quiet: bool
    ) -> None:
        self._n_epochs = n_epochs
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
        self._task = self._progress.add_task(
            name, total=n_epochs * epoch_steps, completed=done_steps, note=""
        )

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

    def epoch(self, record: EpochRecord, position: Position) -> None:
        """Show the epoch's accuracy beside the bar, and log what it gave."""
        best = f", best {100 * position.selection_accuracy:.2f} %" if position.best_epoch else ""
        self._progress.update(
            self._task, note=f"selection {100 * record.selection_accuracy:.2f} %{best}"
        )
        left = (self._n_epochs - record.epoch) * record.seconds
        logger.info(
            "epoch %d/%d: loss %.4f, training %.2f %%, selection %.2f %%%s, flips %.3f %%, active %.1f %%, %.1f s, %s left",
            record.epoch,
            self._n_epochs,
            record.loss,
            100 * record.train_accuracy,
            100 * record.selection_accuracy,
            best,
            100 * record.sign_flip_ratio,
            100 * record.active_channel_ratio,
            record.seconds,
            duration(left),
        )


def say_stopped(kept: Position | None, last: Path) -> None:
    """One line for who stopped a training: how far the state in the file `last` is (None: it was not written yet), and how to go on."""
    if kept is None:
        logger.warning("stopped before the first checkpoint was written; start again")
        return
    place = f"in step {kept.step} of epoch {kept.epoch + 1}"
    if not kept.step:
        place = f"after epoch {kept.epoch}"
    logger.warning("stopped %s; the state is in %s; go on with --resume", place, last)


def duration(seconds: float) -> str:
    """Hours and minutes, or seconds below a minute."""
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
