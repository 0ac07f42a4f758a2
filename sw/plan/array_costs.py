"""What a matrix-vector layer costs: its array from the adders that it is made of, and its memories."""

from __future__ import annotations

from collections.abc import Sequence

from ...hw.integer_tree import IntegerTreeConfig
from ...hw.leaf_memory import LeafMemoryConfig
from ...hw.matrix_vector import MatrixVectorConfig
from ...hw.matrix_vector_layer import MatrixVectorLayerConfig
from ...hw.multiplier_tree import MultiplierTreeConfig
from ...hw.operands import Products
from ...hw.parity_popcount import ParityPopcountConfig
from ...hw.popcount import PopcountConfig
from ...hw.preset_memory import PresetMemoryConfig
from ...hw.replay import ReplayConfig
from ...hw.weight_memory import WeightMemoryConfig
from .memory_costs import (
    block_memory,
    block_table,
    comparison_luts,
    constants,
    counter,
    fifo_terms,
    lut_ram,
    memory_terms,
    table_luts,
    up_down_luts,
)
from .terms import Terms
from .tree_costs import count_terms, integer_terms, product_terms


def layer_terms(config: MatrixVectorLayerConfig, family: str) -> Terms:
    """Replay buffer, weights, presets and array."""
    unit, weights, presets = config.unit, config.weights, config.presets
    is_plain = isinstance(unit.operands, Products) and unit.element.is_unfolded
    is_plain = is_plain and presets is not None and len(set(presets.contents)) == 1
    terms = _array(unit, family, is_plain)
    terms.add(_control(unit, family)).add(_replay(config.replay, family))
    if isinstance(weights, LeafMemoryConfig):
        terms.add(_leaves(weights, family))
    elif weights is not None:
        terms.add(_weights(weights, unit, family))
    if presets is not None:
        terms.add(_presets(presets, family))
    return terms


def _control(unit: MatrixVectorConfig, family: str) -> Terms:
    """Which beat, word and use it is, whether a result has a place, and the queue of results."""
    terms = Terms().lut("layer.base", 10).flip_flops("layer.base", 6 + unit.count_cycles * 2)
    for length in (unit.n_words, unit.transfers_per_vector, unit.operands.planes):
        terms.add(counter(length, family))
    if unit.uses < unit.row_groups:
        terms.add(counter(unit.uses, family))
    if unit.back_pressure == "credit" and unit.queue.depth > 1:
        bits = unit.queue.depth.bit_length()
        terms.lut("layer.credit", up_down_luts(bits, family)).flip_flops("layer.credit", bits + 1)
    return terms.add(fifo_terms(unit.queue, family))


def _leaves(weights: LeafMemoryConfig, family: str) -> Terms:
    """A memory for each leaf."""
    terms = Terms()
    for group, (depth, width) in enumerate(weights.memory_shapes):
        if weights.form == "ecp5":
            terms.add(block_memory(width, depth, "ecp5", family))
        else:
            terms.add(block_table(weights.table(group), width, weights.form, family))
    return terms


MOST_ALIKE = 24
"""Words from which a lane of weights is never the same in all of them."""


def _weights(weights: WeightMemoryConfig, unit: MatrixVectorConfig, family: str) -> Terms:
    """Lanes with the same weights in all words share a table."""
    terms, width, depth = Terms(), weights.width, weights.depth
    if weights.memory == "block":
        if weights.form == "ecp5" or depth > MOST_ALIKE:
            return block_memory(width, depth, weights.form, family)
        tree, words = unit.element.popcount, weights.contents
        if not any(words):
            return block_memory(_varying(width, depth), depth, weights.form, family)
        if isinstance(tree, ParityPopcountConfig):
            words = _coded_changes(words, tree, width)
        return block_table(words, width, weights.form, family)
    if depth > 1:
        luts, registers = constants(weights.contents, width)
        if not any(weights.contents):
            registers = _different(width, depth)
            luts = table_luts(registers, depth)
        terms.lut("weights.logic", luts)
        if family == "ecp5":  # in front of the last register
            terms.flip_flops("weights.logic", registers)
    return terms


def _varying(width: int, depth: int) -> int:
    """Lanes that are not the same in all of so many words, of random weights. Blank ones (`layer_stages`) are taken for such."""
    return max(1, round(width * (1 - 2.0 ** (1 - depth))))


def _different(width: int, depth: int) -> int:
    """Lanes of random weights that differ from all others and vary: of few words there are not many."""
    if depth >= 2 * MOST_ALIKE:
        return width
    kinds = 2**depth
    return round((kinds - 2) * (1 - (1 - 1 / kinds) ** width))


