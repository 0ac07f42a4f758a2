"""Whole convolution layers of other types: windows, the stage for the operands and the array against NumPy's convolution."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.bit_planes import BitPlanesConfig, code_offset
from rbonn.hw.matrix_vector import MatrixVectorConfig
from rbonn.hw.matrix_vector_layer import MatrixVectorLayerConfig
from rbonn.hw.operands import BITS, Bits, Integers, Operands, Products
from rbonn.hw.pair_sums import PairSumsConfig
from rbonn.hw.preset_memory import PresetMemoryConfig
from rbonn.hw.sliding_window import SlidingWindowConfig
from rbonn.hw.stage import StageConfig
from rbonn.hw.weight_memory import WeightMemoryConfig
from rbonn.hw.width_converter import WidthConverterConfig

from .operand_case import packed
from .series import Series
from .stream_driver import Run, Stalls, drive

KERNEL, N_FRAMES = 3, 2
ACCUMULATOR_BITS = 24


@dataclass
class ConvolutionCase:
    """A square 3 x 3 convolution; `groups` equal to the channels is a depthwise one, `pe` of its channels at a time."""

    kind: str
    size: int
    channels: int
    out_channels: int
    pe: int
    simd: int
    groups: int = 1
    stride: int = 1
    padding: int = 1
    signed: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        shape = (N_FRAMES, self.size, self.size, self.channels)
        fan_in = self.channels // self.groups
        kernel = (self.out_channels, KERNEL, KERNEL, fan_in)
        lowest = -128 if self.signed else 0
        if self.kind == "bipolar":
            images = rng.choice([-1, 1], shape)
        else:
            images = rng.integers(lowest, lowest + 256, shape)
        if self.kind == "products":
            weights = rng.integers(-128, 128, kernel)
        else:
            weights = rng.choice([-1, 1], kernel)
        sums = convolution(
            images, weights, self.groups, self.stride, self.padding, -(self.kind == "bipolar")
        )
        bias = rng.integers(-50, 50, self.out_channels)
        self.stages = self._stages(weights.reshape(self.out_channels, -1).astype(np.int64), bias)
        codes = images > 0 if self.kind == "bipolar" else images
        window = self.stages[0]
        assert isinstance(window, SlidingWindowConfig)
        self.inputs = [packed(x, window.element_bits) for x in codes.reshape(-1, window.lanes)]
        results = (sums + bias).reshape(-1, self.pe)
        self.outputs = [packed(group, ACCUMULATOR_BITS) for group in results]

    def _stages(self, matrix: np.ndarray, bias: np.ndarray) -> list[StageConfig]:
        depthwise = self.groups == self.channels > 1
        bits = 1 if self.kind == "bipolar" else 8
        lanes = self.pe if depthwise else min(self.simd, self.channels // self.groups)
        outer_groups = self.channels // self.pe if depthwise else self.groups
        window = SlidingWindowConfig(
            self.size, self.size, self.channels, bits, lanes, KERNEL, KERNEL, self.stride, self.padding,
            outer_groups=outer_groups,
        )  # fmt: skip
        stages: list[StageConfig] = [window]
        beat_lanes = self.simd * (self.pe if depthwise else 1)
        elements = window.outputs_per_frame * lanes
        if beat_lanes != lanes:
            stages.append(WidthConverterConfig(bits, lanes, beat_lanes, elements))
        operands: Operands = BITS
        offset: np.ndarray | int = matrix.shape[1]
        if self.kind == "planes":
            operands, offset = Bits(8), code_offset(matrix, 8, self.signed)
            stages.append(BitPlanesConfig(8, beat_lanes, elements // beat_lanes, self.signed))
        elif self.kind == "integers":
            integers = Integers(8)
            operands, offset = integers, integers.tree(self.simd).offset(matrix, self.signed)
            stages.append(PairSumsConfig(8, beat_lanes, elements // beat_lanes, self.signed))
        elif self.kind == "products":
            products = Products(8, self.signed)
            operands, offset = products, products.tree(self.simd).offset(matrix)
        return [*stages, self._layer(matrix, bias - offset, operands, depthwise, window)]

    def _layer(
        self, matrix: np.ndarray, presets: np.ndarray, operands: Operands, depthwise: bool, window: SlidingWindowConfig
    ) -> StageConfig:  # fmt: skip
        mh, mw = matrix.shape
        pe, simd = self.pe, self.simd
        unit = MatrixVectorConfig(
            mh, mw, pe, simd, ACCUMULATOR_BITS, "sums", window.out_height * window.out_width,
            operands=operands, groups=1 if depthwise else self.groups, depthwise=depthwise,
        )  # fmt: skip
        tiles = matrix.reshape(mh // pe, pe, mw // simd, simd).transpose(0, 2, 1, 3)
        is_wide = self.kind == "products"
        words = tuple(
            packed(word if is_wide else word > 0, 8 if is_wide else 1)
            for word in tiles.reshape(-1, pe * simd)
        )
        starts = tuple(packed(group, ACCUMULATOR_BITS) for group in presets.reshape(-1, pe))
        return MatrixVectorLayerConfig(
            unit,
            WeightMemoryConfig(unit.weight_bits, words),
            PresetMemoryConfig(pe * ACCUMULATOR_BITS, starts, mh // pe),
        )

    def run(self, stalls: Stalls | None = None) -> Run:
        return drive(
            Series(*self.stages), self.inputs, n_outputs=len(self.outputs), stalls=stalls, idle_limit=2000
        )  # fmt: skip


def convolution(
    images: np.ndarray, weights: np.ndarray, groups: int, stride: int, padding: int, pad_value: int
) -> np.ndarray:
    """Sums of a convolution, tap by tap.

    Parameters
    ----------
    images : (frames, height, width, channels)
    weights : (out channels, kernel height, kernel width, channels of a group)

    Returns int64 (frames, out height, out width, out channels)
    """
    pads = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    padded = np.pad(images.astype(np.int64), pads, constant_values=pad_value)
    n_out, kh, kw, fan_in = weights.shape
    height = (padded.shape[1] - kh) // stride + 1
    width = (padded.shape[2] - kw) // stride + 1
    sums = np.zeros((len(images), height, width, n_out), np.int64)
    for o in range(n_out):
        first = o // (n_out // groups) * fan_in
        for y in range(kh):
            for x in range(kw):
                taps = padded[:, y : y + stride * height : stride, x : x + stride * width : stride]
                taps = taps[:, :height, :width, first : first + fan_in]
                sums[..., o] += taps @ weights[o, y, x].astype(np.int64)
    return sums


CASES = {
    "stem, plane by plane": ConvolutionCase("planes", 5, 3, 4, 2, 9),
    "stem with an adder tree": ConvolutionCase("integers", 5, 3, 4, 2, 9),
    "stem of two's complement, stride 2": ConvolutionCase(
        "integers", 5, 2, 4, 2, 3, stride=2, signed=True
    ),
    "stem of products": ConvolutionCase("products", 5, 3, 4, 2, 3),
    "two groups of bits": ConvolutionCase("bipolar", 5, 4, 6, 3, 2, groups=2),
    "groups of one word": ConvolutionCase("bipolar", 4, 6, 6, 1, 6, groups=3, stride=2),
    "two groups of integers": ConvolutionCase("integers", 4, 4, 4, 2, 2, groups=2, signed=True),
    "depthwise bits": ConvolutionCase("bipolar", 5, 6, 6, 2, 1, groups=6),
    "depthwise bits, three taps a beat": ConvolutionCase("bipolar", 5, 6, 6, 2, 3, groups=6),
    "depthwise planes": ConvolutionCase("planes", 3, 4, 4, 4, 1, groups=4, signed=True),
    "depthwise products": ConvolutionCase("products", 4, 4, 4, 2, 1, groups=4, signed=True),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_layer_equals_numpys_convolution_at_the_interval_of_its_slowest_stage(
    case: ConvolutionCase,
) -> None:
    run = case.run()
    assert run.outputs == case.outputs
    intervals = run.intervals(case.stages[-1].outputs_per_frame)
    assert intervals == [max(stage.interval_cycles for stage in case.stages)]


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_any_layer_equals_numpys_convolution_under_stalls(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["bipolar", "planes", "integers", "products"]))
    pe, fan_in = data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2))
    groups = data.draw(st.integers(1, 3))
    simd = fan_in * data.draw(st.sampled_from([1, 3]))
    if fan_in == 1 and groups > 1:  # depthwise
        if kind == "integers":
            kind = "planes"
        channels = out_channels = groups = pe * groups
    else:
        channels, out_channels = fan_in * groups, pe * groups * data.draw(st.integers(1, 2))
    case = ConvolutionCase(
        kind, data.draw(st.integers(2, 5)), channels, out_channels, pe, simd, groups,
        stride=data.draw(st.integers(1, 2)), padding=1, signed=data.draw(st.booleans()),
        seed=data.draw(st.integers(0, 999)),
    )  # fmt: skip
    assert case.run(Stalls(data.draw(st.integers(0, 99)))).outputs == case.outputs
