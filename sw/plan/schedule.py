"""When every transfer of the first frame happens, stage by stage, if nothing stalls.

Each stage is a rule from the cycles in which its inputs arrive to the cycles in which its outputs leave: an output waits for the last
input that it needs, for the stage's own pipeline, and for the output before it. Back-pressure is left out, which is right for the first
frame as long as a stage that is held up gets room again before it has anything that the stages after it wait for.
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from ...hw.accelerator import AcceleratorConfig
from ...hw.argmax import ArgMaxConfig
from ...hw.fifo import FifoConfig
from ...hw.matrix_vector_layer import MatrixVectorLayerConfig
from ...hw.max_pool import MaxPoolConfig
from ...hw.sliding_window import SlidingWindowConfig
from ...hw.stage import StageConfig
from ...hw.thermometer import ThermometerConfig
from ...hw.threshold import ThresholdConfig
from ...hw.width_converter import WidthConverterConfig


def first_frame_latency(config: AcceleratorConfig) -> int:
    """Cycles from the first byte of the first frame to its last score, a byte offered in every cycle and every score taken."""
    times = np.arange(config.image_bytes)
    for stage in config.stages:
        times = output_times(stage.config, times)
    return int(times[-1])


def output_times(config: StageConfig, inputs: np.ndarray) -> np.ndarray:
    """Cycles in which a frame's outputs leave a stage, int64 (outputs,), from those in which its inputs arrive (inputs,)."""
    return _one_per_cycle(earliest(config, inputs))


@singledispatch
def earliest(config: StageConfig, inputs: np.ndarray) -> np.ndarray:
    """Cycle from which each output could leave if the one before it were out of its way. Raises TypeError for an unknown stage."""
    raise TypeError(f"No schedule is known for {type(config).__name__}")


@earliest.register
def _(config: WidthConverterConfig, inputs: np.ndarray) -> np.ndarray:
    if config.is_wire:
        return inputs
    pieces, chunks = config.pieces_per_word, config.chunks_per_word
    ends = np.minimum(np.arange(1, config.words_per_frame + 1) * pieces, len(inputs))
    words = inputs[ends - 1]
    if pieces > 1:
        words[-1] += config.words_per_frame * pieces - len(inputs)  # a last word is filled up
        words = _one_per_cycle(words + 1)
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
def _(config: MatrixVectorLayerConfig, inputs: np.ndarray) -> np.ndarray:
    unit, replay = config.unit, config.replay
    taken = inputs
    if replay.is_buffered:  # a vector is taken when all of it is there
        ends = inputs[replay.words - 1 :: replay.words] + replay.fill_cycles
        taken = _one_per_cycle(np.repeat(ends, replay.words * replay.times))
    return taken[unit.beats_per_row - 1 :: unit.beats_per_row] + unit.latency_cycles


@earliest.register
def _(config: MaxPoolConfig, inputs: np.ndarray) -> np.ndarray:
    size, groups = config.size, config.groups
    pixels = inputs.reshape(config.height, config.width, groups)
    last = pixels[size - 1 :: size, size - 1 :: size][: config.out_height, : config.out_width]
    return last.ravel() + 1


@earliest.register
def _(
    config: ArgMaxConfig | FifoConfig | ThresholdConfig | ThermometerConfig, inputs: np.ndarray
) -> np.ndarray:
    return inputs + config.latency_cycles


def _one_per_cycle(times: np.ndarray) -> np.ndarray:
    """The earliest rising cycles that are not before `times`."""
    index = np.arange(len(times))
    return np.maximum.accumulate(times - index) + index
