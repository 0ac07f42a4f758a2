"""The constants of an affine layer as hardware needs them: exactly the same results from fewer bits.

``o = saturate((x * multiplier + offset + half) >> shift)`` for all x of a known range. Three things are taken out of it:

* `half` goes into the offset, and powers of two that all multipliers have go out of multipliers, offset and shift;
* the lowest bits of an offset matter only by the carries that they give, and a layer has few different inputs. So among the offsets
  with the same results for each of them, those with the most zeros at the end are taken; below these zeros the products
  are not added to anything and are dropped;
* what the results' range does not need of the sums' upper bits is not added either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MOST_INPUTS = 1 << 18
"""From more different inputs on their products are not looked at one by one: the gain would be less than a bit."""


@dataclass(frozen=True, slots=True)
class AffineConstants:
    """``(x * multipliers[c] + offsets[c]) >> shift``, half included; all offsets are multiples of ``2 ** dropped``.

    Members
    -------
    multipliers, offsets : tuple of int - one for each channel
    shift : int - at least 0
    dropped : int - lowest bits of products and offsets that no result depends on; at most `shift`
    lowest, highest : int - range of all results before saturation
    """

    multipliers: tuple[int, ...]
    offsets: tuple[int, ...]
    shift: int
    dropped: int
    lowest: int
    highest: int


def affine_constants(
    multipliers: Sequence[int],
    offsets: Sequence[int],
    shift: int,
    lowest: int,
    highest: int,
    *,
    complements: bool = False,
) -> AffineConstants:
    """Folds the constants for inputs from `lowest` to `highest`.

    Parameters
    ----------
    multipliers, offsets : sequence of int - one for each channel
    shift : int - at least 0
    complements : bool - products of negative multipliers come as the complement of the opposite product, one less than they are, which the
        offsets make up for
    """
    half = 1 << shift >> 1
    common = min([shift, *(trailing_zeros(value) for value in multipliers if value)])
    scales = [value >> common for value in multipliers]
    sums = [(offset + half) >> common for offset in offsets]
    left = shift - common
    missing = [int(complements and scale < 0) for scale in scales]
    windows = [
        [end + less for end in _same_results(scale, total, left, lowest, highest)]
        for scale, total, less in zip(scales, sums, missing, strict=True)
    ]
    dropped = next(
        bits for bits in range(left, -1, -1) if all(last >> bits << bits >= first for first, last in windows)
    )  # fmt: skip
    chosen = [last >> dropped << dropped for _, last in windows]
    ends = [
        scale * x - less + total >> left
        for scale, total, less in zip(scales, chosen, missing, strict=True)
        for x in (lowest, highest)
    ]
    return AffineConstants(tuple(scales), tuple(chosen), left, dropped, min(ends), max(ends))


def trailing_zeros(value: int) -> int:
    """Zeros at the end of a binary number that is not 0."""
    return (value & -value).bit_length() - 1


def _same_results(
    scale: int, offset: int, shift: int, lowest: int, highest: int
) -> tuple[int, int]:
    """The least and the greatest offset that give the results of `offset` for each input."""
    if highest - lowest >= MOST_INPUTS:
        return offset, offset
    mask = (1 << shift) - 1
    # Only what is below the results matters. Of an input only its distance from the lowest one varies: no product leaves int64.
    first = (lowest * scale + offset) & mask
    rests = (np.arange(highest - lowest + 1, dtype=np.int64) * (scale & mask) + first) & mask
    return offset - int(rests.min()), offset + mask - int(rests.max())
