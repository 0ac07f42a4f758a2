"""What the command line shows: results on stdout, everything else on stderr, bars only on a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

FILE_COLUMNS = 120
"""Width of tables that go to a file or a pipe."""


@dataclass(slots=True)
class Terminal:
    """Output of one command.

    Parameters
    ----------
    as_json : bool - results are one JSON value on stdout instead of text
    quiet : bool - nothing on stderr but errors
    """

    as_json: bool = False
    quiet: bool = False
    out: Console = field(default_factory=lambda: _console(stderr=False))
    err: Console = field(default_factory=lambda: _console(stderr=True))

    def say(self, text: str) -> None:
        """A line of text for the person who waits."""
        if not self.quiet:
            self.err.print(text, markup=False)

    def wrote(self, path: Path) -> None:
        """Names a file that was written."""
        self.say(f"wrote {path}")

    def result(self, text: str) -> None:
        """A line of the result, as text; nothing where the result is JSON."""
        if not self.as_json:
            self.out.print(text, markup=False)

    def json(self, value: Any) -> None:
        """The result as JSON; nothing where it is text."""
        if self.as_json:
            print(json.dumps(value, indent=2))

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """The result as a table; numbers are set to the right. Nothing where the result is JSON."""
        if self.as_json:
            return
        rows = [list(row) for row in rows]
        table = Table(title=title, title_justify="left")
        for index, column in enumerate(columns):
            numeric = all(isinstance(row[index], int | float | None) for row in rows)
            table.add_column(column, justify="right" if numeric else "left")
        for row in rows:
            table.add_row(*(_cell(value) for value in row))
        self.out.print(table)

    @contextmanager
    def progress(self, task: str) -> Iterator[Bar]:
        """A bar on stderr while the block runs; lines where stderr is no terminal; nothing when quiet."""
        if self.quiet or not self.err.is_terminal:
            yield Bar(task, None, None if self.quiet else self)
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.err, transient=True) as bars:
            yield Bar(task, bars, self)


class Bar:
    """Progress of one task: called with what is being done and how far it is."""

    def __init__(self, task: str, bars: Progress | None, terminal: Terminal | None) -> None:
        self._task = task
        self._bars = bars
        self._terminal = terminal
        self._row = bars.add_task(task, total=1.0) if bars else None
        self._last = ""

    def fraction(self, what: str, done: float) -> None:
        """`done` from 0 to 1."""
        if self._bars is not None and self._row is not None:
            self._bars.update(self._row, description=f"{self._task}: {what}", completed=done)
        elif self._terminal is not None and what != self._last:
            self._terminal.say(f"{self._task}: {what}")
        self._last = what

    def steps(self, what: str, done: int, of: int) -> None:
        """`done` steps of `of`."""
        self.fraction(what, done / max(of, 1))


def _console(*, stderr: bool) -> Console:
    """A console as wide as the terminal; wide enough for every table where there is none."""
    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = FILE_COLUMNS
    return console


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}".replace(",", " ") if isinstance(value, int) else str(value)
