"""A cache of finished builds, keyed by everything that decides their result.

It lies in ``RBONN_CACHE``, or in the user's cache folder. Entries appear whole (a folder is filled under another name, then
renamed) and are checked when they are read, so that any number of processes can use it at once and a damaged entry is only
a miss. The oldest entries go when there is more than `LIMIT_BYTES`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

LIMIT_BYTES = 2_000_000_000
_MANIFEST = "manifest.json"


def cache_folder() -> Path:
    """Where the project keeps what it can make again: ``RBONN_CACHE``, or ``rbonn`` in the user's cache folder."""
    if folder := os.environ.get("RBONN_CACHE"):
        return Path(folder).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "rbonn"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "rbonn" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rbonn"


def key_of(parts: Iterable[str]) -> str:
    """Hexadecimal digest of `parts`; different lists of strings have different digests."""
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's contents, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on `path` (made where missing); waits while another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            import fcntl
        except ImportError:  # Windows: without the lock, work may be done twice
            yield
            return
        fcntl.flock(file, fcntl.LOCK_EX)  # closing the file releases it
        yield


class BuildCache:
    """Folders of files by key.

    Parameters
    ----------
    folder : Path | None - where the entries lie; None: ``builds`` in `cache_folder`
    limit_bytes : int - the oldest entries go when all together are larger
    """

    def __init__(self, folder: Path | None = None, limit_bytes: int = LIMIT_BYTES) -> None:
        self.folder = cache_folder() / "builds" if folder is None else folder
        self.limit_bytes = limit_bytes

    def fetch(self, key: str, destination: Path) -> bool:
        """Copies the entry's files into the existing folder `destination`.

        Returns
        -------
        bool - False where there is no entry or it is damaged; `destination` may then hold some of its files
        """
        entry = self.folder / key
        try:
            manifest: dict[str, str] = json.loads((entry / _MANIFEST).read_text())
            for name, digest in manifest.items():
                shutil.copyfile(entry / name, destination / name)
                if file_digest(destination / name) != digest:
                    return False
            os.utime(entry)
        except (OSError, ValueError, AttributeError):
            return False
        return True

    def store(self, key: str, files: Iterable[Path]) -> None:
        """Copies `files` into the entry `key`; a healthy entry that is there already stays.

        A cache that cannot be written (full disk, no permission) is no failure: nothing is stored.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(dir=self.folder, prefix=f".{key[:16]}."))
        except OSError:
            return
        try:
            manifest = {}
            for path in files:
                shutil.copyfile(path, temporary / path.name)
                manifest[path.name] = file_digest(temporary / path.name)
            (temporary / _MANIFEST).write_text(json.dumps(manifest))
            entry = self.folder / key
            if entry.exists() and not self._is_healthy(entry):
                shutil.rmtree(entry, ignore_errors=True)
            temporary.rename(entry)
        except OSError:
            pass  # another process stored it first, or the disk is full
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self._prune()

    @staticmethod
    def _is_healthy(entry: Path) -> bool:
        try:
            manifest: dict[str, str] = json.loads((entry / _MANIFEST).read_text())
            return all(file_digest(entry / name) == digest for name, digest in manifest.items())
        except (OSError, ValueError, AttributeError):
            return False

    def _prune(self) -> None:
        """Removes the entries used longest ago until the rest is within the limit; also what killed processes left."""
        sizes: list[tuple[float, int, Path]] = []
        for entry in self.folder.iterdir():
            try:
                modified = entry.stat().st_mtime
                if entry.name.startswith("."):
                    if time.time() - modified > 3_600:
                        shutil.rmtree(entry, ignore_errors=True)
                    continue
                sizes.append((modified, sum(f.stat().st_size for f in entry.iterdir()), entry))
            except OSError:
                continue  # another process removed it
        total = sum(size for _, size, _ in sizes)
        for _, size, entry in sorted(sizes)[:-1]:
            if total <= self.limit_bytes:
                break
            shutil.rmtree(entry, ignore_errors=True)
            total -= size
