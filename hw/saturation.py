"""Saturation: a number that does not fit becomes the nearest end of the range that it has to fit."""

from amaranth import *


def signed_bits(lowest: int, highest: int) -> int:
    """Bits of the narrowest two's complement that has both numbers."""
    return max((value if value >= 0 else ~value).bit_length() for value in (lowest, highest)) + 1


def output_range(bits: int, is_signed: bool) -> tuple[int, int]:
    """The lowest and the highest integer of so many bits."""
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1)


def saturated(value: Value, bits: int, *, is_signed: bool, lowest: int, highest: int) -> Value:
    """`value`, two's complement, as an integer of `bits` bits, beyond whose range it becomes the nearest end.

    `value` is known to lie between `lowest` and `highest`, and has the bits for them; on a side where that is within the range, no
    logic looks for more.
    """
    least, most = output_range(bits, is_signed)
    if least <= lowest and highest <= most:
        return Cat(value, value[-1].replicate(bits))[:bits]
    sign, above = value[-1], value[bits - 1 if is_signed else bits :]
    is_above = ~sign & above.any() if highest > most else C(0, 1)
    is_below = (sign & ~above.all() if is_signed else sign) if lowest < least else C(0, 1)
    if is_signed:
        end = Cat((~sign).replicate(bits - 1), sign)
        return Mux(is_above | is_below, end, value[:bits])
    return Mux(is_below, 0, Mux(is_above, most, value[:bits]))[:bits]
