"""What each stage costs on a device: lookup tables, flip-flops and block RAMs, estimated before synthesis.

Block RAMs follow from the shapes of the memories. Lookup tables and flip-flops are sums of terms that mirror the structure of
each block, with coefficients fitted to synthesised stages (docs/results.md states the error). Nothing here is used where
a number must be exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

from ...hw.argmax import ArgMaxConfig
from ...hw.fifo import FifoConfig
from ...hw.leaf_memory import LeafMemoryConfig
from ...hw.matrix_vector import MatrixVectorConfig
from ...hw.matrix_vector_layer import MatrixVectorLayerConfig
from ...hw.max_pool import MaxPoolConfig
from ...hw.parity_popcount import ParityPopcountConfig
from ...hw.popcount import PopcountConfig
from ...hw.sliding_window import SlidingWindowConfig
from ...hw.stage import StageConfig
from ...hw.thermometer import ThermometerConfig
from ...hw.threshold import ThresholdConfig
from ...hw.width_converter import WidthConverterConfig

BLOCK_RAM_SHAPES = {
    "ice40": ((16, 256), (8, 512), (4, 1024), (2, 2048)),
    "ecp5": ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384)),
}
"""(width, depth) that one block RAM can take, by family."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Lookup tables, flip-flops, block RAMs, multipliers, and cells of an iCE40 that use their carry alone.

    On ECP5 `lut4` counts a carry cell (CCU2C) as two.
    """

    lut4: int = 0
    ff: int = 0
    block_rams: int = 0
    dsp: int = 0
    carries: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(
            self.lut4 + other.lut4,
            self.ff + other.ff,
            self.block_rams + other.block_rams,
            self.dsp + other.dsp,
            self.carries + other.carries,
        )


LINK = Resources(lut4=500, ff=350, block_rams=3)
"""The link between UART and accelerator."""


def block_rams(width: int, depth: int, family: str) -> int:
    """Block RAMs of a memory, in the best of the device's shapes."""
    return min(-(-width // w) * -(-depth // d) for w, d in BLOCK_RAM_SHAPES[family])


def _memory(form: str, width: int, depth: int, family: str, *, writable: bool) -> Resources:
    if form == "block":
        return Resources(block_rams=block_rams(width, depth, family))
    if writable and form == "logic":  # flip-flops, a write decoder and a read multiplexer
        return Resources(lut4=width * depth // 2 + depth, ff=width * (depth + 1))
    if form == "lut_ram":  # four bits of 16 words: two lookup tables, and their write logic
        return Resources(lut4=-(-width // 4) * -(-depth // 16) * (6 if writable else 4))
    # A table of constants: one LUT holds 16 words of a bit, and what is above is a multiplexer.
    per_bit = 0.5 if depth <= 4 else 0.8 if depth <= 16 else depth / 16 * 0.8
    return Resources(lut4=round(width * per_bit) if depth > 1 else 0, ff=width)


def _counter(length: int) -> int:
    """LUTs of a counter with a flag for its last value."""
    return 2 * (length - 1).bit_length() + 2


@singledispatch
def stage_cost(config: StageConfig, family: str) -> Resources:
    """Estimated cost of one stage out of context. Raises TypeError for a stage without an estimate."""
    raise TypeError(f"No cost is known for {type(config).__name__}")


@stage_cost.register
def _(config: MatrixVectorLayerConfig, family: str) -> Resources:
    unit, weights, presets, replay = config.unit, config.weights, config.presets, config.replay
    total = _array(unit, family)
    control = _counter(unit.n_words) + _counter(unit.beats_per_row) + 8
    if isinstance(weights, LeafMemoryConfig):
        rams = (block_rams(width, depth, family) for depth, width in weights.memory_shapes)
        total += Resources(block_rams=sum(rams))
    elif weights is not None:
        total += _memory(weights.memory, weights.width, weights.depth, family, writable=False)
    if presets is not None:
        total += _memory(presets.memory, presets.width, len(presets.table), family, writable=False)
        classes = presets.n_row_classes + presets.n_column_classes
        control += _counter(unit.row_groups)
        if classes > 2:
            rows, columns = len(presets.row_classes), len(presets.column_classes)
            control += _counter(rows) + _counter(columns) + 4 * classes
    if replay.is_buffered:
        depth, width = replay.memory_shape
        total += _memory(replay.memory, width, depth, family, writable=True)
        control += _counter(replay.words) + 10
    if unit.back_pressure == "credit":
        control += 3 + (unit.queue.depth > 1) * (8 + unit.output_width)
    return total + Resources(control, control)


def _array(unit: MatrixVectorConfig, family: str) -> Resources:
    """The processing elements, from the adders that they are made of."""
    popcount, bits, carries = unit.element.popcount, unit.element.register_bits, 0
    shared, front = 0, 0
    if isinstance(
        popcount, ParityPopcountConfig
    ):  # coded once for all rows, then a LUT4 for each lane before the tree
        shared, front = popcount.coded_lanes * 3 // 2, popcount.coded_lanes
        popcount = popcount.tree
    assert isinstance(popcount, PopcountConfig), "the graph has no other operands yet"
    leaves = 0 if popcount.absorbed else len(popcount.leaves)
    adders = _adder_bits(popcount)
    if unit.form == "ecp5":  # halves of carry cells: one more for each adder
        luts = 2 * leaves + sum(width + 1 for width in adders) + bits + 1
    else:
        luts = 4 * leaves + sum(adders) + bits
        luts += 0 if popcount.absorbed else len(popcount.carry_lanes)
        if not unit.element.is_preset_last:
            luts += bits  # the multiplexer of the start
        else:  # the sign alone
            luts, carries = luts + 1, unit.accumulator_bits
    luts += front
    registers = sum(adders) + 2 * leaves + 2 * len(popcount.carry_lanes) + bits
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


@stage_cost.register
def _(config: SlidingWindowConfig, family: str) -> Resources:
    depth, width = config.memory_shape
    control = Resources(90, 35 + width)
    return _memory(config.memory, width, depth, family, writable=True) + control


@stage_cost.register
def _(config: MaxPoolConfig, family: str) -> Resources:
    depth, width = config.memory_shape
    control = Resources(35 + 2 * width, 18 + width)
    return _memory(config.memory, width, depth, family, writable=True) + control


@stage_cost.register
def _(config: WidthConverterConfig, family: str) -> Resources:
    word = config.word_lanes * config.element_bits
    narrows = config.chunks_per_word > 1  # a shift register that is also loaded
    return Resources(8 + (word if narrows else 0), config.storage_bits + 5)


@stage_cost.register
def _(config: FifoConfig, family: str) -> Resources:
    return Resources(config.width + 5, 2 * config.width + 4)


@stage_cost.register
def _(config: ThresholdConfig, family: str) -> Resources:
    return Resources(config.lanes * config.input_bits + 4, config.lanes + 2)


@stage_cost.register
def _(config: ThermometerConfig, family: str) -> Resources:
    return Resources(config.output_width * config.input_bits // 3 + 4, config.output_width + 2)


@stage_cost.register
def _(config: ArgMaxConfig, family: str) -> Resources:
    width = config.score_bits + 2 * config.label_bits
    # The comparison; and twice what leaves, in two registers, one of them with a multiplexer.
    answer = config.output_width
    return Resources(config.score_bits + answer + 12, width + 2 * answer + 4)
