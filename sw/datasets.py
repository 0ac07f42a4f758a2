"""Image data sets as NumPy arrays: MNIST from its idx files, found in a folder or downloaded, always checked by SHA-256.

The folder is the one given, else the environment variable RBONN_DATA, else the user's cache folder, which is filled from public mirrors
on first use. A folder given by the user is never written to.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import importlib.resources
import logging
import math
import os
import struct
import urllib.request
import zlib
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import platformdirs

from .errors import DatasetError, UnknownNameError
from .files import written_whole

logger = logging.getLogger(__name__)

DATASETS = ("mnist",)
ENVIRONMENT_VARIABLE = "RBONN_DATA"

_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_TIMEOUT_S = 30.0

# SHA-256 of the unpacked contents, which do not depend on how a mirror compressed them.
_TRAIN_IMAGES = (
    "train-images-idx3-ubyte",
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
)
_TRAIN_LABELS = (
    "train-labels-idx1-ubyte",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
)
_TEST_IMAGES = (
    "t10k-images-idx3-ubyte",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
)
_TEST_LABELS = (
    "t10k-labels-idx1-ubyte",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Labelled images: `images` (n, height, width, channels) uint8, `labels` (n,) uint8."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A training and a test set with the names of the classes, label 0 first."""

    name: str
    class_names: tuple[str, ...]
    train: Split
    test: Split


def load_dataset(name: str, folder: Path | None = None) -> Dataset:
    """The data set called `name`.

    Parameters
    ----------
    name : str - ``mnist``
    folder : Path or None - where its files lie: FOLDER, FOLDER/raw or FOLDER/MNIST/raw with idx files, compressed (.gz) or not; None for
        RBONN_DATA or, where that is not set, the user's cache folder

    Raises
    ------
    UnknownNameError - no such data set
    DatasetError - a file is missing, truncated, or has another checksum than the published one, or cannot be downloaded
    """
    if name not in DATASETS:
        raise UnknownNameError(
            f"Data set {name!r} does not exist", f"Known are {', '.join(DATASETS)}."
        )
    if folder is None and (value := os.environ.get(ENVIRONMENT_VARIABLE)):
        folder = Path(value)
    if folder is None:
        folder = cache_folder(name)
        _download(folder)
    return Dataset(
        name,
        tuple("0123456789"),
        Split(_read(folder, *_TRAIN_IMAGES)[..., None], _read(folder, *_TRAIN_LABELS)),
        Split(_read(folder, *_TEST_IMAGES)[..., None], _read(folder, *_TEST_LABELS)),
    )


def mnist_samples() -> Split:
    """The first 100 images of MNIST's test set, which ship with the program; no folder and no download is needed."""
    resource = importlib.resources.files("rbonn.models").joinpath("mnist_samples.npz")
    with importlib.resources.as_file(resource) as path:
        return load_samples(path)


def load_samples(path: Path) -> Split:
    """Images and labels from an .npz file with the arrays ``images`` (n, h, w, c) uint8 and ``labels`` (n,) uint8.

    Raises
    ------
    DatasetError - the file is missing, damaged, or holds other arrays
    """
    hint = "Install the program again, or name a file with the arrays 'images' and 'labels'."
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            split = Split(file["images"], file["labels"])
    except (OSError, ValueError, KeyError, EOFError, AttributeError, BadZipFile) as error:
        raise DatasetError(f"{path}: not a readable sample file ({error})", hint) from error
    if (
        split.images.dtype != np.uint8
        or split.labels.dtype != np.uint8
        or split.images.ndim != 4
        or split.labels.shape != split.images.shape[:1]
    ):
        raise DatasetError(
            f"{path}: images {split.images.dtype} {split.images.shape} and labels {split.labels.dtype} {split.labels.shape} do not belong together",
            hint,
        )
    return split


def cache_folder(name: str) -> Path:
    """Where downloaded files of the data set `name` are kept, as the platform has it."""
    return platformdirs.user_cache_path("rbonn", appauthor=False) / name


def parse_idx(contents: bytes) -> np.ndarray:
    """The array in an idx file of unsigned bytes, as uint8 with the file's shape.

    Format: two zero bytes, 0x08 (unsigned byte), the number of axes, each axis as a big-endian 32-bit length, then the values.
    Raises ValueError where `contents` is something else or has another length than it states.
    """
    if len(contents) < 4 or contents[:3] != b"\0\0\x08":
        raise ValueError("not an idx file of unsigned bytes")
    start = 4 + 4 * contents[3]
    if len(contents) < start:
        raise ValueError("truncated idx header")
    shape = struct.unpack(f">{contents[3]}I", contents[4:start])
    if len(contents) - start != math.prod(shape):
        raise ValueError(f"{len(contents) - start} bytes of values where {shape} is stated")
    return np.frombuffer(contents, np.uint8, offset=start).reshape(shape)


def _read(folder: Path, name: str, sha256: str) -> np.ndarray:
    """The array in the idx file `name`, found in one of the usual places under `folder`, plain or compressed."""
    path = _find(folder, name)
    try:
        contents = path.read_bytes()
        if path.suffix == ".gz":
            contents = gzip.decompress(contents)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(
            f"{path}: cannot be read ({error})", "Remove the file and fetch it again."
        ) from error
    actual = hashlib.sha256(contents).hexdigest()
    if actual != sha256:
        raise DatasetError(
            f"{path}: SHA-256 of the contents is {actual}, published is {sha256}",
            "The file is damaged or of another data set: remove it and fetch it again.",
        )
    return parse_idx(contents)


def _find(folder: Path, name: str) -> Path:
    for place in (folder / "MNIST" / "raw", folder / "raw", folder):
        for path in (place / name, place / f"{name}.gz"):
            if path.is_file():
                return path
    raise DatasetError(
        f"{folder}: no file {name} or {name}.gz, there or in MNIST/raw",
        f"Give the folder of the MNIST files with --data or {ENVIRONMENT_VARIABLE}, or neither to download them.",
    )


def _download(folder: Path) -> None:
    """Fetch the files that `folder` does not have yet; each appears whole and checked, or not at all."""
    for name, sha256 in (_TRAIN_IMAGES, _TRAIN_LABELS, _TEST_IMAGES, _TEST_LABELS):
        path = folder / f"{name}.gz"
        if path.is_file() or (folder / name).is_file():
            continue
        logger.info("Downloading %s into %s", path.name, folder)
        contents = _fetch(path.name, sha256)
        with written_whole(path) as temporary:
            temporary.write_bytes(contents)


def _fetch(name: str, sha256: str) -> bytes:
    """The compressed file `name` from the first mirror that has it right. Raises DatasetError with each mirror's failure."""
    failures = []
    for mirror in _MIRRORS:
        try:
            with urllib.request.urlopen(mirror + name, timeout=_TIMEOUT_S) as answer:
                contents = answer.read()
            actual = hashlib.sha256(gzip.decompress(contents)).hexdigest()
        except (OSError, EOFError, zlib.error, http.client.HTTPException) as error:
            failures.append(f"{mirror}: {error}")
            continue
        if actual == sha256:
            return contents
        failures.append(f"{mirror}: SHA-256 of the contents is {actual}, published is {sha256}")
    raise DatasetError(
        f"{name} cannot be downloaded ({'; '.join(failures)})",
        f"Fetch the MNIST files another way and give their folder with --data or {ENVIRONMENT_VARIABLE}.",
    )
