"""What the parts of stages cost that all kinds of them have: counters, memories, tables of constants and FIFOs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...hw.fifo import FifoConfig
from ...hw.primitives.ecp5.block_memory import block_width
from .resources import inferred_blocks
from .terms import Terms

LUT_WORDS = 16
"""Words of a bit that a lookup table holds, constant or not."""


SMALL_ADDER_BITS = {"ecp5": 4, "ice40": 2}
"""Bits up to which yosys makes an addition of lookup tables alone, without a carry chain."""


def adder_luts(bits: int, family: str) -> float:
    """Of an addition: a CCU2C, which counts as two, adds two bits; on an iCE40 the lookup table beside an SB_CARRY adds one."""
    if bits <= SMALL_ADDER_BITS[family]:
        return 1.5 * bits
    return 2 * -(-bits // 2) if family == "ecp5" else bits


def comparison_luts(bits: int) -> int:
    """Of a comparison of so many bits with a constant."""
    return -(-max(bits - 1, 0) // 3)


def counter(length: int, family: str) -> Terms:
    """A counter with a flag for its last value (`hw.counter`)."""
    terms = Terms()
    if length <= 1:
        return terms
    bits = (length - 1).bit_length()
    terms.lut("counter.end", comparison_luts(bits + 1) + 1)
    if bits <= SMALL_ADDER_BITS[family]:
        terms.lut("counter.small", bits)
    else:
        terms.lut("counter.adder", adder_luts(bits, family))
        if length & (length - 1):  # the reset of its flip-flops is that of the design
            terms.lut("counter.wrap", bits)
    return terms.flip_flops("counter", bits + 1)


def step_luts(bits: int, family: str) -> float:
    """Of a number to which one is added."""
    return bits if bits <= SMALL_ADDER_BITS[family] else adder_luts(bits, family)


def up_down_luts(bits: int, family: str) -> float:
    """Of a number that rises and falls by one: an addition for each way, and the choice between them."""
    return 2 * bits + 2 if bits <= SMALL_ADDER_BITS[family] else 2 * adder_luts(bits, family) + bits


def multiplexer_luts(inputs: int) -> int:
    """Of the choice of one bit from so many."""
    return max(inputs - 1, 0)


def lut_ram(width: int, depth: int) -> Terms:
    """LUT RAM of an ECP5: four bits of 16 words take a TRELLIS_DPR16X4, which counts as six lookup tables; more words are multiplexed."""
    blocks = -(-depth // LUT_WORDS)
    terms = Terms().lut("lut_ram.cells", 6 * -(-width // 4) * blocks)
    if blocks > 1:
        terms.lut("lut_ram.choice", width * multiplexer_luts(blocks) + blocks)
    return terms


def inferred_block(width: int, depth: int, family: str) -> Terms:
    """Block RAM as synthesis infers it; of those above each other a bit is chosen."""
    count, above = inferred_blocks(width, depth, family)
    terms = Terms(block_rams=count)
    if above > 1:
        terms.lut("block.choice", width * (above - 1 - (above > 4)) + above).flip_flops(
            "block.choice", 2
        )
    return terms


def block_memory(width: int, depth: int, form: str, family: str) -> Terms:
    """What `hw.primitives.block_memory` makes of a memory that is written."""
    if form == "ecp5":
        return Terms(block_rams=-(-width // block_width(depth)))
    return inferred_block(width, depth, family)


def block_table(words: Sequence[int], width: int, form: str, family: str) -> Terms:
    """What it makes of constants. Synthesis leaves out bits that are the same in all words."""
    if form == "ecp5":
        return Terms(block_rams=-(-width // block_width(len(words))))
    varying = varying_bits(words)
    return inferred_block(varying, len(words), family) if varying else Terms()


def memory_terms(form: str, width: int, depth: int, family: str) -> Terms:
    """A memory that is written, whose words are read into a register."""
    if form == "block":
        return inferred_block(width, depth, family) if depth else Terms()
    if form == "lut_ram":
        return lut_ram(width, depth).flip_flops("lut_ram.read", width)
    terms = Terms().lut("registers.choice", width * multiplexer_luts(depth))
    return terms.lut("registers.decode", depth).flip_flops("registers", width * (depth + 1))


def constants(words: Sequence[int], width: int) -> tuple[float, int]:
    """Lookup tables and registers of a table in logic: those of each bit, unless it is the same in all words, or in each of them the same as another."""
    depth = len(words)
    if depth < 2:
        return 0, 0
    codes = b"".join(word.to_bytes(-(-width // 8), "little") for word in words)
    rows = np.frombuffer(codes, np.uint8).reshape(depth, -1)
    bits = np.unpackbits(rows, axis=1, bitorder="little")
    columns = np.packbits(bits[:, np.any(bits != bits[0], axis=0)], axis=0)
    different = len(np.unique(columns, axis=1).T) if columns.shape[0] > 8 else _different(columns)
    return table_luts(different, depth), different


def table_luts(different: int, depth: int) -> float:
    """Of so many functions of the address of `depth` words: tables of 16 words, and multiplexers, more of them than there have to be so that they are fast."""
    if depth <= LUT_WORDS:
        return different * (0.5 if depth == 2 else 1)
    return different * (2.5 * depth / LUT_WORDS - 1)


def _different(columns: np.ndarray) -> int:
    """How many columns of at most eight bytes differ."""
    padded = np.zeros((columns.shape[1], 8), np.uint8)
    padded[:, : columns.shape[0]] = columns.T
    return len(np.unique(padded.view(np.uint64)))


def varying_bits(words: Sequence[int]) -> int:
    """Bits that are not the same in all words."""
    first, varying = words[0], 0
    for word in words:
        varying |= word ^ first
    return varying.bit_count()


def fifo_terms(config: FifoConfig, family: str) -> Terms:
    """Registers, or words in a memory with two addresses and a count."""
    width, depth = config.width, config.depth
    if depth == 0:
        return Terms()
    if depth == 1:
        return Terms().lut("fifo.one", 2).flip_flops("fifo.one", width + 1)
    if depth == 2:
        terms = Terms().lut("fifo.two", width).lut("fifo.two.control", 4)
        return terms.flip_flops("fifo.two", 2 * width + 2)
    n_words = depth - config.n_registers
    rounds_up = config.block is not None or config.memory == "lut_ram"
    n_slots = 1 << (n_words - 1).bit_length() if rounds_up else n_words
    bits = (n_slots - 1).bit_length()
    taken = n_words.bit_length()
    indices = step_luts(bits, family) + (0 if rounds_up else comparison_luts(bits) + 1)
    terms = Terms().lut(
        "fifo.control", 6 + 2 * indices + up_down_luts(taken, family) + 2 * comparison_luts(taken)
    )
    terms.flip_flops("fifo.control", 2 * bits + taken + 3 + config.n_registers)
    if config.block is not None:
        return terms.add(block_memory(width, config.block.depth, config.block.form, family))
    words = n_slots if config.memory == "lut_ram" else depth - 1
    return terms.add(memory_terms(config.memory, width, words, family))
