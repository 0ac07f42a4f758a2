"""Rows of a long measurement, kept line by line, so that it goes on where it stopped as long as its sources are the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def source_digest(files: Iterable[Path]) -> str:
    """Of the contents of all files, whatever their order."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def finished(work: Path, key: str) -> Iterator[Row]:
    """Rows in the file `work` that were made under `key`; a line that was not written to its end is left out."""
    for line in work.read_text().splitlines() if work.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if row["key"] == key:
            yield row
