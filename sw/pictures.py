"""Picture files as raw images: what a network learns from and what a board is asked are read in the same way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import InputFileError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm", ".gif", ".tif", ".tiff", ".webp")
"""Ends of the names of the files that are taken out of a folder."""

MODES = {1: "L", 3: "RGB"}
"""Pillow's names of 8-bit pixels, by number of channels."""


def pictures_in(folder: Path) -> list[Path]:
    """The pictures in `folder`, by name, hidden files left out. Raises InputFileError where there is none."""
    found = sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in PICTURES and not file.name.startswith(".")
    )
    if not found:
        raise InputFileError(
            f"{folder}: no picture in this folder", f"Pictures end in {', '.join(PICTURES)}."
        )
    return found


def read_picture(
    path: Path, shape: tuple[int, int, int], taker: str, *, resize: bool = False
) -> np.ndarray:
    """Reads a picture (PNG, JPEG, BMP, PGM and what else Pillow knows), grey or colour as there are 1 or 3 channels.

    Transparency is dropped, a camera's rotation mark is obeyed.

    Parameters
    ----------
    path : Path
    shape : (height, width, channels)
    taker : str - what takes images of that shape, named in errors
    resize : bool - scale a picture of another size; without it such a picture is refused

    Returns
    -------
    uint8 (height, width, channels)

    Raises
    ------
    InputFileError - no such file, not a picture, more than 8 bits, or another size
    """
    height, width, channels = shape
    if not path.is_file():
        raise InputFileError(f"{path}: no such file", "Name a picture, for example a PNG file.")
    try:
        with Image.open(path) as file:
            if file.mode.startswith(("I", "F")):
                raise InputFileError(
                    f"{path}: pixels of more than 8 bits ({file.mode})",
                    "Save it with 8 bits per channel.",
                )
            picture = ImageOps.exif_transpose(file).convert(MODES[channels])
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputFileError(
            f"{path}: not a readable picture ({error})", "Name a picture, for example a PNG file."
        ) from error
    if picture.size != (width, height):
        if not resize:
            raise InputFileError(
                f"{path}: {picture.width} x {picture.height} pixels, {taker} takes {width} x {height}",
                "Cut it to that size, or ask for resizing.",
            )
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture, np.uint8).reshape(height, width, channels)
