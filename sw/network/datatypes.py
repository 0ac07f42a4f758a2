"""Element types of the integer network's edges: `Bipolar`, `UInt(n)` and `Int(n)`."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Bipolar:
    """One bit that means +1 (bit 1) or -1 (bit 0)."""

    @property
    def bits(self) -> int:
        return 1

    @property
    def minimum(self) -> int:
        return -1

    @property
    def maximum(self) -> int:
        return 1

    def __str__(self) -> str:
        return "bipolar"


@dataclass(frozen=True, slots=True)
class UInt:
    """An unsigned integer of `bits` bits, 1 to 62."""

    bits: int

    def __post_init__(self) -> None:
        _check_bits(self.bits, lowest=1)

    @property
    def minimum(self) -> int:
        return 0

    @property
    def maximum(self) -> int:
        return (1 << self.bits) - 1

    def __str__(self) -> str:
        return f"uint{self.bits}"


@dataclass(frozen=True, slots=True)
class Int:
    """A two's complement integer of `bits` bits, 2 to 62."""

    bits: int

    def __post_init__(self) -> None:
        _check_bits(self.bits, lowest=2)

    @property
    def minimum(self) -> int:
        return -(1 << (self.bits - 1))

    @property
    def maximum(self) -> int:
        return (1 << (self.bits - 1)) - 1

    def __str__(self) -> str:
        return f"int{self.bits}"

    @classmethod
    def holding(cls, lowest: int, highest: int) -> Int:
        """The narrowest `Int` that holds both `lowest` and `highest`."""
        return cls(
            max(
                2,
                (~lowest if lowest < 0 else lowest).bit_length() + 1,
                (~highest if highest < 0 else highest).bit_length() + 1,
            )
        )


DataType = Bipolar | UInt | Int


def _check_bits(bits: int, *, lowest: int) -> None:
    if not isinstance(bits, int) or not lowest <= bits <= 62:
        raise ValueError(f"Bits must be an integer from {lowest} to 62, not {bits!r}")


def parse(text: str) -> DataType:
    """The type that `str()` of it wrote, for example ``"uint8"``. Raises ValueError for any other text."""
    if text == "bipolar":
        return Bipolar()
    if match := re.fullmatch(r"(u?)int([1-9][0-9]?)", text):
        return (UInt if match[1] else Int)(int(match[2]))
    raise ValueError(f"Data type must be 'bipolar', 'uintN' or 'intN', not {text!r}")


def to_codes(values: np.ndarray, datatype: DataType) -> np.ndarray:
    """Values as the bits that the hardware carries: unsigned int64 codes below ``2 ** datatype.bits``, same shape.

    +1 becomes 1 and -1 becomes 0; signed integers become two's complement. Raises ValueError for a value out of range.
    """
    values = np.asarray(values).astype(np.int64)
    if values.size and (values.min() < datatype.minimum or values.max() > datatype.maximum):
        raise ValueError(f"Values must lie in {datatype}, not {values.min()}..{values.max()}")
    if isinstance(datatype, Bipolar):
        if np.any(values == 0):
            raise ValueError("Values must be +1 or -1 in bipolar, not 0")
        return (values > 0).astype(np.int64)
    return values & ((1 << datatype.bits) - 1)


def from_codes(codes: np.ndarray, datatype: DataType) -> np.ndarray:
    """Inverse of `to_codes`: int64 values from unsigned codes, same shape."""
    codes = np.asarray(codes).astype(np.int64)
    if isinstance(datatype, Bipolar):
        return 2 * codes - 1
    if isinstance(datatype, Int):
        return np.where(codes >= 1 << (datatype.bits - 1), codes - (1 << datatype.bits), codes)
    return codes
