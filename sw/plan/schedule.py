"""When every transfer happens, stage by stage, if nothing stalls.

Each stage is a rule from the cycles in which its inputs arrive to the cycles in which its outputs leave: an output waits for the last
input that it needs, for the stage's own pipeline, and for the output before it. Back-pressure is left out, which is right for the first
frame as long as a stage that is held up gets room again before it has anything that the stages after it wait for.

Times are int64 arrays (frames, transfers); frames follow each other, so an output also waits for those of the frame before.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch

import numpy as np

from ...hw.accelerator import AcceleratorConfig, Source, Stage
from ...hw.affine import AffineConfig
from ...hw.argmax import ArgMaxConfig
from ...hw.bit_planes import BitPlanesConfig
from ...hw.concat_channels import ConcatChannelsConfig
from ...hw.fifo import FifoConfig
from ...hw.fork import ForkConfig
from ...hw.global_avg_pool import GlobalAvgPoolConfig
from ...hw.matrix_vector_layer import MatrixVectorLayerConfig
from ...hw.pair_sums import PairSumsConfig
from ...hw.parallel_window import ParallelWindowConfig
from ...hw.prelu import PReLUConfig
from ...hw.residual_add import ResidualAddConfig
from ...hw.sliding_window import SlidingWindowConfig
from ...hw.square_pool import SquarePoolConfig
from ...hw.stage import StageConfig, n_outputs
from ...hw.thermometer import ThermometerConfig
from ...hw.threshold import ThresholdConfig
from ...hw.width_converter import WidthConverterConfig

Times = dict[Source, np.ndarray]
"""Cycles in which the transfers of outputs happen."""


def first_frame_latency(config: AcceleratorConfig) -> int:
    """Cycles from the first byte of the first frame to its last score, a byte offered in every cycle and every score taken."""
    times = transfer_times(config, np.arange(config.image_bytes)[None])
    return int(times[Source(config.stages[-1].name)][0, -1])


def transfer_times(config: AcceleratorConfig, entries: np.ndarray) -> Times:
    """Times of every output of the accelerator whose bytes come in the cycles `entries` (frames, image_bytes)."""
    first, *rest = config.connections
    output = output_times(first[0].config, entries)
    return follow(
        rest, {Source(first[0].name, k): output for k in range(n_outputs(first[0].config))}
    )


def follow(connections: Iterable[tuple[Stage, tuple[Source, ...]]], times: Times) -> Times:
    """`times` and those of all stages among `connections` whose inputs are known, in their order."""
    times = dict(times)
    for stage, sources in connections:
        if sources and all(source in times for source in sources):
            output = output_times(stage.config, *(times[source] for source in sources))
            times |= {Source(stage.name, k): output for k in range(n_outputs(stage.config))}
    return times


def output_times(config: StageConfig, *inputs: np.ndarray) -> np.ndarray:
    """Cycles in which outputs leave a stage, from those in which its inputs arrive."""
    frames = [earliest(config, *frame) for frame in zip(*inputs, strict=True)]
    return one_per_cycle(np.concatenate(frames)).reshape(len(frames), -1)


def one_per_cycle(times: np.ndarray) -> np.ndarray:
    """The earliest rising cycles that are not before `times` (transfers,)."""
    index = np.arange(len(times))
    return np.maximum.accumulate(times - index) + index


@singledispatch
def earliest(config: StageConfig, *inputs: np.ndarray) -> np.ndarray:
    """Cycle from which each output of a frame could leave if the one before it were out of its way: (outputs,) from (inputs,) for each input.

    Raises TypeError for an unknown stage.
    """
    raise TypeError(f"No schedule is known for {type(config).__name__}")


@earliest.register
def _(config: WidthConverterConfig, inputs: np.ndarray) -> np.ndarray:
    if config.is_wire:
        return inputs
    pieces, chunks = config.pieces_per_word, config.chunks_per_word
    inputs = earliest(config.relay, inputs)
    ends = np.minimum(np.arange(1, config.words_per_frame + 1) * pieces, len(inputs))
    words = inputs[ends - 1]
    if pieces > 1:
        words[-1] += config.words_per_frame * pieces - len(inputs)  # a last word is filled up
        words = one_per_cycle(words + 1)
    if chunks > 1:
        words = words + 1
    return np.repeat(words, chunks)[: config.outputs_per_frame]


@earliest.register
def _(config: SlidingWindowConfig, inputs: np.ndarray) -> np.ndarray:
    # A row of windows starts when the rows of the image that it needs are complete.
    rows = np.array(config.schedule.needed) * config.row_words - 1
    after = config.latency_cycles - config.schedule.needed[0] * config.row_words + 1
    return np.repeat(inputs[rows] + after, config.schedule.read_cycles)


@earliest.register
def _(config: ParallelWindowConfig, inputs: np.ndarray) -> np.ndarray:
    return np.array(config.schedule.play(inputs.tolist()).offered)


@earliest.register
def _(config: MatrixVectorLayerConfig, inputs: np.ndarray) -> np.ndarray:
    unit, replay = config.unit, config.replay
    # A beat is used while it is offered, or from the register that has taken it; a vector in a buffer when all of it is there.
    beats = replay.words if replay.is_buffered else 1
    usable = inputs[beats - 1 :: beats] + replay.fill_cycles
    taken = one_per_cycle(np.repeat(usable, beats * replay.times))
    return taken[unit.transfers_per_vector - 1 :: unit.transfers_per_vector] + unit.latency_cycles


@earliest.register
def _(config: SquarePoolConfig, inputs: np.ndarray) -> np.ndarray:
    size, groups = config.size, config.groups
    pixels = inputs.reshape(config.height, config.width, groups)
    last = pixels[size - 1 :: size, size - 1 :: size][: config.out_height, : config.out_width]
    return last.ravel() + config.output_delay_cycles


@earliest.register
def _(config: GlobalAvgPoolConfig, inputs: np.ndarray) -> np.ndarray:
    return inputs[-config.outputs_per_frame :] + config.output_delay_cycles


@earliest.register
def _(config: ConcatChannelsConfig, inputs: np.ndarray) -> np.ndarray:
    pixels = inputs.reshape(-1, config.groups) + config.latency_cycles
    return np.tile(pixels, config.copies).ravel()


@earliest.register
def _(config: BitPlanesConfig, inputs: np.ndarray) -> np.ndarray:
    return np.repeat(inputs + config.latency_cycles, config.element_bits)


@earliest.register
def _(
    config: AffineConfig
    | ArgMaxConfig
    | FifoConfig
    | ForkConfig
    | PReLUConfig
    | PairSumsConfig
    | ThermometerConfig
    | ThresholdConfig,
    inputs: np.ndarray,
) -> np.ndarray:
    return inputs + config.latency_cycles


@earliest.register
def _(config: ResidualAddConfig, *inputs: np.ndarray) -> np.ndarray:
    return np.maximum.reduce(inputs) + config.latency_cycles