def _coded_changes(words: Sequence[int], tree: ParityPopcountConfig, width: int) -> list[int]:
    """What words of weights that are stored coded differ in from the first: a parity of all lanes up to each, element by element."""
    simd, coded = tree.simd, (1 << tree.coded_lanes) - 1
    changes = []
    for word in words:
        change, stored = word ^ words[0], 0
        for at in range(0, width, simd):
            lanes = change >> at & (1 << simd) - 1
            parity, step = lanes & coded, 1
            while step < simd:
                parity ^= parity << step
                step *= 2
            stored |= (parity & coded | lanes & ~coded) << at
        changes.append(stored)
    return changes


def _presets(presets: PresetMemoryConfig, family: str) -> Terms:
    """The table, and counters of the pixels where there are border classes."""
    terms = Terms()
    depth, width = presets.depth, presets.width
    if presets.memory == "block":
        if presets.form == "ecp5":
            terms.add(block_memory(width, depth, presets.form, family))
        else:
            terms.add(block_table(presets.table, width, presets.form, family))
    else:
        luts, registers = constants(presets.contents, width)
        terms.lut("presets.logic", luts).flip_flops("presets.logic", registers)
    terms.add(counter(presets.row_groups, family))
    if presets.has_border_classes:
        for classes in (presets.row_classes, presets.column_classes):
            terms.add(counter(len(classes), family))
            compared = comparison_luts((len(classes) - 1).bit_length())
            terms.lut("presets.classes", compared * max(classes))
        terms.flip_flops("presets.classes", (depth - 1).bit_length())
    return terms


def _replay(replay: ReplayConfig, family: str) -> Terms:
    """A register, or two banks and what fills them."""
    terms = Terms()
    if not replay.is_buffered:
        return terms.lut("replay.register", 2).flip_flops("replay.register", replay.width)
    depth, width = replay.memory_shape
    terms.lut("replay.base", 10).flip_flops("replay.base", 5).add(counter(replay.words, family))
    if replay.memory == "block":
        terms.add(block_memory(width, depth, replay.form, family))
    elif replay.memory == "lut_ram":
        terms.add(lut_ram(width, depth)).flip_flops("replay.register", width)
    else:
        terms.add(memory_terms("logic", width, depth, family))
    if replay.coding is not None:
        coded = replay.coding.coded_lanes
        terms.lut("array.coder", 1.25 * coded).flip_flops("array.coder", 1.5 * coded)
    return terms


def _array(unit: MatrixVectorConfig, family: str, starts_with_nothing: bool) -> Terms:
    """The processing elements, from the adders that they are made of."""
    tree = unit.element.popcount
    if isinstance(tree, MultiplierTreeConfig):
        row = product_terms(tree, family)
        shared = tree.activation_bits
    elif isinstance(tree, IntegerTreeConfig):
        row = integer_terms(tree, family)
        shared = 0
    else:
        assert isinstance(tree, PopcountConfig | ParityPopcountConfig), (
            "there are no other operands"
        )
        row, shared = count_terms(tree, family)
    accumulated = _accumulator(unit, family, starts_with_nothing)
    if family == "ecp5" and unit.element.output == "bits":
        accumulated.lut("array.signs", 1)
    return Terms().add(row, unit.pe).add(accumulated, unit.pe).flip_flops("array.waiting", shared)


def _accumulator(unit: MatrixVectorConfig, family: str, starts_with_nothing: bool) -> Terms:
    """What adds counts up, and a beat's planes before. Of products of a single beat `starts_with_nothing` is the sum where there is no threshold or bias."""
    element, planes = unit.element, unit.operands.planes
    bits = element.register_bits
    terms = Terms().flip_flops("array.accumulator", bits + element.is_doubled)
    half = (2 * element.popcount.most - 1).bit_length() if planes > 1 else 0
    if planes > 1:
        terms.flip_flops("array.planes", half + planes - 1)
    if family == "ecp5":  # on one chain, a half more for each adder
        halves = bits + 1 + (half + 1 if planes > 1 else 0)
        return terms.lut("array.chains", 2 * -(-halves // 2))
    if (
        element.is_preset_last
    ):  # starts at 0; the sign is all that is looked at of the sum with the preset
        terms.carries = unit.accumulator_bits
        return terms.lut("array.accumulator", bits + half).lut("array.signs", 1)
    if starts_with_nothing:
        return terms
    terms.lut("array.accumulator", bits + half)
    return terms.lut("array.start", 0 if element.is_unfolded else bits)
