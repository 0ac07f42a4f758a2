"""Images drawn with characters."""

from __future__ import annotations

import numpy as np

SHADES = " .:-=+*#%@"


def draw(image: np.ndarray) -> list[str]:
    """Lines of text that show a uint8 (height, width, channels) image, bright pixels as dense characters, two per pixel."""
    grey = image.astype(np.float64).mean(axis=2)  # (height, width)
    shades = (grey / 256 * len(SHADES)).astype(int)
    return ["".join(SHADES[shade] * 2 for shade in row) for row in shades]
