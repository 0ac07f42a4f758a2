"""Affine layers with constants and inputs at every edge, and what NumPy says comes out."""

from __future__ import annotations

import itertools

import numpy as np
from rbonn.hw.affine import AffineConfig


def packed(values: np.ndarray, bits: int, lanes: int) -> list[int]:
    """Transfers of `lanes` integers each, two's complement, lane 0 least significant."""
    codes = values.reshape(-1, lanes) & ((1 << bits) - 1)
    return [sum(int(code) << k * bits for k, code in enumerate(row)) for row in codes]


def affine(x: np.ndarray, config: AffineConfig) -> np.ndarray:
    """The layer by its formula, in int64: x and result (pixels, channels)."""
    multipliers, offsets = (np.array(part, np.int64) for part in (config.multipliers, config.offsets))  # fmt: skip
    half = (1 << config.shift - 1) if config.shift else 0
    end = 1 << config.output_bits - config.output_signed
    least = -end if config.output_signed else 0
    return np.clip((x * multipliers + offsets + half) >> config.shift, least, end - 1)


def inputs_of(config: AffineConfig, n_frames: int, seed: int) -> np.ndarray:
    """Elements (pixels of all frames, channels): a third of them ends of the range, a third where results tie or saturate."""
    rng = np.random.default_rng(seed)
    first, last = config.input_range
    shape = (n_frames * config.pixels, config.channels)
    anywhere = rng.integers(first, last + 1, shape)
    ends = np.where(rng.random(shape) < 0.5, first, last)
    kind = rng.integers(0, 3, shape)
    return np.choose(kind, [anywhere, ends, np.clip(_edges(config, rng, shape), first, last)])


def _edges(config: AffineConfig, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Inputs whose results are next to an end of the output's range, and whose sums are close to a tie or to 0."""
    multipliers = np.where(np.array(config.multipliers) == 0, 1, config.multipliers)
    end = 1 << config.output_bits - 1
    goals = rng.choice(np.array([-end, end - 1, 2 * end - 1, 0, 1]), shape)
    sums = goals * (1 << config.shift) + rng.choice(np.array([-1, 0, 1]), shape) * (1 << config.shift >> 1)  # fmt: skip
    return (sums - np.array(config.offsets)) // multipliers + rng.integers(-1, 2, shape)


def streams(config: AffineConfig, n_frames: int = 3, seed: int = 0) -> tuple[list[int], list[int]]:
    """Input transfers, and the output transfers that they must give."""
    x = inputs_of(config, n_frames, seed)
    return (
        packed(x, config.input_bits, config.lanes),
        packed(affine(x, config), config.output_bits, config.lanes),
    )


def all_inputs(config: AffineConfig) -> tuple[list[int], list[int]]:
    """Every input of the range for every channel."""
    first, last = config.input_range
    x = np.repeat(np.arange(first, last + 1)[:, None], config.channels, axis=1)
    return (
        packed(x, config.input_bits, config.lanes),
        packed(affine(x, config), config.output_bits, config.lanes),
    )


def random_constants(
    seed: int, channels: int, bits: int, offset_bits: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Multipliers and offsets of at most so many bits; neither so plain that there is no multiplier."""
    rng = np.random.default_rng(seed)
    multipliers = rng.integers(-(1 << bits - 1), 1 << bits - 1, channels)
    multipliers[:2] = list(itertools.islice(itertools.cycle((1 - (1 << bits - 1), 21)), channels))[:2]  # fmt: skip
    offsets = rng.integers(-(1 << offset_bits - 1), 1 << offset_bits - 1, channels)
    return tuple(multipliers.tolist()), tuple(offsets.tolist())
