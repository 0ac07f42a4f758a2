"""A multiplier with an adder on ECP5: MULT18X18D with all registers, and a carry chain."""

from amaranth import *
from amaranth.lib import wiring

from ...registers import registers
from ..multiply_add_config import MultiplyAddConfig, as_operand

OPERAND_BITS = 18

PART_BITS = 17
"""Of x that fit a block beside the bit that says that they count positive."""


class Ecp5MultiplyAdd(wiring.Component):
    """See `multiply_add`. Operands, the middle of the multiplier and the product have the block's own registers.

    So the way to the block and the way from it have a cycle each, 0.7 ns of which are the block's; synthesis uses none of its registers.
    The adder is two lookup tables for every two bits of the result. Where x has more than 18 bits, a second block
    multiplies the upper ones, and a second adder adds both products.
    """

    def __init__(self, config: MultiplyAddConfig) -> None:
        self.config = config
        super().__init__(config.members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        x = as_operand(config, self.x)
        if config.n_blocks == 1:
            product = self._product(m, "block", x)
        else:
            low = self._product(m, "low_block", Cat(x[:PART_BITS], C(0, 1)).as_signed())
            high = self._product(m, "high_block", x[PART_BITS:].as_signed())
            (product,) = registers(m, self.enable, "product", [low + (high << PART_BITS)])
        with m.If(self.enable):
            m.d.sync += self.o.eq((product >> config.dropped) + self.addend)
        return m

    def _product(self, m: Module, name: str, x: Value) -> Value:
        """``x * multiplier`` three enabled cycles later."""
        a, b = _extended(x), _extended(self.multiplier)
        p = Signal(2 * OPERAND_BITS, name=f"{name}_product")
        registered = {
            f"p_REG_{name}_{kind}": f"{kind}0"
            for name in ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT")
            for kind in ("CLK", "CE")
        }
        m.submodules[name] = Instance(
            "MULT18X18D",
            **registered,
            p_SOURCEB_MODE="B_SHIFT",
            p_RESETMODE="SYNC",
            p_GSR="DISABLED",
            i_CLK0=ClockSignal(),
            i_CE0=self.enable,
            i_RST0=C(0, 1),
            i_SIGNEDA=C(1, 1),
            i_SIGNEDB=C(1, 1),
            i_SOURCEA=C(0, 1),
            i_SOURCEB=C(0, 1),
            **{f"i_A{k}": a[k] for k in range(OPERAND_BITS)},
            **{f"i_B{k}": b[k] for k in range(OPERAND_BITS)},
            **{f"o_P{k}": p[k] for k in range(2 * OPERAND_BITS)},
        )
        return p.as_signed()


def _extended(value: Value) -> Value:
    """18 bits of the same number."""
    return Cat(value, value[-1].replicate(OPERAND_BITS))[:OPERAND_BITS]
