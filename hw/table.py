"""A table of constants as logic, without a memory in between."""

from collections.abc import Sequence

from amaranth import *


def table_columns(words: Sequence[int], width: int) -> list[int]:
    """What each of `width` bits is in all `words`: bit k of an answer is that of word k."""
    return [sum((word >> bit & 1) << k for k, word in enumerate(words)) for bit in range(width)]


def table_lookup(words: Sequence[int], width: int, address: Value) -> Value:
    """``words[address]``, of `width` bits, combinationally.

    Each bit is a function of the address of its own, so that synthesis can merge it into the LUT that reads it. An address behind the
    last word gives zeros.
    """
    return Cat(column_lookup(column, len(words), address) for column in table_columns(words, width))


def column_lookup(column: int, n_words: int, address: Value) -> Value:
    """One bit of a table: bit ``address`` of `column`."""
    return Const(column, 1) if n_words == 1 else _expanded(column, address)


def _expanded(column: int, address: Value) -> Value:
    """Shannon's expansion of `column` by the bits of `address`, as multiplexers.

    yosys takes a minute for every few hundred shifts of a constant; these it only copies.
    """
    n_bits = 1 << len(address)
    if column in (0, (1 << n_bits) - 1):
        return Const(column & 1, 1)
    half = n_bits >> 1
    high, low = column >> half, column & (1 << half) - 1
    rest = address[:-1]
    if high == low:
        return _expanded(low, rest)
    return Mux(address[-1], _expanded(high, rest), _expanded(low, rest))
