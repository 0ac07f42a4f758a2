"""Labelled sample images that ship with the program: a network can be tried without a folder and without a download."""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from ..errors import DatasetError, UnknownNameError
from .dataset import Split

SAMPLED = ("cifar10", "mnist")


def samples(dataset: str) -> Split:
    """The shipped images of a data set, the first ones of its test set: 100 of ``mnist``, 50 of ``cifar10``.

    Raises
    ------
    UnknownNameError - none are shipped for that data set
    DatasetError - the file is missing or damaged
    """
    if dataset not in SAMPLED:
        raise UnknownNameError(
            f"No sample images are shipped for the data set {dataset!r}",
            f"There are some of {', '.join(SAMPLED)}.",
        )
    resource = importlib.resources.files("rbonn.models").joinpath(f"{dataset}_samples.npz")
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
