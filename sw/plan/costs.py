"""What each stage costs on a device: lookup tables, flip-flops and block RAMs, estimated before synthesis.

Block RAMs follow from the shapes of the memories. Lookup tables and flip-flops are sums of terms that mirror the structure of
each block, with coefficients fitted to synthesised stages (docs/results.md states the error). Nothing here is used where
a number must be exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch

from ...hw.accelerator import AcceleratorConfig
from ...hw.affine import AffineConfig
from ...hw.argmax import ArgMaxConfig
from ...hw.avg_pool import AvgPoolConfig
from ...hw.bit_planes import BitPlanesConfig
from ...hw.concat_channels import ConcatChannelsConfig
from ...hw.fifo import FifoConfig
from ...hw.fork import ForkConfig
from ...hw.global_avg_pool import GlobalAvgPoolConfig
from ...hw.matrix_vector_layer import MatrixVectorLayerConfig
from ...hw.max_pool import MaxPoolConfig
from ...hw.pair_sums import PairSumsConfig
from ...hw.parallel_window import ParallelWindowConfig
from ...hw.prelu import PReLUConfig
from ...hw.residual_add import ResidualAddConfig
from ...hw.sliding_window import SlidingWindowConfig
from ...hw.stage import StageConfig
from ...hw.thermometer import ThermometerConfig
from ...hw.threshold import ThresholdConfig
from ...hw.width_converter import WidthConverterConfig
from .array_costs import layer_cost
from .resources import Resources, block_rams, counter_luts, memory_cost, placed
from .stream_costs import (
    affine_cost,
    concat_channels_cost,
    constant_luts,
    global_avg_pool_cost,
    prelu_cost,
)

__all__ = ["LINK", "Resources", "block_rams", "memory_cost", "stage_cost", "stages_cost"]

LINK = Resources(lut4=500, ff=350, block_rams=3)
"""The link between UART and accelerator."""


def stages_cost(configs: Iterable[StageConfig], family: str) -> Resources:
    """Estimated cost of stages together."""
    return sum((stage_cost(config, family) for config in configs), start=Resources())


def accelerator_cost(config: AcceleratorConfig, family: str) -> Resources:
    """Estimated cost of a whole design as it is placed, link included."""
    stages = (stage.config for stage in config.stages)
    return placed(LINK + stages_cost(stages, family), family)


@singledispatch
def stage_cost(config: StageConfig, family: str) -> Resources:
    """Estimated cost of one stage out of context. Raises TypeError for a stage without an estimate."""
    raise TypeError(f"No cost is known for {type(config).__name__}")


stage_cost.register(MatrixVectorLayerConfig, layer_cost)
stage_cost.register(AffineConfig, affine_cost)
stage_cost.register(PReLUConfig, prelu_cost)
stage_cost.register(GlobalAvgPoolConfig, global_avg_pool_cost)
stage_cost.register(ConcatChannelsConfig, concat_channels_cost)


@stage_cost.register
def _(config: ResidualAddConfig, family: str) -> Resources:
    bits = config.output_width
    return Resources(2 * bits + 4 * config.lanes, bits + 1)


@stage_cost.register
def _(config: ForkConfig, family: str) -> Resources:
    return Resources(2 + 2 * config.branches, config.branches)


@stage_cost.register
def _(config: SlidingWindowConfig, family: str) -> Resources:
    depth, width = config.memory_shape
    control = Resources(90, 35 + width)
    return memory_cost(config.memory, width, depth, family, writable=True) + control


@stage_cost.register
def _(config: ParallelWindowConfig, family: str) -> Resources:
    depth, width = config.memory_shape
    rows = memory_cost(config.memory, width, depth, family, writable=True)
    if (
        config.memory == "lut_ram"
    ):  # words beyond 16 are multiplexed, what is read lies in a register
        rows += Resources(width * (-(-depth // 16) - 1), width)
    rows += Resources(0, config.write_latency * width)
    taps = config.output_width
    return rows.times(config.kernel_height) + Resources(85 + taps // 16, 70 + taps)


@stage_cost.register
def _(config: MaxPoolConfig | AvgPoolConfig, family: str) -> Resources:
    depth, width = config.memory_shape
    control = Resources(35 + 2 * width, 18 + width)
    return memory_cost(config.memory, width, depth, family, writable=True) + control


@stage_cost.register
def _(config: WidthConverterConfig, family: str) -> Resources:
    word = config.word_lanes * config.element_bits
    narrows = config.chunks_per_word > 1  # a shift register that is also loaded
    return Resources(8 + (word if narrows else 0), config.storage_bits + 5)


@stage_cost.register
def _(config: FifoConfig, family: str) -> Resources:
    width, depth = config.width, config.depth
    if depth <= 2:
        return Resources((depth > 1) * (width + 5), depth * (width + 2))
    index_bits = (depth - 1).bit_length()
    words = memory_cost(config.memory, width, depth - 1, family, writable=True)
    if config.memory == "lut_ram":  # a power of two of words, multiplexed beyond 16
        words = memory_cost("lut_ram", width, 1 << index_bits, family, writable=True)
        words += Resources(width * (-(-depth // 16) - 1), width)
    return words + Resources(8 * index_bits + 6, 3 * index_bits + 3)


@stage_cost.register
def _(config: PairSumsConfig, family: str) -> Resources:
    return Resources(config.output_width, config.output_width + 1)


@stage_cost.register
def _(config: BitPlanesConfig, family: str) -> Resources:
    return Resources(config.input_width + 8, config.input_width + 5)


@stage_cost.register
def _(config: ThresholdConfig, family: str) -> Resources:
    width, depth = config.lanes * config.input_bits, len(config.thresholds) // config.lanes
    control = counter_luts(depth) if depth > 1 else 0
    found = Resources(width + constant_luts(width, depth) + control, 3)
    return found + Resources(config.lanes + 4, 2 * config.lanes + 2)  # and two registers behind


@stage_cost.register
def _(config: ThermometerConfig, family: str) -> Resources:
    return Resources(config.output_width * config.input_bits // 5 + 4, config.output_width + 2)


@stage_cost.register
def _(config: ArgMaxConfig, family: str) -> Resources:
    width = config.score_bits + 2 * config.label_bits
    # The comparison; and twice what leaves, in two registers, one of them with a multiplexer.
    answer = config.output_width
    return Resources(config.score_bits + answer + 12, width + 2 * answer + 4)
