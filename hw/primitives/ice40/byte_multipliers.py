"""Two products of bytes in one SB_MAC16 of the iCE40 UltraPlus."""

from collections.abc import Sequence

from amaranth import *

BYTE = 8


def byte_products(
    m: Module, x: Sequence[Value], w: Sequence[Value], *, x_signed: bool, enable: Value
) -> list[Value]:
    """Products of `x` and the two's complement `w`, elements of at most 8 bits, each 16 bits of two's complement.

    A block has two multipliers of 8 x 8 bits with registers for operands and products, which move while `enable` is high: a product is
    there two enabled cycles after its operands. Synthesis makes one product of each block, at most.
    """
    products: list[Value] = []
    for first in range(0, len(x), 2):
        pair = slice(first, first + 2)
        a = Cat(_byte(value, x_signed) for value in x[pair])
        b = Cat(_byte(value, True) for value in w[pair])
        o = Signal(4 * BYTE, name=f"products{first}")
        m.submodules[f"multipliers{first}"] = Instance(
            "SB_MAC16",
            p_MODE_8x8=1,
            p_A_SIGNED=int(x_signed),
            p_B_SIGNED=1,
            p_A_REG=1,
            p_B_REG=1,
            p_TOP_8x8_MULT_REG=1,
            p_BOT_8x8_MULT_REG=1,
            # The output is the product itself, past the accumulators.
            p_TOPOUTPUT_SELECT=2,
            p_BOTOUTPUT_SELECT=2,
            i_CLK=ClockSignal(),
            i_CE=enable,
            i_A=_two_bytes(a),
            i_B=_two_bytes(b),
            i_C=C(0, 2 * BYTE),
            i_D=C(0, 2 * BYTE),
            **{f"i_{pin}": C(0, 1) for pin in _UNUSED},
            o_O=o,
        )
        products += [o.word_select(k, 2 * BYTE).as_signed() for k in range(len(x[pair]))]
    return products


_UNUSED = (
    "AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP", "OLOADBOT",
    "ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT", "CI", "ACCUMCI", "SIGNEXTIN",
)  # fmt: skip


def _byte(value: Value, is_signed: bool) -> Value:
    """8 bits of the same number."""
    top = value[-1] if is_signed else C(0, 1)
    return Cat(value, top.replicate(BYTE))[:BYTE]


def _two_bytes(value: Value) -> Value:
    return Cat(value, C(0, 2 * BYTE))[: 2 * BYTE]
