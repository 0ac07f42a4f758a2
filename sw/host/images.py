"""Image files as the raw input of a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import UnsupportedLayerError
from ..network import Network, UInt
from ..pictures import MODES, read_picture


def read_image(
    path: Path, network: Network, *, resize: bool = False, invert: bool = False
) -> np.ndarray:
    """Reads a picture as a network's raw image, see `read_picture`.

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
    if network.input_type.datatype != UInt(8) or channels not in MODES:
        raise UnsupportedLayerError(
            f"{network.name} takes {network.input_type.datatype} in {channels} channels, which no picture holds",
            "Use the Python interface: Device.infer takes arrays.",
        )
    image = read_picture(path, (height, width, channels), network.name, resize=resize)
    return 255 - image if invert else image


def polarity_hint(image: np.ndarray, network: Network) -> str | None:
    """What is wrong with a picture that is dark on light, for a network trained on an MNIST, which is light on dark; None if it is not.

    Parameters
    ----------
    image : uint8 (height, width, channels)
    """
    if "mnist" not in str(network.metadata.get("dataset")).lower() or image.shape[2] != 1:
        return None
    frame = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    if frame.mean() < 128:
        return None
    return "dark on light, MNIST is light on dark"
