"""Products with few different constants, plus an addend, without a multiplier: adders for their common odd factor, then shifts.

``o = (x * multiplier >> dropped) + addend`` where every multiplier is 0, or plus or minus a power of two times one odd number.
The odd number is a sum of powers of two, some of them negative (its canonical signed digits, the fewest there can be). What differs between the
multipliers is chosen by a code: complement, distance of the shift, or nothing at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .affine_constants import trailing_zeros
from .registers import registers

MOST_CHOICES = 4
"""Distances of a shift that are chosen from directly: two LUT4 for a bit. A barrel takes one LUT4 for a bit and a power of two."""


def signed_digits(value: int) -> list[tuple[int, int]]:
    """The canonical signed digits of `value` that are not 0, as (exponent, +1 or -1), the lowest first."""
    digits, exponent = [], 0
    while value:
        if value & 1:
            digit = 2 - (value & 3)
            digits.append((exponent, digit))
            value -= digit
        value >>= 1
        exponent += 1
    return digits


@dataclass(frozen=True)
class ShiftAddConfig:
    """Constants of a `ShiftAdd`.

    Parameters
    ----------
    x_bits : int - bits of x, at least 1
    x_signed : bool - x is two's complement
    multipliers : tuple of int - all that occur, in any order and number
    output_bits : int - bits of the result and of the addend, at least 1
    dropped : int - lowest bits of the product that are not looked at, at least 0
    """

    x_bits: int
    x_signed: bool
    multipliers: tuple[int, ...]
    output_bits: int
    dropped: int = 0

    def __post_init__(self) -> None:
        for name, least in (("x_bits", 1), ("output_bits", 1), ("dropped", 0)):
            if getattr(self, name) < least:
                subject = name.replace("_", " ").capitalize()
                raise ValueError(f"{subject} must be at least {least}, not {getattr(self, name)!r}")
        if len(odd_factors(self.multipliers)) > 1:
            raise ValueError(
                f"Odd factors of multipliers must be one, not {odd_factors(self.multipliers)}"
            )

    @property
    def odd(self) -> int:
        """The common factor, positive."""
        return max(odd_factors(self.multipliers), default=1)

    @cached_property
    def exponents(self) -> list[int]:
        """Powers of two that occur, rising."""
        found = {trailing_zeros(value) for value in self.multipliers if value}
        return sorted(found) or [0]

    @property
    def is_barrel(self) -> bool:
        return len(self.exponents) > MOST_CHOICES

    @property
    def exponent_bits(self) -> int:
        """Bits of a code that say how far to shift: the distance itself, or which one."""
        first, last = self.exponents[0], self.exponents[-1]
        return (last - first if self.is_barrel else len(self.exponents) - 1).bit_length()

    @cached_property
    def has_signs(self) -> bool:
        """Whether there are multipliers of both signs, 0 counting as positive."""
        return len({value < 0 for value in self.multipliers}) > 1

    @cached_property
    def has_zeros(self) -> bool:
        return 0 in self.multipliers

    @property
    def code_bits(self) -> int:
        return max(1, self.exponent_bits + self.has_signs + self.has_zeros)

    def code(self, multiplier: int) -> int:
        """What `code` has to be for that multiplier: how far to shift, whether to complement, whether it is 0, lowest first."""
        where = trailing_zeros(multiplier) if multiplier else self.exponents[0]
        bits = where - self.exponents[0] if self.is_barrel else self.exponents.index(where)
        at = self.exponent_bits
        bits |= int(self.has_signs and multiplier < 0) << at
        at += self.has_signs
        return bits | int(multiplier == 0) << at

    @property
    def is_chosen(self) -> bool:
        """Whether codes differ, so that something is chosen by them."""
        return len({self.code(value) for value in self.multipliers}) > 1

    @property
    def adder_levels(self) -> int:
        return (len(signed_digits(self.odd)) - 1).bit_length()

    @property
    def code_cycles(self) -> int:
        """Enabled cycles from an x to the code of its multiplier: the levels of adders come first."""
        return self.adder_levels

    @property
    def addend_cycles(self) -> int:
        """Enabled cycles from an x to the addend that belongs to it."""
        return self.adder_levels + self.is_chosen

    @property
    def latency_cycles(self) -> int:
        """Enabled cycles from an x to the result."""
        return self.addend_cycles + 1

    def component(self) -> ShiftAdd:
        return ShiftAdd(self)


def odd_factors(multipliers: tuple[int, ...]) -> list[int]:
    """The different odd factors of those that are not 0, without their signs."""
    return sorted({abs(value) >> trailing_zeros(value) for value in multipliers if value})


class ShiftAdd(wiring.Component):
    """See the module. Of a negative multiplier the product is one less than it is, before the lowest bits are dropped.

    There is no valid flag: `o` belongs to the x of `config.latency_cycles` enabled cycles before; `code` and `addend` are looked at later than
    their x by as many enabled cycles as the config says. Throughput is one x in every enabled cycle.

    Members
    -------
    enable : In(1) - the registers move only while this is high
    x : In(x_bits)
    code : In(code_bits) - the multiplier, see `ShiftAddConfig.code`
    addend : In(output_bits)
    o : Out(output_bits)
    """

    def __init__(self, config: ShiftAddConfig) -> None:
        self.config = config
        super().__init__(
            {
                "enable": In(1),
                "x": In(config.x_bits),
                "code": In(config.code_bits),
                "addend": In(config.output_bits),
                "o": Out(config.output_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        x = self.x.as_signed() if config.x_signed else Cat(self.x, C(0, 1)).as_signed()
        product = self._shifted(self._odd_multiple(m, x))
        if config.is_chosen:
            (product,) = registers(m, self.enable, "product", [product])
        with m.If(self.enable):
            m.d.sync += self.o.eq((product >> config.dropped) + self.addend)
        return m

    def _odd_multiple(self, m: Module, x: Value) -> Value:
        """``x * odd``, digits added in pairs."""
        terms = [(x << exponent, digit > 0) for exponent, digit in signed_digits(self.config.odd)]
        for level in range(self.config.adder_levels):
            sums = []
            for k in range(0, len(terms) - 1, 2):
                (a, a_adds), (b, b_adds) = terms[k], terms[k + 1]
                sums.append((a + b if a_adds == b_adds else a - b if a_adds else b - a, a_adds or b_adds))  # fmt: skip
            sums += terms[2 * len(sums) :]
            held = registers(m, self.enable, f"level{level}", [value for value, _ in sums])
            terms = [(value, adds) for value, (_, adds) in zip(held, sums, strict=True)]
        # The highest digit of a positive number is positive, and it is in the last sum.
        return terms[0][0]

    def _shifted(self, value: Value) -> Value:
        config = self.config
        first = config.exponents[0]
        distance = self.code[: config.exponent_bits]
        if config.is_barrel:
            shifted = (value << distance) << first
        else:
            shifted = _chosen([value << exponent for exponent in config.exponents], distance)
        at = config.exponent_bits
        if config.has_signs:
            shifted = Mux(self.code[at], ~shifted, shifted)
            at += 1
        elif all(multiplier < 0 for multiplier in config.multipliers):
            shifted = ~shifted
        if config.has_zeros:
            shifted = Mux(self.code[at], 0, shifted)
        return shifted


def _chosen(values: list[Value], index: Value) -> Value:
    """``values[index]``."""
    if len(values) == 1:
        return values[0]
    half = 1 << len(index) - 1
    low, high = _chosen(values[:half], index[:-1]), _chosen(values[half:], index[:-1])
    return Mux(index[-1], high, low)
