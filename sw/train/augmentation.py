"""Random small deformations of images: shift, rotation, scale and elastic distortion, a pure function of (seed, epoch, index).

An image's deformation does not depend on the batch it is in, on the machine's random state, or on what was drawn before: a resumed
training sees exactly what the uninterrupted one would have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

_GRID = 5
"""Control points of the elastic distortion along each axis; between them it is bicubic."""
_DRAWS = 5 + 2 * _GRID * _GRID
"""Numbers drawn per image: shift down and right, rotation, two scales, then the control points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentationConfig:
    """How far an image may be deformed; each amount is drawn uniformly from -limit..limit.

    Parameters
    ----------
    shift_pixels : float - along each axis
    rotation_degrees : float
    scale : float - relative, along each axis on its own
    elastic_pixels : float - of each of 5 x 5 control points along each axis, bicubic between them
    """

    shift_pixels: float = 0.0
    rotation_degrees: float = 0.0
    scale: float = 0.0
    elastic_pixels: float = 0.0

    @property
    def active(self) -> bool:
        return any((self.shift_pixels, self.rotation_degrees, self.scale, self.elastic_pixels))


def uniform(seed: int, epoch: int, indices: Tensor, n_draws: int) -> Tensor:
    """Numbers from [-1, 1) that depend on (seed, epoch, index, draw) alone: (n,) int64 indices to (n, n_draws) float32.

    A counter-based generator: the SplitMix64 finaliser over a distinct counter for each number (Steele et al., OOPSLA 2014).
    """
    base = _mix(_mix(torch.tensor(seed)) + epoch)
    counters = _mix(base + indices)[:, None] + torch.arange(n_draws)  # (n, n_draws), wraps
    top = (_mix(counters) >> 40) & 0xFFFFFF  # 24 bits, exact in float32
    return top.float() / (1 << 23) - 1


def hash_integers(*values: int) -> int:
    """A well mixed integer from 0 to 2**63 - 1 that depends on all `values` and their order."""
    state = torch.tensor(0)
    for value in values:
        state = _mix(state + value)
    return int(_shift(state, 1))


def augment(
    images: Tensor, indices: Tensor, *, config: AugmentationConfig, seed: int, epoch: int
) -> Tensor:
    """Deformed copies of images, bilinear, with pixels outside the image taken as 0 and the result rounded to integers.

    Parameters
    ----------
    images : Tensor (n, channels, height, width) float32 - pixels 0..255
    indices : Tensor (n,) int64 - their positions in the data set
    config : AugmentationConfig
    seed, epoch : int
    """
    if not config.active:
        return images
    n, _, height, width = images.shape
    draws = uniform(seed, epoch, indices, _DRAWS)
    shifts = draws[:, :2] * config.shift_pixels  # (n, 2), down and right
    angles = draws[:, 2] * math.radians(config.rotation_degrees)
    scales = 1 + draws[:, 3:5] * config.scale
    # Output pixel positions relative to the centre, in pixels.
    rows = (torch.arange(height) - (height - 1) / 2)[None, :, None]  # (1, height, 1)
    columns = (torch.arange(width) - (width - 1) / 2)[None, None, :]  # (1, 1, width)
    cos, sin = angles.cos()[:, None, None], angles.sin()[:, None, None]
    source_rows = (cos * rows - sin * columns) * scales[:, :1, None] + shifts[:, :1, None]
    source_columns = (sin * rows + cos * columns) * scales[:, 1:, None] + shifts[:, 1:, None]
    if config.elastic_pixels:
        control = draws[:, 5:].reshape(n, 2, _GRID, _GRID) * config.elastic_pixels
        field = functional.interpolate(
            control, size=(height, width), mode="bicubic", align_corners=True
        )
        source_rows, source_columns = source_rows + field[:, 0], source_columns + field[:, 1]
    grid = torch.stack(  # grid_sample wants (x, y) with the image's outer edges at -1 and 1
        [source_columns * (2 / width), source_rows * (2 / height)], dim=-1
    )
    return functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="zeros", align_corners=False
    ).round()


def _mix(x: Tensor) -> Tensor:
    """The SplitMix64 step and finaliser on int64 tensors, arithmetic modulo 2**64."""
    x = x + _signed(0x9E3779B97F4A7C15)
    x = (x ^ _shift(x, 30)) * _signed(0xBF58476D1CE4E5B9)
    x = (x ^ _shift(x, 27)) * _signed(0x94D049BB133111EB)
    return x ^ _shift(x, 31)


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical shift right of int64 taken as unsigned."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
