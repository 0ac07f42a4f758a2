"""What a training did, epoch by epoch: the numbers behind its plots and event files."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ConfigDict, FiniteFloat, TypeAdapter, ValidationError

from ..errors import InputFileError
from ..files import written_whole

FORMAT = "rbonn.history"
SCHEMA = 1
HISTORY = "history.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRecord:
    """One finished epoch.

    Parameters
    ----------
    epoch : int - counted from 1, over all stages
    stage : int - which one the epoch belongs to, counted from 0
    loss : float - mean over the epoch's steps
    train_accuracy : float - share of the epoch's augmented training images that were right when their step came
    selection_accuracy : float - share of the selection images that are right after the epoch
    learning_rate : float - of the epoch's first step
    sign_flip_ratio : float - share of the binary weights whose sign differs from that an epoch ago; 0 where there are none
    active_channel_ratio : float - share of the binary layers' channels that the recurrent step corrected in the epoch's last step
    seconds : float - the epoch took, evaluation included
    """

    epoch: int
    stage: int = 0
    loss: float
    train_accuracy: float
    selection_accuracy: float
    learning_rate: float
    sign_flip_ratio: float = 0.0
    active_channel_ratio: float = 0.0
    seconds: float


COLUMNS = tuple(field.name for field in dataclasses.fields(EpochRecord))
_ADAPTER = TypeAdapter(dict[str, list[FiniteFloat]], config=ConfigDict(strict=True))


class History:
    """The records of a training's epochs in order, without gaps.

    Parameters
    ----------
    records : Iterable[EpochRecord] - the first may be any epoch, each later one is the next

    Raises
    ------
    ValueError - an epoch below 1, or one that does not follow the one before
    """

    def __init__(self, records: Iterable[EpochRecord] = ()) -> None:
        self._records: list[EpochRecord] = []
        for record in records:
            self.append(record)

    def append(self, record: EpochRecord) -> None:
        """Adds the next epoch. Raises ValueError where it is another one."""
        expected = self._records[-1].epoch + 1 if self._records else max(record.epoch, 1)
        if record.epoch != expected:
            raise ValueError(f"Epoch must be {expected}, not {record.epoch!r}")
        self._records.append(record)

    def __iter__(self) -> Iterator[EpochRecord]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> EpochRecord:
        return self._records[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and self._records == other._records

    __hash__ = None  # type: ignore[assignment] - it grows

    def column(self, name: str) -> list[float]:
        """One number of all epochs, by the name of its field."""
        return [getattr(record, name) for record in self._records]

    def stage_starts(self) -> list[int]:
        """The epochs with which a stage begins, but the first recorded one."""
        pairs = zip(self._records, self._records[1:], strict=False)
        return [after.epoch for before, after in pairs if before.stage != after.stage]

    def to_json(self) -> str:
        """One list per column; floats come back to the bit. Raises ValueError where one is NaN or infinite."""
        columns = {name: self.column(name) for name in COLUMNS}
        return json.dumps({"format": FORMAT, "schema": SCHEMA, **columns}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str, source: str = "history") -> History:
        """The history that `to_json` wrote; `source` names it in errors.

        Raises
        ------
        InputFileError - no JSON, another format or schema, columns that are missing, unknown or of unequal lengths, or epochs with gaps
        """
        hint = "The file is damaged or made by another version: name one written by 'rbonn train'."
        try:
            values = json.loads(text)
            if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
                raise InputFileError(f"{source}: not a training's history", hint)
            if (schema := values.pop("schema", None)) != SCHEMA:
                raise InputFileError(
                    f"{source}: schema {schema!r}, this program reads {SCHEMA}", hint
                )
            columns = _ADAPTER.validate_python(values)
            if columns.keys() != set(COLUMNS):
                wrong = ", ".join(sorted(columns.keys() ^ set(COLUMNS)))
                raise InputFileError(f"{source}: missing or unknown columns: {wrong}", hint)
            rows = zip(*(columns[name] for name in COLUMNS), strict=True)
            return cls(_record(dict(zip(COLUMNS, row, strict=True))) for row in rows)
        except (ValueError, ValidationError) as error:
            reason = str(error).splitlines()[0]
            raise InputFileError(f"{source}: not a training's history ({reason})", hint) from error

    def save(self, path: Path) -> None:
        """Writes `to_json`; the file appears whole or not at all. Raises OutputError where it cannot be written."""
        with written_whole(path) as temporary:
            temporary.write_text(self.to_json() + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> History:
        """Reads a file that `save` wrote. Raises InputFileError where it is missing or as `from_json` does."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputFileError(
                f"{path}: cannot be read ({error})", "Name a history.json written by 'rbonn train'."
            ) from error
        return cls.from_json(text, str(path))


def _record(values: dict[str, float]) -> EpochRecord:
    """A record whose integers are integers again. Raises ValueError where they have a fraction."""
    integers = {name: int(values[name]) for name in ("epoch", "stage")}
    for name, value in integers.items():
        if value != values[name]:
            raise ValueError(f"{name} is {values[name]}, not an integer")
    return EpochRecord(**(values | integers))  # type: ignore[arg-type] - epoch and stage are int
