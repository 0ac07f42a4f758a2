"""Event files that TensorBoard reads: the numbers of each epoch, while the training goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from tensorboardX.proto.event_pb2 import Event, SessionLog  # pyright: ignore - made at run time
from tensorboardX.record_writer import RecordWriter
from tensorboardX.summary import scalar

from ..errors import OutputError
from .history import EpochRecord

TAGS = {
    "loss": "loss",
    "train_accuracy": "accuracy/training",
    "selection_accuracy": "accuracy/selection",
    "learning_rate": "learning_rate",
    "sign_flip_ratio": "sign_flip_ratio",
    "active_channel_ratio": "active_channel_ratio",
    "stage": "stage",
    "seconds": "seconds",
}
"""Fields of an epoch's record to TensorBoard's names; what is before a slash groups."""

_FILES = "events.out.tfevents.*"
_FILE_VERSION = "brain.Event:2"


class TrainingEvents:
    """Writes a training's epochs as TensorBoard scalars; the step is the epoch. A context manager.

    The file of a resumed training is written anew from its history, and then older files in `folder` are emptied: epochs that an interrupted
    training logged after its last checkpoint leave no points behind, in any reader. A TensorBoard that watches meanwhile drops what
    it has from the first epoch on, as the file begins with a session's start (the purge step of other writers).

    Every epoch is on the disk when `add` returns: there is no thread and no queue. Wall times are those at which epochs would have ended
    in one go, so that TensorBoard's relative axis is training time without pauses.

    Parameters
    ----------
    folder : Path - for the event files alone
    history : Iterable[EpochRecord] - the epochs done so far, none for a new training

    Raises
    ------
    OutputError - the folder or the file cannot be written (the reason is named)
    """

    def __init__(self, folder: Path, history: Iterable[EpochRecord] = ()) -> None:
        self._folder = folder
        self._last_epoch = 0
        records = list(history)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            older = sorted(folder.glob(_FILES))
            self._writer = RecordWriter(str(_next_file(folder, older)))
            with ExitStack() as on_failure:
                on_failure.callback(self.close)
                self._begin(time.time() - sum(record.seconds for record in records), records)
                for path in older:
                    _drop(path)
                on_failure.pop_all()
        except OSError as error:
            raise _output_error(folder, error) from error

    def _begin(self, start: float, records: list[EpochRecord]) -> None:
        """Writes the header, the order to purge, and all `records`, whose first epoch began at `start` (seconds since 1970)."""
        self._write(Event(wall_time=start, file_version=_FILE_VERSION))
        purge = SessionLog(status=SessionLog.START)
        self._write(Event(wall_time=start, step=0, session_log=purge))
        for record in records:
            start += record.seconds
            self._write_record(record, start)
        self._writer.flush()

    def add(self, record: EpochRecord) -> None:
        """Writes an epoch that has just ended.

        Raises
        ------
        ValueError - the epoch is not later than the last one
        OutputError - the disk is full or the like (the reason is named)
        """
        try:
            self._write_record(record, time.time())
            self._writer.flush()
        except OSError as error:
            raise _output_error(self._folder, error) from error

    def close(self) -> None:
        self._writer.close()

    def __enter__(self) -> TrainingEvents:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _write_record(self, record: EpochRecord, wall_time: float) -> None:
        if record.epoch <= self._last_epoch:
            raise ValueError(f"Epoch must be above {self._last_epoch}, not {record.epoch!r}")
        self._last_epoch = record.epoch
        for field, tag in TAGS.items():
            summary = scalar(tag, getattr(record, field))
            self._write(Event(wall_time=wall_time, step=record.epoch, summary=summary))

    def _write(self, event: Event) -> None:
        self._writer.write(event.SerializeToString())


def _next_file(folder: Path, older: list[Path]) -> Path:
    """A new file whose name comes after all older ones: readers go through a folder in the order of names."""
    number = time.time_ns()
    newest = older[-1].name.rpartition(".")[2] if older else ""
    if newest.isdecimal():
        number = max(number, int(newest) + 1)  # the clock may have been set back
    return folder / _FILES.replace("*", f"{number:020}")


def _drop(path: Path) -> None:
    """Empties an event file, or removes an empty one: a watching TensorBoard stays for ever at a file that vanishes, but leaves an empty one."""
    if path.stat().st_size:
        os.truncate(path, 0)
    else:
        path.unlink()


def _output_error(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{folder}: event files cannot be written ({error.strerror or error})",
        "Make room or rights there, or name another place with '--output'.",
    )
