"""Number of ones in a word, as a pipelined tree of adders."""

from dataclasses import dataclass
from functools import cached_property

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

LEAF_BITS = 3
"""Bits that the first level counts at once: the most whose count fits two bits."""


@dataclass(frozen=True)
class PopcountConfig:
    """Shape of a popcount tree.

    Parameters
    ----------
    n_bits : int - bits of the word, at least 1
    """

    n_bits: int

    def __post_init__(self) -> None:
        if self.n_bits < 1:
            raise ValueError(f"Number of bits must be at least 1, not {self.n_bits!r}")

    @property
    def output_bits(self) -> int:
        """Bits of the count, which reaches `n_bits` itself."""
        return self.n_bits.bit_length()

    @cached_property
    def latency_cycles(self) -> int:
        """Enabled cycles from a word to its count: one per level of the tree."""
        terms, levels = -(-self.n_bits // LEAF_BITS), 1
        while terms > 1:
            terms, levels = -(-terms // 2), levels + 1
        return levels

    def component(self) -> "Popcount":
        return Popcount(self)


class Popcount(wiring.Component):
    """Counts the ones of a word: ``o = sum(i[k] for k in range(n_bits))``.

    Leaves count three bits each; every following level adds pairs. Each level ends in registers, so that a flip-flop shares
    its logic cell with the adder bit before it and no path is longer than one adder.

    Latency is `config.latency_cycles` enabled cycles; throughput is one word per enabled cycle. There is no valid flag: the
    surroundings delay their own by the same number of enabled cycles.

    Members
    -------
    enable : In(1) - the registers move only while this is high
    i : In(n_bits) - the word
    o : Out(output_bits) - the count
    """

    def __init__(self, config: PopcountConfig) -> None:
        self.config = config
        super().__init__({"enable": In(1), "i": In(config.n_bits), "o": Out(config.output_bits)})

    def elaborate(self, platform) -> Module:
        m = Module()
        leaves = [self.i[k : k + LEAF_BITS] for k in range(0, len(self.i), LEAF_BITS)]
        sums = [sum(leaf[1:], start=leaf[0]) for leaf in leaves]
        level = 0
        while True:
            registers = [
                Signal(len(total), name=f"level{level}_{k}", reset_less=True)
                for k, total in enumerate(sums)
            ]
            with m.If(self.enable):
                m.d.sync += [
                    register.eq(total) for register, total in zip(registers, sums, strict=True)
                ]
            if len(registers) == 1:
                break
            sums = [
                sum(registers[k + 1 : k + 2], start=registers[k])
                for k in range(0, len(registers), 2)
            ]
            level += 1
        m.d.comb += self.o.eq(registers[0])
        return m
