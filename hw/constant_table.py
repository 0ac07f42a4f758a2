"""A table of constants that is read ahead: the word comes out when what needs it has got that far."""

from __future__ import annotations

from dataclasses import dataclass, field

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .primitives.block_memory import BlockMemoryConfig, block_memory
from .registers import delayed, registers
from .table import table_lookup

TABLE_MEMORIES = ("logic", "block")


@dataclass(frozen=True)
class ConstantTableConfig:
    """Contents and form of a table.

    Parameters
    ----------
    width : int - bits of a word, at least 1
    words : tuple of int - unsigned; a table of equal words is a constant, whatever `memory` says
    latency_cycles : int - enabled cycles from an address to its word, at least 0; from block RAM at least `read_latency`
    memory : str - "logic" (LUTs) or "block" (block RAM)
    read_latency : int - cycles that the block RAM takes, 1 or 2
    form : str - what "block" is made of, see `primitives.block_memory`
    """

    width: int
    words: tuple[int, ...] = field(repr=False)
    latency_cycles: int = 0
    memory: str = "logic"
    read_latency: int = 1
    form: str = "portable"

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"Table width must be at least 1, not {self.width!r}")
        if not self.words:
            raise ValueError("Table words must be at least one, not ()")
        if min(self.words) < 0 or max(self.words) >> self.width:
            raise ValueError(f"Table words must have at most {self.width} bits, not {max(self.words).bit_length()}")  # fmt: skip
        if self.memory not in TABLE_MEMORIES:
            raise ValueError(f"Memory must be one of {TABLE_MEMORIES}, not {self.memory!r}")
        if self.is_block:
            _ = self.block
            if self.latency_cycles < self.read_latency:
                raise ValueError(
                    f"Table latency must be at least the read latency {self.read_latency}, not {self.latency_cycles!r}"
                )

    @property
    def is_block(self) -> bool:
        """Whether there is a block RAM."""
        return self.memory == "block" and len(set(self.words)) > 1

    @property
    def block(self) -> BlockMemoryConfig:
        return BlockMemoryConfig(
            width=self.width,
            depth=len(self.words),
            contents=self.words,
            read_latency=self.read_latency,
            form=self.form,
        )

    def component(self) -> ConstantTable:
        return ConstantTable(self)


class ConstantTable(wiring.Component):
    """See the module.

    In logic the constants stand before the last register: a bit of up to 16 words is a LUT4 and the flip-flop behind it.

    Members
    -------
    enable : In(1) - the registers move only while this is high
    address : In(range(number of words))
    o : Out(width) - the word whose address was there `latency_cycles` enabled cycles before
    """

    def __init__(self, config: ConstantTableConfig) -> None:
        self.config = config
        super().__init__(
            {"enable": In(1), "address": In(range(len(config.words))), "o": Out(config.width)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        if len(set(config.words)) == 1:
            m.d.comb += self.o.eq(config.words[0])
        elif config.is_block:
            m.submodules.block = block = block_memory(config.block)
            ahead = config.latency_cycles - config.read_latency
            m.d.comb += [
                block.read.address.eq(delayed(m, self.enable, "address", self.address, ahead)),
                block.read.enable.eq(self.enable),
                self.o.eq(block.read.data),
            ]
        elif config.latency_cycles == 0:
            m.d.comb += self.o.eq(table_lookup(config.words, config.width, self.address))
        else:
            at = delayed(m, self.enable, "address", self.address, config.latency_cycles - 1)
            word = table_lookup(config.words, config.width, at)
            m.d.comb += self.o.eq(*registers(m, self.enable, "word", [word]))
        return m
