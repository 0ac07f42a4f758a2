"""Random changes of images, a pure function of (seed, epoch, index): crop and flip, or shift, rotation, scale and elastic distortion.

What happens to an image does not depend on the batch it is in, on the machine's random state, or on what was drawn before: a resumed
training sees exactly what the uninterrupted one would have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

_GRID = 5
"""Control points of the elastic distortion along each axis; between them it is bicubic."""

# Which of an image's numbers are used for what.
_DEFORMATION_DRAWS = 5  # from 0: shift down and right, rotation, two scales
_CONTROL_DRAWS = 2 * _GRID * _GRID  # then down and right for each control point
_FIRST_CROP_DRAW = _DEFORMATION_DRAWS + _CONTROL_DRAWS  # then crop down and right, flip

_DRAW_BITS = 24  # a draw is exact in float32


_Limit = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentationConfig:
    """How far an image may be changed; each amount is drawn uniformly from -limit..limit.

    Parameters
    ----------
    crop_pixels : int - whole pixels along each axis: the crop of a padded image, with the pixels that come in reflected at its edge (the
        edge itself not repeated); below the image's height and width
    flip : bool - mirror left and right in half of the cases
    shift_pixels : float - along each axis, 0 comes in
    rotation_degrees : float
    scale : float - relative, along each axis on its own
    elastic_pixels : float - of each of 5 x 5 control points along each axis, bicubic between them

    References
    ----------
    C.-Y. Lee, S. Xie, P. Gallagher, Z. Zhang, Z. Tu, Deeply-supervised nets, AISTATS 2015: crop by 4 pixels and flip, since then the
    usual augmentation of CIFAR-10 (there with 0 coming in)
    """

    crop_pixels: Annotated[int, Field(ge=0)] = 0
    flip: bool = False
    shift_pixels: _Limit = 0.0
    rotation_degrees: _Limit = 0.0
    scale: _Limit = 0.0
    elastic_pixels: _Limit = 0.0

    @property
    def active(self) -> bool:
        return self.crops or self.deforms

    @property
    def crops(self) -> bool:
        """Whether whole pixels move: by crop or flip."""
        return bool(self.crop_pixels or self.flip)

    @property
    def deforms(self) -> bool:
        """Whether pixels are interpolated."""
        return any((self.shift_pixels, self.rotation_degrees, self.scale, self.elastic_pixels))


def uniform(seed: int, epoch: int, indices: Tensor, n_draws: int, first: int = 0) -> Tensor:
    """Numbers from [-1, 1) that depend on (seed, epoch, index, draw) alone: (n,) int64 indices to (n, n_draws) float32.

    Parameters
    ----------
    seed, epoch : int
    indices : Tensor (n,) int64
    n_draws, first : int - draws `first` to `first` + `n_draws` - 1
    """
    return random_bits(seed, epoch, indices, n_draws, first).float() / (1 << 23) - 1


def random_bits(seed: int, epoch: int, indices: Tensor, n_draws: int, first: int = 0) -> Tensor:
    """The integers 0..2**24-1 behind `uniform`: (n, n_draws) int64.

    A counter-based generator: the SplitMix64 finaliser over a distinct counter for each number (Steele et al., OOPSLA 2014).
    """
    base = _mix(_mix(torch.tensor(seed)) + epoch)
    draws = torch.arange(first, first + n_draws)
    counters = _mix(base + indices)[:, None] + draws  # (n, n_draws), wraps
    return _shift(_mix(counters), 64 - _DRAW_BITS)


def hash_integers(*values: int) -> int:
    """A well mixed integer from 0 to 2**63 - 1 that depends on all `values` and their order."""
    state = torch.tensor(0)
    for value in values:
        state = _mix(state + value)
    return int(_shift(state, 1))


def augment(
    images: Tensor, indices: Tensor, *, config: AugmentationConfig, seed: int, epoch: int
) -> Tensor:
    """Changed copies of images: cropped and flipped, then deformed; the same images where `config` asks for nothing.

    Fastest on uint8 images that are channels last in memory, before they become float32.

    Parameters
    ----------
    images : Tensor (n, channels, height, width) uint8 or float32 - pixels 0..255
    indices : Tensor (n,) int64 - their positions in the data set
    config : AugmentationConfig
    seed, epoch : int

    Returns
    -------
    Tensor (n, channels, height, width) - channels last in memory; the type of `images`, float32 where `config` deforms; still integers

    Raises
    ------
    ValueError - `crop_pixels` is not below the images' height and width
    """
    if config.crops:
        images = _crop_and_flip(images, indices, config, seed, epoch)
    if config.deforms:
        images = _deform(images.float(), indices, config, seed, epoch)
        images = images.contiguous(memory_format=torch.channels_last)
    return images


def _crop_and_flip(
    images: Tensor, indices: Tensor, config: AugmentationConfig, seed: int, epoch: int
) -> Tensor:
    """Moves whole pixels, all channels at once: one gather, no arithmetic on their values."""
    n, n_channels, height, width = images.shape
    limit = config.crop_pixels
    if limit >= min(height, width):
        raise ValueError(f"crop_pixels must be below the image's {height} x {width}, not {limit}")
    bits = random_bits(seed, epoch, indices, 3, _FIRST_CROP_DRAW)
    offsets = (bits[:, :2] * (2 * limit + 1) >> _DRAW_BITS) - limit  # (n, 2), down and right
    rows = _reflected(torch.arange(height) + offsets[:, :1], height)  # (n, height)
    columns = torch.arange(width).expand(n, width)
    if config.flip:
        mirrored = (bits[:, 2:] >> (_DRAW_BITS - 1)).bool()
        columns = torch.where(mirrored, columns.flip(1), columns)
    columns = _reflected(columns + offsets[:, 1:], width)  # (n, width)
    rows = rows + torch.arange(n)[:, None] * height  # among the rows of all images
    sources = rows[:, :, None] * width + columns[:, None, :]  # (n, height, width)
    pixels = images.permute(0, 2, 3, 1).reshape(-1, n_channels)  # no copy if channels last
    moved = pixels.index_select(0, sources.flatten())
    return moved.view(n, height, width, n_channels).permute(0, 3, 1, 2)


def _reflected(positions: Tensor, size: int) -> Tensor:
    """Positions from -(size - 1) to 2 size - 2 mirrored at the first and the last pixel into 0..size-1."""
    return (size - 1) - ((size - 1) - positions.abs()).abs()


def _deform(
    images: Tensor, indices: Tensor, config: AugmentationConfig, seed: int, epoch: int
) -> Tensor:
    """Shifts, turns, scales and distorts: bilinear, with pixels outside the image taken as 0 and the result rounded to integers."""
    n, _, height, width = images.shape
    draws = uniform(seed, epoch, indices, _DEFORMATION_DRAWS)
    shifts = draws[:, :2] * config.shift_pixels  # (n, 2), down and right
    angles = draws[:, 2] * math.radians(config.rotation_degrees)
    scales = 1 + draws[:, 3:5] * config.scale
    # Output pixel positions relative to the centre, in pixels.
    rows = (torch.arange(height) - (height - 1) / 2)[None, :, None]  # (1, height, 1)
    columns = (torch.arange(width) - (width - 1) / 2)[None, None, :]  # (1, 1, width)
    cos, sin = angles.cos()[:, None, None], angles.sin()[:, None, None]
    source_rows = (cos * rows - sin * columns).mul_(scales[:, :1, None]).add_(shifts[:, :1, None])
    source_columns = (sin * rows + cos * columns).mul_(scales[:, 1:, None])
    source_columns.add_(shifts[:, 1:, None])
    if config.elastic_pixels:
        control = uniform(seed, epoch, indices, _CONTROL_DRAWS, _DEFORMATION_DRAWS)
        control = control.view(n, 2, _GRID, _GRID) * config.elastic_pixels
        field = _elastic_field(control, height, width)
        source_rows += field[:, 0]
        source_columns += field[:, 1]
    # grid_sample wants (x, y) with the image's outer edges at -1 and 1
    grid = images.new_empty(n, height, width, 2)
    torch.mul(source_columns, 2 / width, out=grid[..., 0])
    torch.mul(source_rows, 2 / height, out=grid[..., 1])
    return functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="zeros", align_corners=False
    ).round_()


def _elastic_field(control: Tensor, height: int, width: int) -> Tensor:
    """Bicubic interpolation of control points: (n, 2, 5, 5) to (n, 2, height, width), corners on corners.

    Along rows, then along columns, as sums of products in a fixed order: neither a library's choice of matrix product nor the number of
    images changes a bit of it.
    """
    down, across = _bicubic_weights(height), _bicubic_weights(width)  # (5, size)
    rows = _sum_of_products([control[:, :, k, None, :] for k in range(_GRID)], down[:, :, None])
    return _sum_of_products([rows[..., k, None] for k in range(_GRID)], across)


def _sum_of_products(values: Sequence[Tensor], weights: Tensor) -> Tensor:
    """The sum of values[k] * weights[k], from k = 0 on; one scratch tensor, since fresh memory costs more than the arithmetic."""
    total = values[0] * weights[0]
    product = torch.empty_like(total)
    for value, weight in zip(values[1:], weights[1:], strict=True):
        total += torch.mul(value, weight, out=product)
    return total


@lru_cache(maxsize=8)
def _bicubic_weights(size: int) -> Tensor:
    """The weight of each control point at each of `size` positions: (5, size)."""
    impulses = torch.eye(_GRID)[:, None, :, None].expand(_GRID, 1, _GRID, _GRID)
    surfaces = functional.interpolate(
        impulses, size=(size, _GRID), mode="bicubic", align_corners=True
    )
    return surfaces[:, 0, :, 0].clone()


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
