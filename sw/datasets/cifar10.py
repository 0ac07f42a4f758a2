"""CIFAR-10: 60 000 colour photographs of 32 x 32 pixels in ten classes, from the six files of its binary version.

A. Krizhevsky, Learning multiple layers of features from tiny images, 2009; https://www.cs.toronto.edu/~kriz/cifar.html

A file is a row of records of 3 073 bytes: the label, then 1 024 red, 1 024 green and 1 024 blue values, each plane row by row.
"""

from __future__ import annotations

import hashlib
import logging
import tarfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ..errors import DatasetError
from ..files import check_writable, written_whole
from .dataset import Dataset, Split
from .published_file import (
    ENVIRONMENT_VARIABLE,
    DownloadFailed,
    PublishedFile,
    checksum_error,
    fetch,
    find_files,
    read_checked,
    read_with_digest,
    unreadable_error,
)

logger = logging.getLogger(__name__)

IMAGE_SHAPE = (32, 32, 3)
CLASS_NAMES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)

_FOLDER = "cifar-10-batches-bin"
_PLACES = ("", _FOLDER, "cifar10", f"cifar10/{_FOLDER}")
_RECORD_BYTES = 1 + 3 * 32 * 32
_BATCH_IMAGES = 10_000

# The archive's MD5 is published on CIFAR-10's page: c32a1d4ab5d03f1284b67883e8d87530. SHA-256 sums are not; these are the ones that the
# torchvision-ruby package checks, and those of the five training files were found equal in files rebuilt from lossless images.
_ADDRESS = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
_ARCHIVE = PublishedFile(
    "cifar-10-binary.tar.gz", "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
)
_TRAIN = (
    PublishedFile(
        "data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"
    ),
    PublishedFile(
        "data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"
    ),
    PublishedFile(
        "data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"
    ),
    PublishedFile(
        "data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"
    ),
    PublishedFile(
        "data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"
    ),
)
_TEST = PublishedFile(
    "test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"
)
# The test file cut after its first 1 000 images. Nobody publishes this sum: it is of images kept without loss, not of the whole file cut.
_FIRST_1000_TEST_SHA256 = "8314c96d7cd65618193bab23acdd5d4c4af15bf6dd00a1781d55beedf3be1ef5"


def read_cifar10(folder: Path) -> Dataset:
    """CIFAR-10 from the .bin files in `folder`: there, or in cifar-10-batches-bin, cifar10 or cifar10/cifar-10-batches-bin below it.

    A test file that holds exactly the first 1 000 of the 10 000 test images is taken too, and a warning logged.

    Raises
    ------
    DatasetError - files are missing (all of them are named), or one has another checksum than the published one
    """
    paths = find_files(folder, _PLACES, (*_TRAIN, _TEST), _ARCHIVE.name)
    n_train = len(_TRAIN) * _BATCH_IMAGES
    train = Split(np.empty((n_train, *IMAGE_SHAPE), np.uint8), np.empty(n_train, np.uint8))
    for i, file in enumerate(_TRAIN):  # file by file, so that the set is in memory only once
        part = slice(i * _BATCH_IMAGES, (i + 1) * _BATCH_IMAGES)
        contents = read_checked(paths[file.name], file)
        _decode_into(contents, Split(train.images[part], train.labels[part]))
    return Dataset("cifar10", CLASS_NAMES, train, _read_test(paths[_TEST.name]))


def download_cifar10(folder: Path) -> None:
    """Fills `folder` with the .bin files unless it has them: from cifar-10-binary.tar.gz where that lies there, else downloaded (163 MB).

    Only the six known files are unpacked, each under its own name, and each appears whole and checked, or not at all.

    Raises
    ------
    DatasetError - the archive cannot be downloaded, or is not the published one
    OutputError - `folder` cannot be written
    """
    if all((folder / file.name).is_file() for file in (*_TRAIN, _TEST)):
        return
    if (archive := folder / _ARCHIVE.name).is_file():
        if (actual := _digest(archive)) != _ARCHIVE.sha256:
            raise checksum_error(archive, actual, _ARCHIVE)
        _unpack(archive, folder)
        return
    check_writable(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as temporary:
        archive = Path(temporary) / _ARCHIVE.name
        _download(archive)
        _unpack(archive, folder)


def _read_test(path: Path) -> Split:
    contents, actual = read_with_digest(path, _TEST)
    if actual == _FIRST_1000_TEST_SHA256:
        logger.warning("%s: only the first 1 000 of the 10 000 test images", path)
    elif actual != _TEST.sha256:
        raise checksum_error(path, actual, _TEST)
    n_images = len(contents) // _RECORD_BYTES
    test = Split(np.empty((n_images, *IMAGE_SHAPE), np.uint8), np.empty(n_images, np.uint8))
    _decode_into(contents, test)
    return test


def _decode_into(contents: bytes, split: Split) -> None:
    """Writes the records in `contents` into the arrays of `split`, which have room for exactly them."""
    records = np.frombuffer(contents, np.uint8).reshape(len(split), _RECORD_BYTES)
    split.labels[:] = records[:, 0]
    n_channels = IMAGE_SHAPE[-1]
    planes = records[:, 1:].reshape(len(split), n_channels, -1)  # (n, channels, height x width)
    pixels = split.images.reshape(len(split), -1, n_channels)
    for channel in range(n_channels):  # twice as fast as one transpose of all
        pixels[..., channel] = planes[:, channel]


def _download(archive: Path) -> None:
    """Writes the published archive to `archive`, checked."""
    logger.info("Downloading %s", _ADDRESS)
    try:
        with written_whole(archive) as temporary:
            with temporary.open("wb") as file:
                for chunk in fetch(_ADDRESS):
                    file.write(chunk)
            if (actual := _digest(temporary)) != _ARCHIVE.sha256:
                raise DownloadFailed(
                    f"{_ADDRESS}: SHA-256 is {actual}, published is {_ARCHIVE.sha256}"
                )
    except DownloadFailed as error:
        raise DatasetError(
            f"{_ARCHIVE.name} cannot be downloaded ({error})",
            f"Fetch CIFAR-10 another way and give its folder with --data or {ENVIRONMENT_VARIABLE}.",
        ) from error


def _digest(path: Path) -> str:
    """SHA-256 of a large file, in hexadecimal. Raises DatasetError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable_error(path, error) from error


def _unpack(archive: Path, folder: Path) -> None:
    """Writes the .bin files in `archive` into `folder`, each by its own name, whatever paths and links the archive holds."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for file in (*_TRAIN, _TEST):
                member = tar.extractfile(f"{_FOLDER}/{file.name}")
                contents = member.read() if member else b""
                actual = hashlib.sha256(contents).hexdigest()
                if actual != file.sha256:
                    raise checksum_error(archive / file.name, actual, file)
                with written_whole(folder / file.name) as temporary:
                    temporary.write_bytes(contents)
    except (OSError, EOFError, KeyError, zlib.error, tarfile.TarError) as error:
        raise unreadable_error(archive, error) from error
