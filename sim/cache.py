"""Keeps compiled simulations, by the content of what they were compiled from."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

MAXIMUM_ENTRIES = 48
"""Compiled simulations kept; the one unused for longest goes first. One takes about 3 MB."""


def cache_folder() -> Path:
    """``$RBONN_CACHE``, else ``$XDG_CACHE_HOME/rbonn``, else ``~/.cache/rbonn``."""
    if folder := os.environ.get("RBONN_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rbonn"


def key_of(*parts: str) -> str:
    """A name for the content of `parts`: 32 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(f"{len(data)}:".encode() + data)
    return digest.hexdigest()[:32]


def cached(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """Folder of the entry `key` of `kind`; `make` fills an empty folder if there is none yet.

    The entry appears whole or not at all; two processes may make the same one at a time.
    """
    root = cache_folder() / kind
    entry = root / key
    if not entry.is_dir():
        root.mkdir(parents=True, exist_ok=True)
        temporary = Path(mkdtemp(prefix=".making-", dir=root))
        try:
            make(temporary)
            temporary.chmod(0o755)
            try:
                temporary.rename(entry)
            except OSError:
                if not entry.is_dir():
                    raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        _forget_oldest(root, entry)
    os.utime(entry)
    return entry


def stored(kind: str, key: str) -> list[Path]:
    """The files of the entry `key` of `kind`; none if there is no such entry."""
    entry = cache_folder() / kind / key
    return sorted(entry.iterdir()) if entry.is_dir() else []


def _forget_oldest(root: Path, newest: Path) -> None:
    ages = []
    for entry in root.iterdir():
        try:
            if not entry.name.startswith(".") and entry != newest:
                ages.append((entry.stat().st_mtime, entry))
        except FileNotFoundError:  # another process has just removed it
            continue
    for _, entry in sorted(ages)[: max(0, len(ages) + 1 - MAXIMUM_ENTRIES)]:
        shutil.rmtree(entry, ignore_errors=True)
