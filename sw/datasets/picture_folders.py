"""A data set of one's own: pictures in folders, one folder per class.

    FOLDER/train/CLASS/*.png       what is learned from, held out and selected on
    FOLDER/test/CLASS/*.png        what accuracy is measured on

Names of pictures do not matter, nor whether there are as many of each class. All are scaled to one size, and made grey or colour.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from ..errors import DatasetError, InputFileError
from ..pictures import pictures_in, read_picture
from .dataset import Dataset, Split

logger = logging.getLogger(__name__)

_LAYOUT = "Put the pictures into FOLDER/train/CLASS and FOLDER/test/CLASS."

_Pixels = Annotated[int, Field(ge=1, le=1024)]
_Name = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturesConfig:
    """What a network has to know of a data set of pictures before it sees one.

    Parameters
    ----------
    height, width : int - to which all pictures are scaled, pixels
    channels : int - 1: grey, 3: red, green, blue
    classes : tuple[str, ...] - names of the folders, label 0 first
    """

    height: _Pixels
    width: _Pixels
    channels: Literal[1, 3]
    classes: Annotated[tuple[_Name, ...], Field(min_length=2, max_length=256)]

    def __post_init__(self) -> None:
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("classes must be different from each other")

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.height, self.width, self.channels


def read_pictures(name: str, config: PicturesConfig, folder: Path) -> Dataset:
    """The data set `name` from the pictures below `folder`, in the order of classes and then of file names.

    Raises
    ------
    DatasetError - a folder is missing, holds no picture, or is that of no class; or a file is no picture
    """
    train, test = (_read_split(folder / split, name, config) for split in ("train", "test"))
    return Dataset(name, config.classes, train, test)


def _read_split(folder: Path, name: str, config: PicturesConfig) -> Split:
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder of the data set {name}", _LAYOUT)
    folders = {path.name for path in folder.iterdir() if path.is_dir()}
    others = {name for name in folders if not name.startswith(".")} - set(config.classes)
    if others:
        raise DatasetError(
            f"{folder / min(others)}: not a class of {name}",
            f"Its classes are {', '.join(config.classes)}: name the folder in 'pictures.classes', or move it away.",
        )
    found: list[tuple[Path, int]] = []
    for label, class_name in enumerate(config.classes):
        if not (folder / class_name).is_dir():
            raise DatasetError(f"{folder / class_name}: no folder of this class of {name}", _LAYOUT)
        try:
            found += [(path, label) for path in pictures_in(folder / class_name)]
        except InputFileError as error:
            raise DatasetError(error.message, error.hint) from error
    logger.info("Reading %d pictures from %s", len(found), folder)
    images = np.empty((len(found), *config.image_shape), np.uint8)
    for image, (path, _) in zip(images, found, strict=True):
        try:
            image[:] = read_picture(path, config.image_shape, name, resize=True)
        except InputFileError as error:
            raise DatasetError(error.message, "Remove the file, or save it again.") from error
    return Split(images, np.array([label for _, label in found], np.uint8))
