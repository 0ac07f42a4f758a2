"""MNIST: 70 000 handwritten digits of 28 x 28 pixels, from its four idx files.

Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits, 1998.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from ..errors import DatasetError
from ..files import written_whole
from .dataset import Dataset, Split
from .published_file import (
    ENVIRONMENT_VARIABLE,
    DownloadFailed,
    PublishedFile,
    fetch,
    find_files,
    read_checked,
)

logger = logging.getLogger(__name__)

IMAGE_SHAPE = (28, 28, 1)
CLASS_NAMES = tuple("0123456789")

_PLACES = ("MNIST/raw", "raw", "", "mnist")
_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
# SHA-256 of the unpacked contents, which do not depend on how a mirror compressed them.
_FILES = (
    PublishedFile(
        "train-images-idx3-ubyte",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    PublishedFile(
        "train-labels-idx1-ubyte",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    PublishedFile(
        "t10k-images-idx3-ubyte",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    PublishedFile(
        "t10k-labels-idx1-ubyte",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)


def read_mnist(folder: Path) -> Dataset:
    """MNIST from the idx files in `folder`, compressed (.gz) or not: there, or in MNIST/raw, raw or mnist below it.

    Raises
    ------
    DatasetError - files are missing (all of them are named), or one is truncated or has another checksum than the published one
    """
    paths = find_files(folder, _PLACES, _FILES)
    train_images, train_labels, test_images, test_labels = (
        parse_idx(read_checked(paths[file.name], file)).copy()  # writable, unlike the file's bytes
        for file in _FILES
    )
    return Dataset(
        "mnist",
        CLASS_NAMES,
        Split(train_images[..., None], train_labels),
        Split(test_images[..., None], test_labels),
    )


def download_mnist(folder: Path) -> None:
    """Fetches the files that `folder` does not have yet; each appears whole and checked, or not at all.

    Raises
    ------
    DatasetError - no mirror gives a file (what each answered is named)
    OutputError - `folder` cannot be written
    """
    for file in _FILES:
        path = folder / f"{file.name}.gz"
        if path.is_file() or (folder / file.name).is_file():
            continue
        logger.info("Downloading %s into %s", path.name, folder)
        contents = _fetch(file)
        with written_whole(path) as temporary:
            temporary.write_bytes(contents)


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


def _fetch(file: PublishedFile) -> bytes:
    """The compressed `file` from the first mirror that has it right. Raises DatasetError with each mirror's failure."""
    name = f"{file.name}.gz"
    failures = []
    for mirror in _MIRRORS:
        try:
            contents = b"".join(fetch(mirror + name))
            actual = hashlib.sha256(gzip.decompress(contents)).hexdigest()
        except DownloadFailed as error:
            failures.append(str(error))
            continue
        except (OSError, EOFError, zlib.error) as error:
            failures.append(f"{mirror}{name}: {error}")
            continue
        if actual == file.sha256:
            return contents
        failures.append(
            f"{mirror}{name}: SHA-256 of the contents is {actual}, published is {file.sha256}"
        )
    raise DatasetError(
        f"{name} cannot be downloaded ({'; '.join(failures)})",
        f"Fetch the MNIST files another way and give their folder with --data or {ENVIRONMENT_VARIABLE}.",
    )
