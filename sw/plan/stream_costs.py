"""What the stages of a residual stream cost: scaling, slopes, sums and copies of channels."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence

from ...hw.affine import AffineConfig
from ...hw.argmax import ArgMaxConfig
from ...hw.concat_channels import ConcatChannelsConfig
from ...hw.constant_table import ConstantTableConfig
from ...hw.fifo import FifoConfig
from ...hw.prelu import PReLUConfig
from ...hw.primitives.multiply_add import MultiplyAddConfig
from ...hw.residual_add import ResidualAddConfig
from ...hw.rounded_shift import RoundedShiftConfig
from ...hw.shift_add import ShiftAddConfig
from ...hw.thermometer import ThermometerConfig
from ...hw.threshold import ThresholdConfig
from .memory_costs import (
    adder_luts,
    block_table,
    comparison_luts,
    constants,
    counter,
    fifo_terms,
    memory_terms,
    multiplexer_luts,
    up_down_luts,
)
from .terms import Terms


def affine_terms(config: AffineConfig, family: str) -> Terms:
    """Tables of constants, a multiplier and an adder for each lane, saturation, and two registers behind them."""
    lanes, out = config.lanes, config.output_bits
    terms = Terms().lut("pipeline", 4).flip_flops("pipeline", config.pipeline_cycles)
    terms.add(counter(config.groups, family)).add(fifo_terms(config.queue, family))
    for lane in range(lanes):
        terms.add(_product(config.product, config.constants.multipliers[lane::lanes], family))
    terms.flip_flops("affine.lead", lanes * config.lead_cycles * config.product.x_bits)
    if config.saturates:
        above = comparison_luts(config.result_bits - out + 1)
        terms.lut("saturation", lanes * (out + 2 * above + 1)).flip_flops("saturation", lanes * out)
    for table in (config.multiplier_table, config.offset_table):
        terms.add(_table(table, family))
    return terms


def _product(
    product: MultiplyAddConfig | ShiftAddConfig, multipliers: Sequence[int], family: str
) -> Terms:
    """A product with any of `multipliers` and the adder behind it."""
    terms, bits = Terms(), product.output_bits
    if isinstance(product, ShiftAddConfig):
        choices = len(product.exponents)
        deep = product.exponent_bits if product.is_barrel else multiplexer_luts(choices)
        terms.lut(
            "shifts.chosen", bits * (deep + product.has_signs * 0.5 + product.has_zeros * 0.5)
        )
        terms.lut("adder", adder_luts(bits, family) * (1 + product.adder_levels))
        return terms.flip_flops("product", bits * (1 + product.is_chosen + product.adder_levels))
    if product.form == "logic":
        return terms.add(_partial_products(product, multipliers, family)).lut("adder", adder_luts(bits, family)).flip_flops("product", bits)  # fmt: skip
    terms.dsp = product.n_blocks
    if product.form == "ice40":
        return terms
    if product.n_blocks > 1:
        both = product.operand_bits + product.multiplier_bits - 17
        terms.lut("adder", adder_luts(both, family)).flip_flops("product", both + 17)
    return terms.lut("adder", adder_luts(bits, family)).flip_flops("product", bits)


def _partial_products(product: MultiplyAddConfig, multipliers: Sequence[int], family: str) -> Terms:
    """A partial product for each bit of the shorter operand, added in pairs, a register after each level; of multipliers' bits that are the same in all or alike there is one."""
    bits = product.multiplier_bits
    short, long = sorted((product.operand_bits, bits))
    chosen, used = short, 1.0
    if bits == short:
        words = [value & (1 << bits) - 1 for value in multipliers]
        _, chosen = constants(words, bits)
        used = functools.reduce(operator.or_, words).bit_count() / bits
    terms = Terms().lut("product.partial", chosen * long)
    registers, widths, step = short + long, [long] * short, 1
    while len(widths) > 1:
        pairs = len(widths) // 2
        total = widths[0] + step + 1
        terms.lut("product.adders", used * pairs * adder_luts(total - step, family))
        widths = [total] * pairs + widths[2 * pairs :]
        registers += used * sum(widths)
        step *= 2
    return terms.flip_flops("product", registers)


def _table(table: ConstantTableConfig, family: str) -> Terms:
    """A table of constants that is read ahead."""
    if table.is_block:
        return block_table(table.words, table.width, table.form, family)
    luts, different = constants(table.words, table.width)
    return Terms().lut("constants", luts).flip_flops("constants", different * (table.latency_cycles > 0))  # fmt: skip


