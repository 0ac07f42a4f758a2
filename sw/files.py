"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from .errors import OutputError


def check_writable(folder: Path) -> None:
    """Checks, before long work, that its results can be written into `folder`; leaves nothing behind.

    Raises
    ------
    OutputError - it cannot be made or written (the reason is named)
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder, prefix=".probe."):
            pass
    except OSError as error:
        raise _output_error(folder, error) from error
    finally:
        _remove_empty(folder, existing)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`; renames it to `path` when the block ends, removes it when the block raises.

    Creates missing parent folders. Works for anything that writes by path.

    Raises
    ------
    OutputError - the file cannot be written: no such folder, no right, no space (the reason is named)
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # NamedTemporaryFile creates private files
        temporary.replace(path)
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _output_error(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path}: cannot be written ({error.strerror or error})",
        "Name another place with '--output', or make room or rights there.",
    )


def _remove_empty(folder: Path, existing: Path) -> None:
    """Removes the empty folders from `folder` up to `existing`."""
    while (
        folder.is_dir() and folder.absolute() != existing.absolute() and not any(folder.iterdir())
    ):
        folder.rmdir()
        folder = folder.parent
