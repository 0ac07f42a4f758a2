"""Loading a data set by name, from a folder or from the user's cache."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from ..errors import DatasetError, UnknownNameError
from . import cifar10, mnist
from .dataset import Dataset
from .picture_folders import PicturesConfig, read_pictures
from .published_file import ENVIRONMENT_VARIABLE

DATASETS = ("mnist", "cifar10")

DATASET_SHAPES = {"mnist": mnist.IMAGE_SHAPE, "cifar10": cifar10.IMAGE_SHAPE}
"""Height, width and channels of the images, by name of the data set."""

DATASET_CLASSES = {"mnist": mnist.CLASS_NAMES, "cifar10": cifar10.CLASS_NAMES}
"""Names of the classes, label 0 first, by name of the data set."""

_READ = {"mnist": mnist.read_mnist, "cifar10": cifar10.read_cifar10}
_DOWNLOAD = {"mnist": mnist.download_mnist, "cifar10": cifar10.download_cifar10}


def load_dataset(
    name: str, folder: Path | None = None, pictures: PicturesConfig | None = None
) -> Dataset:
    """The data set called `name`; its arrays are writable and belong to the caller.

    Parameters
    ----------
    name : str - ``mnist`` or ``cifar10``; with `pictures` any other
    folder : Path or None - where its files lie, see `mnist.read_mnist`, `cifar10.read_cifar10` and `read_pictures`; None for RBONN_DATA or,
        where that is not set, the user's cache folder, which is filled by download on first use
    pictures : PicturesConfig or None - what a data set of one's own consists of

    Raises
    ------
    UnknownNameError - no such data set
    DatasetError - a file is missing, truncated, or has another checksum than the published one, or cannot be downloaded; pictures without
        a folder
    OutputError - the cache folder cannot be written
    """
    if pictures is None and name not in DATASETS:
        raise UnknownNameError(
            f"Data set {name!r} does not exist", f"Known are {', '.join(DATASETS)}."
        )
    if folder is None and (value := os.environ.get(ENVIRONMENT_VARIABLE)):
        folder = Path(value)
    if pictures is not None:
        if folder is None:
            raise DatasetError(
                f"{name} is a data set of your own, and its folder is not known",
                f"Give the folder with --data or {ENVIRONMENT_VARIABLE}.",
            )
        return read_pictures(name, pictures, folder)
    if folder is None:
        folder = cache_folder(name)
        _DOWNLOAD[name](folder)
    return _READ[name](folder)


def cache_folder(name: str) -> Path:
    """Where downloaded files of the data set `name` are kept, as the platform has it."""
    return platformdirs.user_cache_path("rbonn", appauthor=False) / name
