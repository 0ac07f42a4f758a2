"""Matrices and presets as the words of the hardware's memories."""

from __future__ import annotations

import numpy as np


def words(values: np.ndarray, bits: int) -> tuple[int, ...]:
    """One word per row of `values` (words, integers): each integer in `bits` bits of two's complement, the first least significant.

    Higher bits of a value are dropped; the configs of the memories check nothing but the width of a word.
    """
    codes = values.astype(np.int64)
    as_bits = ((codes[:, :, None] >> np.arange(bits)) & 1).astype(np.uint8)
    return _packed(as_bits.reshape(len(values), -1))


def _packed(bits: np.ndarray) -> tuple[int, ...]:
    """One word per row of `bits` (words, bits), the first least significant."""
    packed = np.packbits(bits, axis=1, bitorder="little")
    if packed.shape[1] <= 8:  # many narrow words at once
        wide = np.zeros((len(bits), 8), np.uint8)
        wide[:, : packed.shape[1]] = packed
        return tuple(wide.view("<u8").ravel().tolist())
    return tuple(int.from_bytes(row.tobytes(), "little") for row in packed)


def weight_words(matrix: np.ndarray, pe: int, simd: int, bits: int = 1) -> tuple[int, ...]:
    """Words of a weight memory from a (MH, MW) matrix: word ``row_group * (MW // simd) + beat``, weight ``pe * simd + lane``.

    Weights of one bit are +1 and -1; of more `bits` they are two's complement.
    """
    mh, mw = matrix.shape
    tiles = matrix.reshape(mh // pe, pe, mw // simd, simd).transpose(0, 2, 1, 3)
    codes = tiles.reshape(-1, pe * simd)
    return _packed(codes > 0) if bits == 1 else words(codes, bits)


def preset_words(values: np.ndarray, pe: int, bits: int) -> tuple[int, ...]:
    """Words of a preset memory from (row classes, column classes, MH) start values, row group fastest."""
    return words(values.reshape(-1, pe), bits)
