"""How a binary network's pixels become bits: one bit by a threshold, or a thermometer code."""

from __future__ import annotations

from torch import nn

from ..layers import InputBinarise, InputThermometer
from .image import ImageShape


def input_encoding(
    threshold: int, levels: int | None, image: ImageShape
) -> tuple[nn.Module, ImageShape]:
    """The layer that makes bits of pixels, and the shape of what it gives.

    Parameters
    ----------
    threshold : int - pixels from this value on are +1; without `levels`
    levels : int or None - bits of the thermometer code of each pixel; None for one bit by `threshold`
    image : ImageShape - of the pixels

    Raises
    ------
    ValueError - a threshold outside 0 to 255, or an impossible number of levels
    """
    if levels is None:
        return InputBinarise(threshold), image
    return InputThermometer(levels), ImageShape(image.height, image.width, image.channels * levels)