def prelu_terms(config: PReLUConfig, family: str) -> Terms:
    """A shifter for each lane, or a multiplier, and two registers behind them; slopes are a table in logic."""
    bits, lanes, groups = config.element_bits, config.lanes, config.groups
    terms = Terms().lut("pipeline", 4).flip_flops("pipeline", config.pipeline_cycles)
    terms.add(counter(groups, family)).add(fifo_terms(config.queue, family))
    if config.is_multiplier_free:
        for shift in config.shifts:
            terms.add(_shift(shift, family))
        known = [
            {slope: shift.code(slope) for slope in set(shift.slopes)} for shift in config.shifts
        ]
        bits = max(shift.code_bits for shift in config.shifts)
        codes = [known[k % lanes][slope] for k, slope in enumerate(config.slopes)]
        return terms.add(_slopes(codes, bits, lanes))
    product = config.product
    mask = (1 << product.multiplier_bits) - 1
    for lane in range(lanes):
        slopes = [slope >> config.common_zeros & mask for slope in config.slopes[lane::lanes]]
        terms.add(_product(product, (*slopes, 1 << config.shift - config.common_zeros), family))
    codes = [slope >> config.common_zeros & mask for slope in config.slopes]
    terms.add(_slopes(codes, product.multiplier_bits, lanes))
    terms.lut("prelu.slope", lanes * product.multiplier_bits)
    if config.saturates:
        terms.lut("saturation", lanes * (bits + 2)).flip_flops("saturation", lanes * bits)
    return terms


def _slopes(codes: Sequence[int], bits: int, lanes: int) -> Terms:
    """The table of all channels' codes, those of `lanes` channels in a word."""
    words = [
        sum(code << bits * lane for lane, code in enumerate(codes[first : first + lanes]))
        for first in range(0, len(codes), lanes)
    ]
    luts, different = constants(words, bits * lanes)
    return Terms().lut("constants", luts).flip_flops("constants", different)


def _shift(config: RoundedShiftConfig, family: str) -> Terms:
    """Multiplexers of all distances, and an adder that rounds."""
    choices, bits = len(config.choices), config.bits + config.left + config.saturates
    deep = config.distance_bits if config.is_barrel else multiplexer_luts(choices)
    terms = Terms().lut("shifts.chosen", bits * deep)
    lost = sum(comparison_luts(distance) for distance in config.distances)
    terms.lut("shifts.rounding", multiplexer_luts(choices) + 2 + config.has_negatives * lost)
    terms.lut("adder", adder_luts(bits, family)).flip_flops("product", bits + 1 + config.bits)
    if config.saturates:
        terms.lut("saturation", config.bits + 2)
    return terms


def residual_add_terms(config: ResidualAddConfig, family: str) -> Terms:
    """An adder and saturation for each lane, and two registers behind them."""
    bits, lanes = config.element_bits, config.lanes
    sums = lanes * (adder_luts(bits + 1, family) + bits)
    return fifo_terms(config.queue, family).lut("residual_add.sums", sums)


def concat_channels_terms(config: ConcatChannelsConfig, family: str) -> Terms:
    """Two pixels, and counters of what comes and what goes."""
    depth, width = config.memory_shape
    terms = memory_terms(config.memory, width, depth, family).lut("concat.base", 8).flip_flops("concat.base", 5)  # fmt: skip
    terms.add(counter(config.groups, family), 2).add(counter(config.copies, family))
    taken = (2 * config.groups).bit_length()
    return terms.lut("concat.counts", 2 * up_down_luts(taken, family)).flip_flops("concat.counts", 2 * taken)  # fmt: skip


def threshold_terms(config: ThresholdConfig, family: str) -> Terms:
    """A comparison for each lane, with a table of constants where channels take turns."""
    bits, lanes, groups = config.input_bits, config.lanes, config.groups
    terms = fifo_terms(_queue(lanes), family).add(counter(groups, family))
    terms.lut("threshold.base", 2)
    words, width = [0] * groups, 0
    for lane in range(lanes):
        limits = config.thresholds[lane::lanes]
        if len(set(limits)) == 1:
            terms.lut("comparison", comparison_luts(bits))
            continue
        for group, limit in enumerate(limits):
            words[group] |= (-limit & (1 << bits) - 1) << width
        width += bits
        # Of the sum that compares only the carry is looked at.
        terms.lut("threshold.compared", adder_luts(bits + 1, family) if family == "ecp5" else 1)
    luts, _ = constants(words, width)
    return terms.lut("threshold.constants", luts)


def thermometer_terms(config: ThermometerConfig, family: str) -> Terms:
    """A comparison for each level of each lane."""
    bits, compared = config.input_bits, 0
    # Each lookup table compares three bits more; levels whose lower bits are the same share theirs.
    for low in range(4, bits + 3, 3):
        compared += len({level % (1 << min(low, bits)) for level in config.thresholds})
    terms = Terms().lut("thermometer", config.lanes * compared).lut("thermometer.base", 2)
    return terms.flip_flops("thermometer", config.output_width + 1)


def arg_max_terms(config: ArgMaxConfig, family: str) -> Terms:
    """A comparison, the largest score so far, its label, and two registers behind."""
    bits, labels = config.score_bits, config.label_bits
    terms = fifo_terms(_queue(config.output_width), family).add(counter(config.n_classes, family))
    terms.lut("arg_max.base", 4).lut("adder", adder_luts(bits + 1, family))
    terms.lut("arg_max.largest", bits)
    return terms.flip_flops("arg_max.largest", 2 * bits + labels + 4)


def _queue(width: int) -> FifoConfig:
    return FifoConfig(width, 2)
