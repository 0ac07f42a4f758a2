"""A multiplier with an adder in one SB_MAC16 of the iCE40 UltraPlus."""

from amaranth import *
from amaranth.lib import wiring

from ..multiply_add_config import MultiplyAddConfig

WORD = 16
"""Bits of an operand; sums have twice as many."""


class Ice40MultiplyAdd(wiring.Component):
    """See `multiply_add`. Everything is in the block: registers for the operands and the addend, the adder, a register for the sum.

    Synthesis must not look for products itself (option ``-dsp`` of ``synth_ice40``): yosys 0.70 then takes this block for one of its own
    and removes its registers.
    """

    def __init__(self, config: MultiplyAddConfig) -> None:
        self.config = config
        super().__init__(config.members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        addend = Cat(C(0, config.dropped), self.addend, self.addend[-1].replicate(2 * WORD))
        o = Signal(2 * WORD)
        m.submodules.block = Instance(
            "SB_MAC16",
            p_A_SIGNED=int(config.x_signed),
            p_B_SIGNED=1,
            **{f"p_{pin}_REG": 1 for pin in "ABCD"},
            # Both halves add the addend's to the product of 16 x 16 bits, the upper one with the carry of the lower one.
            p_TOPADDSUB_LOWERINPUT=2,
            p_TOPADDSUB_UPPERINPUT=1,
            p_TOPADDSUB_CARRYSELECT=2,
            p_BOTADDSUB_LOWERINPUT=2,
            p_BOTADDSUB_UPPERINPUT=1,
            p_TOPOUTPUT_SELECT=1,
            p_BOTOUTPUT_SELECT=1,
            i_CLK=ClockSignal(),
            i_CE=self.enable,
            i_A=_word(self.x, config.x_signed),
            i_B=_word(self.multiplier, True),
            i_C=addend[WORD : 2 * WORD],
            i_D=addend[:WORD],
            **{f"i_{pin}": C(0, 1) for pin in _UNUSED},
            o_O=o,
        )
        m.d.comb += self.o.eq(o[config.dropped :])
        return m


_UNUSED = (
    "AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP", "OLOADBOT",
    "ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT", "CI", "ACCUMCI", "SIGNEXTIN",
)  # fmt: skip


def _word(value: Value, is_signed: bool) -> Value:
    """16 bits of the same number."""
    top = value[-1] if is_signed else C(0, 1)
    return Cat(value, top.replicate(WORD))[:WORD]
