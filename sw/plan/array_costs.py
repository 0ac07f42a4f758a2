"""What a matrix-vector layer costs: its array from the adders that it is made of, and its memories."""

from __future__ import annotations

from ...hw.integer_tree import IntegerTreeConfig
from ...hw.leaf_memory import LeafMemoryConfig
from ...hw.matrix_vector import MatrixVectorConfig
from ...hw.matrix_vector_layer import MatrixVectorLayerConfig
from ...hw.multiplier_tree import MultiplierTreeConfig
from ...hw.parity_popcount import ParityPopcountConfig
from ...hw.popcount import PopcountConfig
from .resources import Resources, block_rams, counter_luts, memory_cost

LUTS_PER_PARTIAL_BIT = 2.5
"""Lookup tables of a product in logic for each bit of its partial products."""


def layer_cost(config: MatrixVectorLayerConfig, family: str) -> Resources:
    """Cost of replay buffer, weights, presets and array."""
    unit, weights, presets, replay = config.unit, config.weights, config.presets, config.replay
    total = array_cost(unit)
    control = counter_luts(unit.n_words) + counter_luts(unit.transfers_per_vector) + 8
    if isinstance(weights, LeafMemoryConfig):
        rams = (block_rams(width, depth, family) for depth, width in weights.memory_shapes)
        total += Resources(block_rams=sum(rams))
    elif weights is not None:
        total += _weight_cost(weights.memory, weights.width, weights.depth, family)
    if presets is not None:
        total += memory_cost(presets.memory, presets.width, presets.depth, family, writable=False)
        classes = presets.n_row_classes + presets.n_column_classes
        control += counter_luts(unit.row_groups)
        if classes > 2:
            rows, columns = len(presets.row_classes), len(presets.column_classes)
            control += counter_luts(rows) + counter_luts(columns) + 4 * classes
    if replay.is_buffered:
        depth, width = replay.memory_shape
        total += memory_cost(replay.memory, width, depth, family, writable=True)
        control += counter_luts(replay.words) + 10
    if unit.back_pressure == "credit":
        control += 3 + (unit.queue.depth > 1) * (8 + unit.output_width)
    return total + Resources(control, control)


def _weight_cost(form: str, width: int, depth: int, family: str) -> Resources:
    """Lanes whose weights are the same in all words share a lookup table and a flip-flop: of few words there are few that differ."""
    if form != "logic" or family != "ecp5":
        return memory_cost(form, width, depth, family, writable=False)
    kinds = 2**depth
    different = round(kinds * (1 - (1 - 1 / kinds) ** width)) if depth < 32 else width
    per_lane = 1 if depth <= 16 else 1.25 * depth / 16
    return Resources(round(different * per_lane), different)


def array_cost(unit: MatrixVectorConfig) -> Resources:
    """Cost of the processing elements, from the adders that they are made of."""
    tree = unit.element.popcount
    if isinstance(tree, MultiplierTreeConfig):
        row = _multipliers(tree)
    elif isinstance(tree, IntegerTreeConfig):
        row = _integers(tree)
    else:
        return _counters(unit)
    return (row + _accumulator(unit)).times(unit.pe) + Resources(ff=tree.activation_bits)


def _accumulator(unit: MatrixVectorConfig) -> Resources:
    bits = unit.element.register_bits
    return Resources(lut4=bits + 1, ff=bits)


def _multipliers(tree: MultiplierTreeConfig) -> Resources:
    """Products and the adders behind them. On iCE40 the registers of both are those of the blocks."""
    n, operand_bits = tree.simd, tree.element_bits + tree.weight_element_bits
    adders = _halved(n, tree.product_bits)
    luts, registers = sum(adders), sum(adders) + n * tree.product_bits
    if tree.multipliers == "logic":
        partial = tree.element_bits * tree.weight_element_bits
        registers += n * (operand_bits + partial)
        return Resources(luts + round(n * partial * LUTS_PER_PARTIAL_BIT), registers)
    if tree.multipliers == "ice40_bytes":
        return Resources(luts, sum(adders), dsp=-(-n // 2))
    return Resources(luts, registers + n * operand_bits, dsp=n)


def _integers(tree: IntegerTreeConfig) -> Resources:
    """One lookup table for each bit of a pair's sum, and the adders behind them."""
    chosen = sum(tree.term_bits)
    adders = _halved(len(tree.term_bits), tree.element_bits + 1)
    extra = len(adders) if tree.form == "ecp5" else 0
    return Resources(chosen + sum(adders) + extra, chosen + sum(adders))


def _halved(n_terms: int, bits: int) -> list[int]:
    """Width of each adder of a tree of terms of so many bits."""
    widths = []
    while n_terms > 1:
        bits += 1
        widths += [bits] * (n_terms // 2)
        n_terms -= n_terms // 2
    return widths


def _counters(unit: MatrixVectorConfig) -> Resources:
    popcount, bits, carries = unit.element.popcount, unit.element.register_bits, 0
    shared, front, per_leaf = 0, 0, 4.0
    if isinstance(popcount, ParityPopcountConfig):
        # Coded once for all rows, then a LUT4 for each lane before the tree.
        shared, front, per_leaf = popcount.coded_lanes * 3 // 2, popcount.coded_lanes, 2.7
        popcount = popcount.tree
    assert isinstance(popcount, PopcountConfig), "the graph has no other operands"
    leaves = 0 if popcount.absorbed else len(popcount.leaves)
    adders = _adder_bits(popcount)
    if unit.form == "ecp5":  # halves of carry cells: one more for each adder
        luts = 2 * leaves + sum(width + 1 for width in adders) + bits + 1
    else:
        luts = round(per_leaf * leaves) + sum(adders) + bits
        luts += 0 if popcount.absorbed else len(popcount.carry_lanes)
        if unit.element.is_preset_last:  # the sign alone
            luts, carries = luts + 1, unit.accumulator_bits
    luts += front
    registers = sum(adders) + 2 * leaves + 2 * len(popcount.carry_lanes) + bits
    planes = unit.operands.planes
    if planes > 1:  # the halved count of a beat's planes, and the bits that have dropped out
        count_bits = (2 * popcount.most - 1).bit_length()
        luts += count_bits + (unit.form != "ecp5") * count_bits
        registers += count_bits + planes - 1
    return Resources(
        unit.pe * luts + shared, unit.pe * registers + unit.simd, carries=unit.pe * carries
    )


def _adder_bits(popcount: PopcountConfig) -> list[int]:
    """Width of each adder of a popcount tree, the most that its terms can be added up."""
    counts, lanes = [len(leaf) for leaf in popcount.leaves], len(popcount.carry_lanes)
    widths = []
    while len(counts) > 1:
        pairs = len(counts) // 2
        carried = min(lanes, pairs)
        lanes -= carried
        sums = [counts[2 * k] + counts[2 * k + 1] + (k < carried) for k in range(pairs)]
        widths += [total.bit_length() for total in sums]
        counts = sums + counts[2 * pairs :]
    return widths
