"""What the stages of a residual stream cost: scaling, joins and forks."""

from __future__ import annotations

from ...hw.affine import AffineConfig
from ...hw.constant_table import ConstantTableConfig
from ...hw.primitives.multiply_add import MultiplyAddConfig
from ...hw.shift_add import ShiftAddConfig
from .resources import Resources, counter_luts, memory_cost

LUTS_PER_PARTIAL_BIT = 1.6
"""Lookup tables of a multiplier in logic for each bit of its partial products."""


def affine_cost(config: AffineConfig, family: str) -> Resources:
    """Tables of constants, a multiplier and an adder for each lane, saturation, and two registers behind them."""
    lanes, out, product = config.lanes, config.output_bits, config.product
    one = _product_cost(product)
    places = config.output_places
    lane = Resources((places > 1) * out + config.saturates * out // 2, places * out)
    total = (one + lane).times(lanes) + Resources(8 + counter_luts(config.groups), 12)
    for table in (config.multiplier_table, config.offset_table):
        total += table_cost(table, family)
    return total


def _product_cost(product: MultiplyAddConfig | ShiftAddConfig) -> Resources:
    sums = product.output_bits
    if isinstance(
        product, ShiftAddConfig
    ):  # a shifter of all exponents, and an adder for each further digit
        choices = max(len(product.exponents), 1)
        return Resources(sums * (1 + product.adder_levels + (choices + 1) // 2), 2 * sums)
    if product.form == "logic":
        partial = product.operand_bits * product.multiplier_bits
        return Resources(sums + round(partial * LUTS_PER_PARTIAL_BIT), sums + partial)
    return Resources(sums + 1, sums, dsp=product.n_blocks)


def table_cost(table: ConstantTableConfig, family: str) -> Resources:
    """A table of constants."""
    if table.is_block:
        return memory_cost("block", table.width, len(table.words), family, writable=False)
    luts = constant_luts(table.width, len(set(table.words)) > 1 and len(table.words))
    return Resources(luts)


def constant_luts(width: int, depth: int) -> int:
    """LUTs of so many words of constants in front of an adder: up to four share its own; a LUT holds a bit of 16; above it are multiplexers."""
    per_bit = 0 if depth <= 1 else 0.2 if depth <= 4 else 1 if depth <= 16 else 2.1 * depth / 16
    return round(width * per_bit)
