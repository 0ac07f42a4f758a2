"""What a multiplier with an adder behind it is asked for, and the ports through which it is used."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

MULTIPLY_ADD_FORMS = ("inferred", "logic", "ecp5", "ice40")

_MOST_BITS = {"ecp5": (35, 18), "ice40": (16, 16)}
"""Of x, as two's complement, and of the multiplier."""


@dataclass(frozen=True, slots=True)
class MultiplyAddConfig:
    """Operands and form of ``o = (x * multiplier >> dropped) + addend``, modulo ``2 ** output_bits``.

    Parameters
    ----------
    x_bits : int - bits of x, at least 1
    x_signed : bool - x is two's complement
    multiplier_bits : int - bits of the multiplier, two's complement, at least 1
    output_bits : int - bits of the result and of the addend, at least 1
    dropped : int - lowest bits of the product that are not looked at, at least 0
    form : str - "inferred": left to synthesis, which takes a DSP block where its options allow; "logic": partial products in LUTs, never in
        DSP blocks; "ecp5": a MULT18X18D with all its registers, two where x has more than 18 bits; "ice40": an SB_MAC16
    """

    x_bits: int
    x_signed: bool
    multiplier_bits: int
    output_bits: int
    dropped: int = 0
    form: str = "inferred"

    def __post_init__(self) -> None:
        for name, least in (("x_bits", 1), ("multiplier_bits", 1), ("output_bits", 1), ("dropped", 0)):  # fmt: skip
            if getattr(self, name) < least:
                subject = name.replace("_", " ").capitalize()
                raise ValueError(f"{subject} must be at least {least}, not {getattr(self, name)!r}")
        if self.form not in MULTIPLY_ADD_FORMS:
            raise ValueError(f"Multiplier must be one of {MULTIPLY_ADD_FORMS}, not {self.form!r}")
        most_x, most_multiplier = _MOST_BITS.get(self.form, (self.operand_bits, self.multiplier_bits))  # fmt: skip
        if self.operand_bits > most_x or self.multiplier_bits > most_multiplier:
            raise ValueError(
                f"Operands of {self.form!r} must have at most {most_x} and {most_multiplier} bits, "
                f"not {self.operand_bits} and {self.multiplier_bits}"
            )
        if self.form == "ice40" and self.output_bits + self.dropped > 32:
            raise ValueError(
                f"Sums of 'ice40' must have at most 32 bits, not {self.output_bits + self.dropped}"
            )

    @property
    def operand_bits(self) -> int:
        """Bits of x as two's complement."""
        return self.x_bits + (not self.x_signed)

    @property
    def n_blocks(self) -> int:
        """DSP blocks; of "inferred", as many as synthesis takes on an ECP5."""
        if self.form == "logic":
            return 0
        return 1 if self.form == "ice40" else -(-max(self.operand_bits - 1, 1) // 17)

    @property
    def product_cycles(self) -> int:
        """Enabled cycles from the operands to their product, before the adder."""
        if self.form == "logic":
            digits = min(self.operand_bits, self.multiplier_bits)
            return 1 + (digits - 1).bit_length()
        return {"inferred": 2, "ecp5": 3, "ice40": 1}[self.form] + (
            self.form == "ecp5" and self.n_blocks > 1
        )

    @property
    def addend_cycles(self) -> int:
        """Enabled cycles from the operands to the addend that belongs to them."""
        return 0 if self.form == "ice40" else self.product_cycles

    @property
    def latency_cycles(self) -> int:
        """Enabled cycles from the operands to the result."""
        return self.product_cycles + 1

    @property
    def members(self) -> dict[str, wiring.Member]:
        """Ports of the component, whatever its form."""
        return {
            "enable": In(1),
            "x": In(self.x_bits),
            "multiplier": In(self.multiplier_bits),
            "addend": In(self.output_bits),
            "o": Out(self.output_bits),
        }


def as_operand(config: MultiplyAddConfig, x: Value) -> Value:
    """`x` as two's complement of `operand_bits` bits."""
    return (x if config.x_signed else Cat(x, C(0, 1))).as_signed()
