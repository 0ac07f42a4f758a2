"""Sum of integers times binary weights in one beat of a row, as a tree of adders with a register after each level."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth import *
from amaranth.lib import wiring

from .beat_tree import tree_ports
from .bit_planes import code_offset
from .pair_sums import pair_bits
from .primitives import COUNTING_FORMS, Adder, CountingForm
from .registers import registers


@dataclass(frozen=True)
class IntegerTreeConfig:
    """Shape of an integer tree.

    Parameters
    ----------
    simd : int - lanes of a beat, at least 1
    element_bits : int - bits of an activation, at least 1
    form : str - one of `COUNTING_FORMS`
    """

    simd: int
    element_bits: int
    form: str = "portable"

    def __post_init__(self) -> None:
        for name in ("simd", "element_bits"):
            if getattr(self, name) < 1:
                subject = "SIMD" if name == "simd" else "Element bits"
                raise ValueError(f"{subject} must be at least 1, not {getattr(self, name)!r}")
        if self.form not in COUNTING_FORMS:
            raise ValueError(f"Form must be one of {tuple(COUNTING_FORMS)}, not {self.form!r}")

    step = 1
    has_late_lane = False

    @property
    def counting(self) -> CountingForm:
        return COUNTING_FORMS[self.form]

    @property
    def activation_bits(self) -> int:
        return pair_bits(self.element_bits, self.simd)

    @property
    def weight_bits(self) -> int:
        return self.simd

    @property
    def term_bits(self) -> tuple[int, ...]:
        """Bits of each pair's product, and of the one of the last lane if it has no partner."""
        n_pairs, is_odd = divmod(self.simd, 2)
        return (self.element_bits + 1,) * n_pairs + (self.element_bits,) * is_odd

    @property
    def most(self) -> int:
        """The greatest sum of a beat."""
        return sum((1 << bits) - 1 for bits in self.term_bits)

    @property
    def output_bits(self) -> int:
        return self.most.bit_length()

    @cached_property
    def latency_cycles(self) -> int:
        """Enabled cycles from a beat to its sum: the choice and one per level of adders."""
        return 1 + (len(self.term_bits) - 1).bit_length()

    def offset(self, matrix: np.ndarray, signed: bool) -> np.ndarray:
        """What a row of `matrix` (rows, columns) of +1 and -1 adds up to beyond the signed sum of its products: int64 (rows).

        That of the codes (`bit_planes.code_offset`), and 1 for each pair that is negated by complementing it.
        """
        beats = matrix.reshape(len(matrix), -1, self.simd)
        paired = beats[:, :, : self.simd // 2 * 2]
        n_negated = np.count_nonzero(paired[:, :, 0::2] < 0, axis=(1, 2))
        return code_offset(matrix, self.element_bits, signed) + n_negated

    def component(self) -> IntegerTree:
        return IntegerTree(self)


class IntegerTree(wiring.Component):
    """Adds the products of a beat, as sums of pairs chosen and negated by the weights.

    With weight bits 1 for +1, of two lanes whose weights are equal the tree takes ``x0 + x1``, else ``x0 - x1``, and where the first
    weight is -1 the complement: one LUT4 for each bit, its inputs one bit of both sums and the two weights. All terms are unsigned; what
    that adds is `IntegerTreeConfig.offset`.

    Latency is `config.latency_cycles` enabled cycles; throughput is one beat per enabled cycle. There is no valid flag: the
    surroundings delay their own by the same number of enabled cycles.

    Members
    -------
    enable : In(1) - the registers move only while this is high
    activations : In(activation_bits) - a transfer of `PairSums`
    weights : In(simd)
    o : Out(output_bits) - the sum
    """

    def __init__(self, config: IntegerTreeConfig) -> None:
        self.config = config
        super().__init__(tree_ports(config))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        counting = self.config.counting
        terms = registers(m, self.enable, "term", self._terms())
        most = [(1 << len(term)) - 1 for term in terms]
        level = 0
        while len(terms) > 1:
            adders = [Adder(*terms[k : k + 2]) for k in range(0, len(terms), 2)]
            most = [sum(most[k : k + 2]) for k in range(0, len(most), 2)]
            sums = counting.sums(m, adders, [result.bit_length() for result in most])
            terms = registers(m, self.enable, f"level{level}", sums)
            level += 1
        m.d.comb += self.o.eq(terms[0])
        return m

    def _terms(self) -> list[Value]:
        """The product of each pair, and of the lane that is left."""
        bits = self.config.element_bits
        terms = []
        for pair in range(self.config.simd // 2):
            at = pair * (2 * bits + 1)
            total = self.activations[at : at + bits + 1]
            # The difference's lowest bit is not sent: it is the sum's, inverted.
            difference = Cat(~total[0], self.activations[at + bits + 1 : at + 2 * bits + 1])
            first, second = self.weights[2 * pair], self.weights[2 * pair + 1]
            chosen = Mux(first == second, total, difference)
            terms.append((chosen ^ (~first).replicate(bits + 1))[: bits + 1])
        if self.config.simd % 2:
            terms.append((self.activations[-bits:] ^ (~self.weights[-1]).replicate(bits))[:bits])
        return terms
