"""What each stage costs on a device: lookup tables, flip-flops, block RAMs and multipliers, estimated before synthesis.

Block RAMs and multipliers follow from the shapes of the memories and operands and are exact. Lookup tables and flip-flops are sums of terms that mirror the
structure of each block, with coefficients fitted to synthesised stages (`terms`, `coefficients`); docs/results.md has the error on stages that were not fitted.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache, singledispatch

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
from . import stream_costs, window_costs
from .array_costs import layer_terms
from .memory_costs import fifo_terms
from .resources import Resources, block_rams, placed
from .terms import Terms

__all__ = ["LINK", "Resources", "block_rams", "stage_cost", "stages_cost"]

LINK = Resources(lut4=606, ff=332, block_rams=3)
"""The link between UART and accelerator, on either family within 8 LUT4 and 3 flip-flops."""


def stages_cost(configs: Iterable[StageConfig], family: str) -> Resources:
    """Estimated cost of stages together."""
    return sum((stage_cost(config, family) for config in configs), start=Resources())


def accelerator_cost(config: AcceleratorConfig, family: str) -> Resources:
    """Estimated cost of a whole design as it is placed, link included."""
    stages = (stage.config for stage in config.stages)
    return placed(LINK + stages_cost(stages, family), family)


def stage_cost(config: StageConfig, family: str) -> Resources:
    """Estimated cost of one stage out of context. Raises TypeError for a stage without an estimate."""
    # Many foldings of a layer share its other stages; an array, with its weights, is large and seldom asked for twice.
    if isinstance(config, MatrixVectorLayerConfig):
        return stage_terms(config, family).cost(family)
    return _known_cost(config, family)


@lru_cache(maxsize=4096)
def _known_cost(config: StageConfig, family: str) -> Resources:
    return stage_terms(config, family).cost(family)


@singledispatch
def stage_terms(config: StageConfig, family: str) -> Terms:
    """The terms of that cost. Raises TypeError for a stage without an estimate."""
    raise TypeError(f"No cost is known for {type(config).__name__}")


stage_terms.register(MatrixVectorLayerConfig, layer_terms)
stage_terms.register(FifoConfig, fifo_terms)
stage_terms.register(AffineConfig, stream_costs.affine_terms)
stage_terms.register(PReLUConfig, stream_costs.prelu_terms)
stage_terms.register(ResidualAddConfig, stream_costs.residual_add_terms)
stage_terms.register(ConcatChannelsConfig, stream_costs.concat_channels_terms)
stage_terms.register(ThresholdConfig, stream_costs.threshold_terms)
stage_terms.register(ThermometerConfig, stream_costs.thermometer_terms)
stage_terms.register(ArgMaxConfig, stream_costs.arg_max_terms)
stage_terms.register(SlidingWindowConfig, window_costs.sliding_window_terms)
stage_terms.register(ParallelWindowConfig, window_costs.parallel_window_terms)
stage_terms.register(MaxPoolConfig, window_costs.max_pool_terms)
stage_terms.register(AvgPoolConfig, window_costs.avg_pool_terms)
stage_terms.register(GlobalAvgPoolConfig, window_costs.global_avg_pool_terms)
stage_terms.register(WidthConverterConfig, window_costs.width_converter_terms)
stage_terms.register(ForkConfig, window_costs.fork_terms)
stage_terms.register(PairSumsConfig, window_costs.pair_sums_terms)
stage_terms.register(BitPlanesConfig, window_costs.bit_planes_terms)
