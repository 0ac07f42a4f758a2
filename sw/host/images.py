"""Image files as the raw input of a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import InputFileError, UnsupportedLayerError
from ..network import Network, UInt

_MODES = {1: "L", 3: "RGB"}


def read_image(
    path: Path, network: Network, *, resize: bool = False, invert: bool = False
) -> np.ndarray:
    """Reads a picture (PNG, JPEG, BMP, PGM and what else Pillow knows) as a network's raw image.

    Grey or colour as the network has 1 or 3 channels; transparency is dropped, a camera's rotation mark is obeyed.

    Parameters
    ----------
    path : Path
    network : Network - with 8-bit pixels, 1 or 3 channels
    resize : bool - scale a picture of another size; without it such a picture is refused
    invert : bool - negative: ``255 - pixel``

    Returns
    -------
    uint8 (height, width, channels)

    Raises
    ------
    InputFileError - no such file, not a picture, more than 8 bits, or another size
    UnsupportedLayerError - the network's input is not 8-bit pixels in 1 or 3 channels
    """
    height, width, channels = network.input_type.shape
    if network.input_type.datatype != UInt(8) or channels not in _MODES:
        raise UnsupportedLayerError(
            f"{network.name} takes {network.input_type.datatype} in {channels} channels, which no picture holds",
            "Use the Python interface: Device.infer takes arrays.",
        )
    if not path.is_file():
        raise InputFileError(f"{path}: no such file", "Name a picture, for example a PNG file.")
    try:
        with Image.open(path) as file:
            if file.mode.startswith(("I", "F")):
                raise InputFileError(
                    f"{path}: pixels of more than 8 bits ({file.mode})",
                    "Save it with 8 bits per channel.",
                )
            picture = ImageOps.exif_transpose(file).convert(_MODES[channels])
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputFileError(
            f"{path}: not a readable picture ({error})", "Name a picture, for example a PNG file."
        ) from error
    if picture.size != (width, height):
        if not resize:
            raise InputFileError(
                f"{path}: {picture.width} x {picture.height} pixels, {network.name} takes {width} x {height}",
                "Cut it to that size, or ask for resizing.",
            )
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    image = np.asarray(picture, np.uint8).reshape(height, width, channels)
    return 255 - image if invert else image


def polarity_hint(image: np.ndarray, network: Network) -> str | None:
    """What to say about a picture that is dark on light for a network trained on an MNIST, which is light on dark; None if it is not.

    Parameters
    ----------
    image : uint8 (height, width, channels)
    """
    if "mnist" not in str(network.metadata.get("dataset")).lower() or image.shape[2] != 1:
        return None
    frame = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    if frame.mean() < 128:
        return None
    return "The picture is dark on light, MNIST is light on dark: try it inverted."
