"""Files that somebody publishes: found in a folder or fetched, and never used without their SHA-256."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import urllib.request
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import DatasetError

ENVIRONMENT_VARIABLE = "RBONN_DATA"

_GIVE_THE_FOLDER = f"Give the folder of the files with --data or {ENVIRONMENT_VARIABLE}, or neither to download them."
_FETCH_AGAIN = "The file is damaged or of another data set: remove it and fetch it again."
_TIMEOUT_S = 30.0
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file's `name` and the `sha256` (hexadecimal) of its contents: of what a .gz unpacks to, which every compression shares."""

    name: str
    sha256: str


class DownloadFailed(Exception):
    """An address that does not give the published file; the text says why. The caller may have another address."""


def find_files(
    folder: Path, places: Iterable[str], files: Iterable[PublishedFile], archive: str = ""
) -> dict[str, Path]:
    """The paths of `files` by name, plain or compressed (.gz), each in the first of `places` below `folder` that has it.

    Parameters
    ----------
    folder : Path
    places : iterable of str - relative paths, "" for `folder` itself
    files : iterable of PublishedFile
    archive : str - name of the archive in which they are published; where it lies in `folder`, the hint is to unpack it

    Raises
    ------
    DatasetError - `folder` is none, or files are in none of the places: one error names all of them, its hint their checksums
    """
    if not folder.is_dir():
        raise DatasetError(
            f"{folder}: is a file, not a folder"
            if folder.exists()
            else f"{folder}: no such folder",
            _GIVE_THE_FOLDER,
        )
    places = tuple(places)
    found: dict[str, Path] = {}
    missing: list[PublishedFile] = []
    for file in files:
        candidates = (
            folder / place / name for place in places for name in (file.name, f"{file.name}.gz")
        )
        path = next((path for path in candidates if path.is_file()), None)
        if path is None:
            missing.append(file)
        else:
            found[file.name] = path
    if missing:
        names = ", ".join(file.name for file in missing)
        below = " or ".join(place for place in places if place)
        sums = ", ".join(f"{file.name} {file.sha256}" for file in missing)
        raise DatasetError(
            f"{folder}: no file {names}, there or in {below}",
            f"Unpack {archive} there."
            if archive and (folder / archive).is_file()
            else f"{_GIVE_THE_FOLDER} SHA-256 of the contents: {sums}.",
        )
    return found


def read_with_digest(path: Path, file: PublishedFile) -> tuple[bytes, str]:
    """The contents of `path`, unpacked where it is a .gz, and their SHA-256 in hexadecimal.

    Raises
    ------
    DatasetError - it cannot be read or unpacked (both say the checksum of the published `file`, the latter that of what lies there, too)
    """
    try:
        contents = path.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"{path}: cannot be read ({error.strerror or error}); published is a file with SHA-256 {file.sha256} of its contents",
            "Make the file readable, or remove it and fetch it again.",
        ) from error
    if path.suffix == ".gz":
        try:
            contents = gzip.decompress(contents)
        except (OSError, EOFError, zlib.error) as error:
            actual = hashlib.sha256(contents).hexdigest()
            raise DatasetError(
                f"{path}: cannot be unpacked ({error}); SHA-256 of the file as it is: {actual}, of the contents published: {file.sha256}",
                _FETCH_AGAIN,
            ) from error
    return contents, hashlib.sha256(contents).hexdigest()


def read_checked(path: Path, file: PublishedFile) -> bytes:
    """The contents of `path`, which are those of the published `file`.

    Raises
    ------
    DatasetError - the file cannot be read, or has another checksum (both are named)
    """
    contents, actual = read_with_digest(path, file)
    if actual != file.sha256:
        raise checksum_error(path, actual, file)
    return contents


def checksum_error(path: Path, actual: str, file: PublishedFile) -> DatasetError:
    """The error for a `path` whose contents have the SHA-256 `actual` and not that of `file`."""
    return DatasetError(
        f"{path}: SHA-256 of the contents is {actual}, published is {file.sha256}",
        _FETCH_AGAIN,
    )


def unreadable_error(path: Path, error: Exception) -> DatasetError:
    """The error for a `path` that `error` keeps from being read or unpacked."""
    return DatasetError(f"{path}: cannot be read ({error})", "Remove the file and fetch it again.")


def fetch(address: str) -> Iterator[bytes]:
    """What lies at an https address, in chunks of at most 1 MiB.

    Raises
    ------
    DownloadFailed - no answer, or it breaks off with an error
    """
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT_S) as answer:
            while chunk := answer.read(_CHUNK_BYTES):
                yield chunk
    except (OSError, http.client.HTTPException) as error:
        raise DownloadFailed(f"{address}: {error}") from error
