"""Negative integers times plus or minus a power of two, rounded: a choice of shifts, and the carry of one adder.

``o = x if x >= 0 else saturate((x * slope + half) >> shift)``, ties towards +infinity, for slopes that are 0 or plus or minus powers of two.
With ``distance = shift - log2(|slope|)`` a shift to the right rounds by adding the highest of the bits that it loses. The opposite of x is its complement
plus 1: shifted, it is the complement's shift, plus 1 where the lost bits of x are at most a half.
"""

from __future__ import annotations

from dataclasses import dataclass

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .affine_constants import trailing_zeros
from .registers import registers
from .saturation import saturated


@dataclass(frozen=True, slots=True)
class RoundedShiftConfig:
    """Constants of a `RoundedShift`.

    Parameters
    ----------
    bits : int - of x and of the result, two's complement, at least 2
    slopes : tuple of int - all that occur, in any order and number: 0, or plus or minus powers of two
    shift : int - at least 0
    """

    bits: int
    slopes: tuple[int, ...]
    shift: int

    def __post_init__(self) -> None:
        for name, least in (("bits", 2), ("shift", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name.capitalize()} must be at least {least}, not {getattr(self, name)!r}")  # fmt: skip
        for slope in self.slopes:
            if abs(slope) & abs(slope) - 1:
                raise ValueError(f"Slopes must be 0 or plus or minus powers of two, not {slope!r}")

    @property
    def distances(self) -> list[int]:
        """How far x is shifted to the right, negative for the left: first not at all, as positive ones are, then what else the slopes ask for."""
        others = {self.shift - trailing_zeros(abs(slope)) for slope in self.slopes if slope}
        return [0, *sorted(others - {0})]

    @property
    def left(self) -> int:
        """Bits that x is moved to the left first, so that all shifts go to the right."""
        return max(0, -min(self.distances))

    @property
    def is_barrel(self) -> bool:
        """Whether x passes a multiplexer for each bit of the distance, because choosing from all distances at once takes more of them.

        Each bit of the result then takes a LUT4 for each bit of the distance; else about one for each distance but two.
        """
        return not self.left and max(self.distances).bit_length() < len(self.distances) - 2

    @property
    def choices(self) -> list[int]:
        """The distances that a code can ask for, by number."""
        return list(range(max(self.distances) + 1)) if self.is_barrel else self.distances

    @property
    def distance_bits(self) -> int:
        """Bits of a code that choose the distance."""
        return (len(self.choices) - 1).bit_length()

    @property
    def has_negatives(self) -> bool:
        return min(self.slopes, default=0) < 0

    @property
    def has_zeros(self) -> bool:
        return 0 in self.slopes

    @property
    def code_bits(self) -> int:
        return max(1, self.distance_bits + self.has_negatives + self.has_zeros)

    def code(self, slope: int) -> int:
        """What `code` has to be for that slope: which distance, whether it is negative, whether it is 0, lowest first."""
        code, at = 0, self.distance_bits
        if slope:
            code = self.choices.index(self.shift - trailing_zeros(abs(slope)))
        if self.has_negatives:
            code |= int(slope < 0) << at
            at += 1
        return code | int(slope == 0) << at if self.has_zeros else code

    @property
    def saturates(self) -> bool:
        """Whether any x has a result beyond the range."""
        return any(
            self.shift < trailing_zeros(abs(slope)) + (slope < 0) for slope in self.slopes if slope
        )

    @property
    def latency_cycles(self) -> int:
        """Enabled cycles from an x and its code to the result: what is shifted, and the sum."""
        return 2

    def component(self) -> RoundedShift:
        return RoundedShift(self)


class RoundedShift(wiring.Component):
    """See the module.

    There is no valid flag: `o` belongs to the x and the code of `config.latency_cycles` enabled cycles before. Throughput is one
    x in every enabled cycle.

    Members
    -------
    enable : In(1) - the registers move only while this is high
    x : In(bits)
    code : In(code_bits) - the slope, see `RoundedShiftConfig.code`
    o : Out(bits)
    """

    def __init__(self, config: RoundedShiftConfig) -> None:
        self.config = config
        super().__init__(
            {
                "enable": In(1),
                "x": In(config.bits),
                "code": In(config.code_bits),
                "o": Out(config.bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        sign = self.x[-1]
        code = self.code & sign.replicate(
            config.code_bits
        )  # 0 for a positive x, shifted by nothing
        index, at = code[: config.distance_bits], config.distance_bits
        negative = code[at] if config.has_negatives else C(0, 1)
        zero = code[at + config.has_negatives] if config.has_zeros else C(0, 1)

        # Shifted to the right by less than its width, x is wide enough to lose no bit that is looked at.
        wide = Cat(C(0, config.left), self.x, sign.replicate(config.shift + 1)).as_signed()
        n_bits = config.bits + config.left + config.saturates
        carry = _chosen([_carry(wide[: k + config.left], negative) for k in config.choices], index)
        if config.is_barrel:
            value = wide >> index
        else:
            value = _chosen([wide >> k + config.left for k in config.choices], index)
        value = Cat(value, sign.replicate(n_bits))[:n_bits]
        value = Mux(zero, 0, value ^ negative.replicate(n_bits))[:n_bits]
        value, carry = registers(m, self.enable, "rounded", [value, carry & ~zero])

        total = (value + carry)[:n_bits].as_signed()
        if config.saturates:
            end = 1 << n_bits - 1
            total = saturated(total, config.bits, is_signed=True, lowest=-end, highest=end - 1)
        with m.If(self.enable):
            m.d.sync += self.o.eq(total[: config.bits])
        return m


def _carry(lost: Value, negative: Value) -> Value:
    """What rounding adds when those bits are lost, of x or, where `negative`, of its opposite."""
    if len(lost) == 0:
        return negative
    return Mux(negative, ~lost[-1] | ~lost[:-1].any(), lost[-1])


def _chosen(values: list[Value], index: Value) -> Value:
    """``values[index]``; the last one for an index beyond."""
    if len(values) == 1:
        return values[0]
    half = 1 << (len(values) - 1).bit_length() - 1
    bit = half.bit_length() - 1
    return Mux(index[bit], _chosen(values[half:], index[:bit]), _chosen(values[:half], index[:bit]))
