"""What a row's tree of adders costs: matches, integers or products of a beat added up, level by level as the hardware builds it."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from ...hw.integer_tree import IntegerTreeConfig
from ...hw.multiplier_tree import MultiplierTreeConfig
from ...hw.parity_popcount import ParityPopcountConfig
from ...hw.popcount import PopcountConfig
from ...hw.primitives.ecp5.counting import LONGEST_CHAIN
from .memory_costs import adder_luts
from .terms import Terms


def product_terms(tree: MultiplierTreeConfig, family: str) -> Terms:
    """Products and the adders behind them. On iCE40 the registers of both are those of the blocks."""
    n, operand_bits = tree.simd, tree.element_bits + tree.weight_element_bits
    terms, bits = Terms(), tree.product_bits
    left = n
    while left > 1:
        bits += 1
        terms.lut("products.adders", left // 2 * adder_luts(bits, family))
        terms.flip_flops("products.adders", -(-left // 2) * bits)
        left -= left // 2
    if tree.multipliers == "logic":
        partial = tree.element_bits * tree.weight_element_bits
        terms.lut("products.logic", 2.5 * n * partial)
        return terms.flip_flops("products.logic", n * (operand_bits + partial + tree.product_bits))
    if tree.multipliers == "ice40_bytes":
        terms.dsp = -(-n // 2)
        return terms
    terms.dsp = n
    return terms.flip_flops("products.operands", n * (tree.weight_element_bits + tree.product_bits))


def integer_terms(tree: IntegerTreeConfig, family: str) -> Terms:
    """One lookup table for each bit of a pair's sum, and the adders behind them."""
    terms = Terms().lut("integers.chosen", sum(tree.term_bits))
    registers, most = sum(tree.term_bits), [(1 << bits) - 1 for bits in tree.term_bits]
    halves, total = [], 0
    while len(most) > 1:
        for k in range(0, len(most) - 1, 2):
            halves.append((1 + max(most[k : k + 2]).bit_length(), True))
            total += (most[k] + most[k + 1]).bit_length()
        most = [sum(most[k : k + 2]) for k in range(0, len(most), 2)]
        registers += sum(value.bit_length() for value in most)
    if family == "ecp5":
        terms.lut("array.chains", _chained(halves))
    else:
        terms.lut("integers.adders", total)
    return terms.flip_flops("array.registers", registers)


def count_terms(tree: PopcountConfig | ParityPopcountConfig, family: str) -> tuple[Terms, int]:
    """A row's popcount, and the registers that all rows share."""
    terms = Terms()
    if isinstance(tree, ParityPopcountConfig):
        # A LUT4 for each coded lane in front of the tree, whose lanes are compared already; two lanes wait beside it.
        terms.lut("array.falls", tree.coded_lanes)
        terms.lut("array.leaves", tree.has_late_lane)
        terms.flip_flops("array.registers", tree.falls + 2 * tree.latency_cycles)
        counted = _popcount(tree.tree, family, is_compared=True) if tree.falls else _Tree()
    else:
        counted = _popcount(tree, family, is_compared=tree.absorbed)
    terms.lut("array.leaves", counted.leaves)
    terms.lut("array.chains" if family == "ecp5" else "array.adders", counted.adders)
    terms.flip_flops("array.registers", counted.registers)
    terms.carries = counted.carries
    return terms, counted.shared


class _Tree(NamedTuple):
    """Lookup tables of leaves and of adders, registers of a row, registers that all rows share, cells that use their carry alone."""

    leaves: int = 0
    adders: int = 0
    registers: int = 0
    shared: int = 0
    carries: int = 0


LEAF_LUTS = (0, 1, 2, 4)
"""Of a leaf of so many lanes on an iCE40, comparisons included."""

COMPARED_LEAF_LUTS = (0, 0, 2, 2)
"""The same of lanes that have been compared."""


@cache
def _popcount(tree: PopcountConfig, family: str, is_compared: bool) -> _Tree:
    """A tree of adders, level by level as `hw.popcount` builds it."""
    counts, waiting = [len(leaf) for leaf in tree.leaves], len(tree.carry_lanes)
    is_ecp5 = family == "ecp5"
    leaves, registers, shared, carries, sums = 0, 0, 0, 0, 0
    halves: list[tuple[int, bool]] = []
    if not tree.absorbed:
        registers = sum(count.bit_length() for count in counts) + waiting
        shared = waiting if is_ecp5 else 0
        if is_ecp5:
            halves = [(2, True) for count in counts if count == 3]
            leaves = sum(count for count in counts if count < 3)
        else:
            luts = COMPARED_LEAF_LUTS if is_compared else LEAF_LUTS
            leaves = sum(luts[count] for count in counts) + (0 if is_compared else waiting)
    while len(counts) > 1:
        totals = []
        for first, second in zip(counts[0::2], counts[1::2], strict=False):
            carried = int(waiting > 0)
            waiting -= carried
            carries += carried
            total = first + second + carried
            bits, added = total.bit_length(), max(first, second).bit_length()
            halves.append((1 + added, added < bits))
            sums += bits
            totals.append(total)
        counts = totals + counts[2 * len(totals) :]
        registers += sum(count.bit_length() for count in counts) + waiting
        shared += waiting if is_ecp5 else 0
    adders = _chained(halves) if is_ecp5 else sums
    if (
        is_ecp5 and tree.levels == 0 and not tree.absorbed
    ):  # leaves are counted inverted, and nothing follows that would take them so
        leaves += sum(tree.leaf_bits)
    return _Tree(leaves, adders, registers, shared, 0 if is_ecp5 else carries)


def _chained(adders: list[tuple[int, bool]]) -> int:
    """Lookup tables of adders on carry chains, each of so many halves of cells, and whether its carry is wanted: as `hw.primitives.ecp5.counting` puts them there."""
    luts, at, begins = 0, 0, False
    for halves, has_carry in adders:
        if at >= LONGEST_CHAIN:
            luts += 2 * -(-(at + begins) // 2)
            at = 0
        if at == 0:
            begins = has_carry
        at += halves
    return luts + 2 * -(-(at + begins) // 2)
