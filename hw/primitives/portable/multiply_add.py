"""Multipliers with an adder, for any device: left to synthesis, or as partial products."""

from amaranth import *
from amaranth.lib import wiring

from ...registers import registers
from ..multiply_add_config import MultiplyAddConfig, as_operand


class InferredMultiplyAdd(wiring.Component):
    """See `multiply_add`. Registers for operands, product and sum, which DSP blocks may take in."""

    def __init__(self, config: MultiplyAddConfig) -> None:
        self.config = config
        super().__init__(config.members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        operands = [as_operand(config, self.x), self.multiplier.as_signed()]
        a, b = registers(m, self.enable, "operand", operands)
        (product,) = registers(m, self.enable, "product", [a * b])
        with m.If(self.enable):
            m.d.sync += self.o.eq((product >> config.dropped) + self.addend)
        return m


class LogicMultiplyAdd(wiring.Component):
    """See `multiply_add`. A partial product for each bit of the shorter operand, added in pairs, a register after each level."""

    def __init__(self, config: MultiplyAddConfig) -> None:
        self.config = config
        super().__init__(config.members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        operands = [as_operand(config, self.x), self.multiplier.as_signed()]
        short, long = sorted(registers(m, self.enable, "operand", operands), key=len)
        parts = [Mux(bit, long, 0) for bit in short]
        # The highest bit of two's complement counts negative: its part is taken away, by whatever adder it meets.
        is_last_negative, step = True, 1
        for level in range(config.product_cycles - 1):
            sums = []
            for k in range(0, len(parts) - 1, 2):
                above = parts[k + 1] << step
                is_negative = is_last_negative and k + 2 == len(parts)
                sums.append(parts[k] - above if is_negative else parts[k] + above)
            is_last_negative = is_last_negative and len(parts) % 2 == 1
            sums += parts[len(sums) * 2 :]
            parts = registers(m, self.enable, f"level{level}", sums)
            step *= 2
        product = -parts[0] if is_last_negative else parts[0]
        with m.If(self.enable):
            m.d.sync += self.o.eq((product >> config.dropped) + self.addend)
        return m
