"""The shape of the images that a network takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageShape:
    """Height, width and channels of one image, in pixels; pixels are integers 0..255."""

    height: int
    width: int
    channels: int

    @property
    def elements(self) -> int:
        return self.height * self.width * self.channels
