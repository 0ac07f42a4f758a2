"""What the stages of a residual stream cost: scaling, slopes, pools and copies of channels."""

from __future__ import annotations

from ...hw.affine import AffineConfig
from ...hw.concat_channels import ConcatChannelsConfig
from ...hw.constant_table import ConstantTableConfig
from ...hw.global_avg_pool import GlobalAvgPoolConfig
from ...hw.prelu import PReLUConfig
from ...hw.primitives.multiply_add import MultiplyAddConfig
from ...hw.rounded_shift import RoundedShiftConfig
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


def prelu_cost(config: PReLUConfig, family: str) -> Resources:
    """A shifter for each lane, or a multiplier, and two registers behind them; slopes are a table in logic."""
    bits, lanes, depth = config.element_bits, config.lanes, config.groups
    total = Resources(10 + counter_luts(depth), 8)
    if config.is_multiplier_free:
        for shift in config.shifts:
            total += _shift_cost(shift, depth)
        return total
    one = _product_cost(config.product) + Resources(bits, 2 * bits)
    table = constant_luts(config.product.multiplier_bits, depth)
    return total + (one + Resources(table)).times(lanes)


def _shift_cost(config: RoundedShiftConfig, depth: int) -> Resources:
    """Multiplexers of all distances, two a LUT, and an adder that rounds."""
    bits, choices = config.bits, len(config.distances)
    chosen = bits * max(1, (choices + 1) // 2) + (choices + config.left) // 2
    rounded = bits * (1 + config.has_negatives + config.saturates)
    codes = constant_luts(config.code_bits, depth)
    return Resources(chosen + rounded + codes, 4 * bits)


def global_avg_pool_cost(config: GlobalAvgPoolConfig, family: str) -> Resources:
    """Sums of all channels, an adder for each lane, and where the frame is."""
    depth, width = config.memory_shape
    control = counter_luts(config.pixels) + counter_luts(config.groups) + 10
    sums = Resources(2 * config.output_width, 2 * config.output_width)
    if depth:
        sums += memory_cost(config.memory, width, depth, family, writable=True)
        sums += Resources(width * (-(-depth // 16) - 1)) if config.memory == "lut_ram" else Resources()  # fmt: skip
    return sums + Resources(control, control)


def concat_channels_cost(config: ConcatChannelsConfig, family: str) -> Resources:
    """Two pixels, and counters of what comes and what goes."""
    depth, width = config.memory_shape
    words = memory_cost(config.memory, width, depth, family, writable=True)
    if config.memory == "lut_ram":
        words += Resources(width * (-(-depth // 16) - 1), width)
    control = 2 * counter_luts(config.groups) + counter_luts(config.copies) + 12
    return words + Resources(control, control)


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
    depth = len(table.words) if len(set(table.words)) > 1 else 1
    # Of long tables the words have a register of their own.
    return Resources(constant_luts(table.width, depth), table.width if depth > 16 else 0)


def constant_luts(width: int, depth: int) -> int:
    """LUTs of so many words of constants in front of an adder: up to four share its own; a LUT holds a bit of 16; above it are multiplexers."""
    per_bit = 0 if depth <= 1 else 0.2 if depth <= 4 else 1 if depth <= 16 else 2.1 * depth / 16
    return round(width * per_bit)
