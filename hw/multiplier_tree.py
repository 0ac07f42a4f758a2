"""Sum of integer products in one beat of a row: a multiplier for each lane, then a tree of adders."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth import *
from amaranth.lib import wiring

from .beat_tree import tree_ports
from .primitives import COUNTING_FORMS, CountingForm
from .primitives.ice40.byte_multipliers import BYTE, byte_products
from .registers import registers

MULTIPLIERS = ("inferred", "ice40_bytes", "logic")


@dataclass(frozen=True)
class MultiplierTreeConfig:
    """Shape of a multiplier tree.

    Parameters
    ----------
    simd : int - lanes of a beat, at least 1
    element_bits : int - bits of an activation, 2 to 18
    signed : bool - activations are two's complement
    weight_element_bits : int - bits of a weight, two's complement, 2 to 18
    multipliers : str - "inferred": left to synthesis, which takes a DSP block for each; "ice40_bytes": two in each SB_MAC16, of at most 8 x 8
        bits; "logic": partial products, never in DSP blocks
    form : str - one of `COUNTING_FORMS`, for the accumulator behind the tree
    """

    simd: int
    element_bits: int = 8
    signed: bool = True
    weight_element_bits: int = 8
    multipliers: str = "inferred"
    form: str = "portable"

    def __post_init__(self) -> None:
        if self.simd < 1:
            raise ValueError(f"SIMD must be at least 1, not {self.simd!r}")
        for name in ("element_bits", "weight_element_bits"):
            if not 2 <= getattr(self, name) <= 18:
                subject = name.replace("_", " ").capitalize()
                raise ValueError(f"{subject} must be 2 to 18, not {getattr(self, name)!r}")
        if self.multipliers not in MULTIPLIERS:
            raise ValueError(f"Multipliers must be one of {MULTIPLIERS}, not {self.multipliers!r}")
        if (
            self.multipliers == "ice40_bytes"
            and max(self.element_bits, self.weight_element_bits) > BYTE
        ):
            raise ValueError(
                f"Operands of 'ice40_bytes' must have at most {BYTE} bits, "
                f"not {self.element_bits} and {self.weight_element_bits}"
            )
        if self.form not in COUNTING_FORMS:
            raise ValueError(f"Form must be one of {tuple(COUNTING_FORMS)}, not {self.form!r}")

    step = 1
    has_late_lane = False

    @property
    def counting(self) -> CountingForm:
        return COUNTING_FORMS[self.form]

    @property
    def activation_bits(self) -> int:
        return self.simd * self.element_bits

    @property
    def weight_bits(self) -> int:
        return self.simd * self.weight_element_bits

    @property
    def product_bits(self) -> int:
        return self.element_bits + self.weight_element_bits

    @property
    def output_bits(self) -> int:
        return self.product_bits + (self.simd - 1).bit_length()

    @property
    def most(self) -> int:
        """The greatest output."""
        return (1 << self.output_bits) - 1

    @property
    def product_cycles(self) -> int:
        """Registers of a product: one of a DSP block, or one per level of partial products."""
        return (self.weight_element_bits - 1).bit_length() if self.multipliers == "logic" else 1

    @cached_property
    def latency_cycles(self) -> int:
        """Enabled cycles from a beat to its sum: operands, product, and one per level of adders."""
        return 1 + self.product_cycles + (self.simd - 1).bit_length()

    def offset(self, matrix: np.ndarray) -> np.ndarray:
        """What a row of `matrix` (rows, columns) adds up to beyond the sum of its products: int64 (rows), the same for all.

        The output is the sum with its highest bit inverted. In logic the partial product of a weight's sign is complemented
        instead of negated.
        """
        n_beats = matrix.shape[1] // self.simd
        offset = n_beats << (self.output_bits - 1)
        if self.multipliers == "logic":
            offset -= matrix.shape[1] << (self.weight_element_bits - 1)
        return np.full(len(matrix), offset, np.int64)

    def component(self) -> MultiplierTree:
        return MultiplierTree(self)


class MultiplierTree(wiring.Component):
    """Multiplies lane by lane and adds: ``o = sum(x[k] * w[k]) + constant``, the constant being `MultiplierTreeConfig.offset`'s of a beat.

    Operands and products have registers of their own, as DSP blocks do: on iCE40 both are those of the SB_MAC16 itself. Every level of adders ends
    in registers.

    Latency is `config.latency_cycles` enabled cycles; throughput is one beat per enabled cycle. There is no valid flag: the
    surroundings delay their own by the same number of enabled cycles.

    Members
    -------
    enable : In(1) - the registers move only while this is high
    activations : In(simd * element_bits) - lane 0 least significant
    weights : In(simd * weight_element_bits) - lane 0 least significant
    o : Out(output_bits) - the sum, unsigned by its highest bit being inverted
    """

    def __init__(self, config: MultiplierTreeConfig) -> None:
        self.config = config
        super().__init__(tree_ports(config))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        x = [self.activations.word_select(k, config.element_bits) for k in range(config.simd)]
        w = [self.weights.word_select(k, config.weight_element_bits) for k in range(config.simd)]
        terms = self._products(m, x, w)
        level = 0
        while len(terms) > 1:
            sums = [sum(terms[k + 1 : k + 2], start=terms[k]) for k in range(0, len(terms), 2)]
            terms = registers(m, self.enable, f"level{level}", sums)
            level += 1
        total = terms[0]
        m.d.comb += self.o.eq(Cat(total[:-1], ~total[-1]))
        return m

    def _products(self, m: Module, x: list[Value], w: list[Value]) -> list[Value]:
        """Products of all lanes, from registers."""
        config = self.config
        if config.multipliers == "ice40_bytes":
            products = byte_products(m, x, w, x_signed=config.signed, enable=self.enable)
            return [product[: config.product_bits].as_signed() for product in products]
        x_registers = registers(
            m, self.enable, "x", [lane.as_signed() if config.signed else lane for lane in x]
        )
        w_registers = registers(m, self.enable, "w", [lane.as_signed() for lane in w])
        if config.multipliers == "logic":
            return self._logic_products(m, x_registers, w_registers)
        products = [a * b for a, b in zip(x_registers, w_registers, strict=True)]
        return registers(m, self.enable, "product", products)

    def _logic_products(self, m: Module, x: list[Value], w: list[Value]) -> list[Value]:
        """Products of all lanes, partial products added in pairs, a register after each level."""
        config = self.config
        lanes = [self._partial_products(a, b) for a, b in zip(x, w, strict=True)]
        step = 1  # weight bits from one partial product to the next
        for level in range(config.product_cycles):
            for lane, parts in enumerate(lanes):
                sums = [
                    sum((part << step for part in parts[k + 1 : k + 2]), start=parts[k])
                    for k in range(0, len(parts), 2)
                ]
                if len(sums) == 1:
                    sums = [sums[0][: config.product_bits].as_signed()]
                lanes[lane] = registers(m, self.enable, f"lane{lane}_level{level}", sums)
            step *= 2
        return [parts[0] for parts in lanes]

    def _partial_products(self, x: Value, w: Value) -> list[Value]:
        """The activation for each bit of the weight that is set, without the bit's power; that of the sign complemented."""
        sign = Mux(w[-1], x, 0)
        return [
            *(Mux(bit, x, 0) for bit in w[:-1]),
            ~(sign if self.config.signed else Cat(sign, C(0, 1)).as_signed()),
        ]
