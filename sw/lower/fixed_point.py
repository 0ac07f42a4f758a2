"""Real constants as integers: multipliers, offsets, slopes and weights, each as near as its width allows."""

from __future__ import annotations

import math

import numpy as np

MULTIPLIER_LIMIT = (1 << 15) - 1
"""Largest magnitude of a multiplier or slope: 16 bits signed."""
MOST_SHIFT = 31
SLOPE_SHIFT = 7
"""Of power-of-two slopes: 2^-7 is the smallest of them."""


def multipliers(scales: np.ndarray) -> tuple[np.ndarray, int]:
    """(channels,) int64 m and one shift, ``m / 2^shift`` as near to the scales as 16 bits allow: within ``2^-(shift + 1)``.

    The shift is the largest, up to 31, for which the largest multiplier fits.

    Raises
    ------
    OverflowError - a scale of 32768 or more
    """
    largest = float(np.abs(scales).max(initial=0.0))
    shift = MOST_SHIFT
    while shift >= 0 and round_half_up(largest * 2.0**shift) > MULTIPLIER_LIMIT:
        shift -= 1
    if shift < 0:
        raise OverflowError(f"a factor of {largest:g} does not fit a multiplier of 16 bits")
    return round_half_up(scales * 2.0**shift), shift


def slopes(values: np.ndarray, power_of_two: bool) -> tuple[np.ndarray, int]:
    """(channels,) int64 slopes and their shift. Powers of two are exact: ``slope = +-2^(7 - k)`` with shift 7 for +-2^-k.

    Raises
    ------
    OverflowError - a slope of 32768 or more
    """
    if power_of_two:
        return round_half_up(values * 2.0**SLOPE_SHIFT), SLOPE_SHIFT
    return multipliers(values)


def round_half_up(x: np.ndarray | float) -> np.ndarray:
    """The nearest integers, ties towards +infinity, int64."""
    return np.floor(np.asarray(x) + 0.5).astype(np.int64)


def thresholds(shift: np.ndarray, fraction: int, lowest: int, highest: int) -> np.ndarray:
    """(channels,) int64 t with ``S >= t`` exactly where ``S 2^-fraction + shift >= 0``, for integers S of `lowest` to `highest`."""
    exact = np.ceil(-shift * 2.0**fraction)
    return np.clip(exact, lowest, highest + 1).astype(np.int64)


def symmetric_weights(weights: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows as int8 (out, in) of `bits` bits and the scale of each row (out,): ``weights ~ scale * integers``, within half a scale.

    A row of zeros has scale 0.
    """
    limit = (1 << (bits - 1)) - 1
    scale = np.abs(weights).max(axis=1) / limit
    divisor = np.where(scale > 0, scale, 1.0)
    return round_half_up(weights / divisor[:, None]).astype(np.int8), scale


def bits_needed(magnitude: float, fraction: int) -> int:
    """Bits of a signed integer that holds -magnitude and magnitude with so many fractional bits."""
    return math.ceil(magnitude * 2.0**fraction).bit_length() + 1
