"""`rbonn.sw.build.layer`: layers of every kind of operands alone, in Amaranth's simulator, against NumPy."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.matrix_vector_layer import MatrixVectorLayerConfig
from rbonn.hw.operands import BITS, Bits, Integers, Products
from rbonn.hw.parallel_window import ParallelWindowConfig
from rbonn.sw.build.device_forms import PORTABLE, DeviceForms
from rbonn.sw.build.layer import LayerStages, absorbed_by, layer_stages
from rbonn.sw.errors import UnsupportedLayerError
from rbonn.sw.network import (
    Add,
    Affine,
    ArgMax,
    Bipolar,
    Conv,
    DataType,
    Dense,
    EdgeType,
    Int,
    Network,
    Node,
    Threshold,
    UInt,
)
from rbonn.sw.network.datatypes import to_codes
from rbonn.sw.plan.folding import Folding, divisors, window_forms

from ...hw.operand_case import packed
from ...hw.series import Series
from ...hw.stream_driver import Run, Stalls, drive

BIPOLAR = Bipolar()
ECP5_LIKE = DeviceForms(back_pressure="credit", read_latency=2)


@dataclass
class Layer:
    """A convolution or dense layer of random weights on random images, and the sums that NumPy gives; `consumer` is "sums", "bits" or "bias"."""

    source: EdgeType
    weight_type: DataType = BIPOLAR
    rows: int = 4
    kernel: tuple[int, int] | None = (3, 3)
    stride: int = 1
    padding: int = 0
    pad_value: int = 0
    consumer: str = "sums"
    n_images: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.images = _random(rng, self.source.datatype, (self.n_images, *self.source.shape))
        kernel, channels = self.kernel, self.source.shape[2]
        if kernel is None:
            matrix = _random(rng, self.weight_type, (self.rows, self.source.elements))
            self.node = Dense("product", ("image",), matrix.astype(np.int8), self.weight_type)
        else:
            weights = _random(rng, self.weight_type, (self.rows, *kernel, channels))
            self.node = Conv(
                "product", ("image",), weights.astype(np.int8), self.weight_type, self.stride, self.padding, self.pad_value
            )  # fmt: skip
        self.sums = self._sums()
        picked = self.sums.reshape(-1, self.rows)
        thresholds = picked[rng.integers(0, len(picked), self.rows), np.arange(self.rows)]
        bias = rng.integers(-300, 300, self.rows)
        self.reader: Node = {
            "bits": Threshold("reader", ("product",), thresholds),
            "bias": Affine("reader", ("product",), np.ones(self.rows, np.int64), bias, 0, Int(40)),
            "sums": Affine("reader", ("product",), np.full(self.rows, 3), bias, 2, Int(16)),
        }[self.consumer]
        self.bias = bias
        self.network = self._network()

    def _network(self) -> Network:
        """The layer in a network whose only other purpose is to have scores."""
        nodes: list[Node] = [self.node, self.reader]
        scores = "reader"
        if self.sums.shape[1:3] != (1, 1) or self.consumer == "bits":
            head = np.ones((2, self.sums[0].size), np.int8)
            nodes.append(Dense("head", ("reader",), head, Bipolar()))
            scores = "head"
        nodes.append(ArgMax("label", (scores,)))
        names = tuple(str(k) for k in range(2 if scores == "head" else self.rows))
        return Network("layer", self.source, tuple(nodes), 0, scores, names)

    def _sums(self) -> np.ndarray:
        """(images, height, width, rows) int64, tap by tap."""
        if self.kernel is None:
            flat = self.images.reshape(self.n_images, -1)
            return (flat @ self.node.matrix.astype(np.int64).T)[:, None, None, :]
        border = (self.padding, self.padding)
        image = np.pad(
            self.images, ((0, 0), border, border, (0, 0)), constant_values=self.pad_value
        )
        height, width = (
            (size + 2 * self.padding - k) // self.stride + 1
            for size, k in zip(self.source.shape[:2], self.kernel, strict=True)
        )
        sums = np.zeros((self.n_images, height, width, self.rows), np.int64)
        for y in range(self.kernel[0]):
            for x in range(self.kernel[1]):
                taps = image[:, y : y + height * self.stride : self.stride][:, :height]
                taps = taps[:, :, x : x + width * self.stride : self.stride][:, :, :width]
                sums += taps @ self.node.weights[:, y, x].astype(np.int64).T
        return sums

    def stages(self, folding: Folding, forms: DeviceForms = PORTABLE) -> LayerStages:
        absorbed = self.reader if self.consumer in ("bits", "bias") else None
        assert absorbed is None or isinstance(absorbed, Threshold | Affine)
        return layer_stages(self.network, self.node, absorbed, folding, forms)

    @property
    def results(self) -> np.ndarray:
        if self.consumer == "bits":
            return (self.sums >= self.reader.thresholds).astype(np.int64)
        return self.sums + self.bias if self.consumer == "bias" else self.sums

    def check(self, folding: Folding, forms: DeviceForms = PORTABLE, **options) -> Run:
        """Runs the layer and compares all outputs, and what the probes would see."""
        layer = self.stages(folding, forms)
        codes = to_codes(self.images, self.source.datatype).reshape(-1, layer.input_lanes)
        inputs = [packed(group, self.source.datatype.bits) for group in codes]
        configs = [config for _, config in layer.stages]
        for before, after in itertools.pairwise(configs):
            assert before.outputs_per_frame == after.inputs_per_frame
            assert before.output_width == after.input_width
        assert configs[0].inputs_per_frame * self.n_images == len(inputs)
        bits = layer.unit.element_bits
        expected = [packed(group, bits) for group in self.results.reshape(-1, folding.pe)]
        run = drive(Series(*configs), inputs, n_outputs=len(expected), idle_limit=900, **options)
        assert run.outputs == expected
        if self.consumer != "bits":
            assert np.array_equal(layer.presets.observed(self.sums), self.results)
        else:
            assert np.array_equal(layer.presets.observed(self.sums) >= 0, self.results)
        return run


def _random(rng: np.random.Generator, datatype: DataType, shape: tuple[int, ...]) -> np.ndarray:
    if isinstance(datatype, Bipolar):
        return rng.choice([-1, 1], shape)
    values = rng.integers(datatype.minimum, datatype.maximum + 1, shape)
    # Extremes, where a bit too few shows.
    return np.where(rng.random(shape) < 0.2, rng.choice([datatype.minimum, datatype.maximum], shape), values)  # fmt: skip


STEM = EdgeType(UInt(8), (5, 4, 3))
CASES = {
    "int8 stem on raw pixels": (
        Layer(STEM, Int(8), padding=1),
        Folding(2, 3),
        Products(8, False, 8),
    ),
    "int8 stem, padded with 255": (
        Layer(STEM, Int(8), padding=1, pad_value=255),
        Folding(4, 9),
        Products(8, False, 8),
    ),
    "int8 stem with a threshold": (
        Layer(STEM, Int(8), stride=2, padding=1, consumer="bits"),
        Folding(1, 1),
        Products(8, False, 8),
    ),
    "conv1x1 shortcut": (
        Layer(EdgeType(Int(16), (3, 2, 6)), Int(8), rows=6, kernel=(1, 1)),
        Folding(2, 3),
        Products(16, True, 8),
    ),
    "conv1x1 with a stride": (
        Layer(EdgeType(Int(16), (4, 4, 4)), Int(8), rows=4, kernel=(1, 1), stride=2),
        Folding(4, 2),
        Products(16, True, 8),
    ),
    "int8 head": (
        Layer(EdgeType(Int(8), (1, 1, 12)), Int(8), rows=3, kernel=None, consumer="bias"),
        Folding(1, 2),
        Products(8, True, 8),
    ),
    "binary stem on raw pixels": (
        Layer(STEM, padding=1, consumer="bits"),
        Folding(2, 9),
        Integers(8),
    ),
    "binary stem on raw pixels, sums": (Layer(STEM, padding=1), Folding(4, 27), Integers(8)),
    "binary stem, padded with 7": (
        Layer(STEM, padding=1, pad_value=7),
        Folding(2, 1),
        Integers(8),
    ),
    "binary weights on integers": (
        Layer(EdgeType(Int(6), (4, 4, 2)), stride=2, padding=1, pad_value=-32),
        Folding(2, 6),
        Integers(6),
    ),
    "binary stem, bit by bit": (
        Layer(STEM, padding=1, consumer="bits"),
        Folding(2, 9, integers="planes"),
        Bits(8),
    ),
    "binary weights on integers, bit by bit": (
        Layer(EdgeType(Int(5), (4, 3, 2)), padding=1, pad_value=-3),
        Folding(4, 6, integers="planes"),
        Bits(5),
    ),
    "bit by bit with absorbed leaves": (
        Layer(EdgeType(Int(4), (1, 1, 24)), kernel=None, consumer="bits"),
        Folding(2, 12, "absorbed", integers="planes"),
        Bits(4),
    ),
    "bits, a whole window at once": (
        Layer(EdgeType(Bipolar(), (5, 4, 3)), padding=1),
        Folding(1, 27, window="parallel"),
        BITS,
    ),
    "bits, a window in parts": (
        Layer(EdgeType(Bipolar(), (5, 4, 3)), stride=2, padding=1, pad_value=1, consumer="bits"),
        Folding(2, 9, window="parallel"),
        BITS,
    ),
    "bits, one row group of a whole window": (
        Layer(EdgeType(Bipolar(), (4, 5, 2)), kernel=(2, 3), consumer="bits"),
        Folding(4, 12, "logic", window="parallel"),
        BITS,
    ),
    "int8 stem, a whole window at once": (
        Layer(STEM, Int(8), padding=1, pad_value=9),
        Folding(1, 27, "logic", window="parallel"),
        Products(8, False, 8),
    ),
    "binary stem, a whole window at once": (
        Layer(STEM, padding=1, consumer="bits"),
        Folding(2, 27, window="parallel"),
        Integers(8),
    ),
    "bit by bit, a whole window at once": (
        Layer(STEM, padding=1),
        Folding(4, 27, window="parallel", integers="planes"),
        Bits(8),
    ),
    "bits, zero padding": (
        Layer(EdgeType(Bipolar(), (4, 4, 3)), padding=1),
        Folding(2, 9),
        BITS,
    ),
}


@pytest.mark.parametrize(("layer", "folding", "operands"), CASES.values(), ids=CASES.keys())
def test_a_layer_of_any_operands_equals_numpy(layer: Layer, folding: Folding, operands) -> None:
    assert layer.stages(folding).unit.operands == operands
    layer.check(folding)
    layer.check(folding, stalls=Stalls(1))


@pytest.mark.parametrize(
    "name", ["int8 stem on raw pixels", "binary stem on raw pixels", "binary stem, bit by bit"]
)
def test_credits_and_slow_memories_change_nothing(name: str) -> None:
    layer, folding, _ = CASES[name]
    layer.check(folding, ECP5_LIKE, stalls=Stalls(2))


@pytest.mark.parametrize("pe", [1, 2, 4])
@pytest.mark.parametrize(("stride", "padding"), [(1, 1), (2, 1), (1, 0)])
@pytest.mark.parametrize("forms", [PORTABLE, ECP5_LIKE], ids=["enable", "credit"])
def test_a_parallel_window_with_a_border_costs_the_array_no_cycle(
    pe: int, stride: int, padding: int, forms: DeviceForms
) -> None:
    layer = Layer(EdgeType(Bipolar(), (6, 6, 2)), BIPOLAR, 4, (3, 3), stride, padding, n_images=5)
    folding = Folding(pe, 18, window="parallel")
    configs = [config for _, config in layer.stages(folding, forms).stages]
    product = configs[-1]
    assert isinstance(product, MatrixVectorLayerConfig)
    assert not product.replay.is_buffered
    run = layer.check(folding, forms)
    interval = max(config.interval_cycles for config in configs)
    # A frame's first window may be late, and a row's first one where the one before is used only twice.
    if (stride, padding) != (1, 1) or product.unit.uses == 2:
        (window,) = (config for config in configs if isinstance(config, ParallelWindowConfig))
        paced = window.schedule.paced_interval(1, layer.rows // pe, product.early_cycles)
        interval = max(interval, paced)
    assert run.intervals(product.outputs_per_frame)[1:] == [interval] * 3


@pytest.mark.parametrize(
    ("rows", "offer_latency", "back_pressure"),
    [(8, 1, "registered"), (4, 0, "registered"), (3, 0, "direct")],
)
def test_registers_lie_between_window_and_product_where_windows_come_in_time_all_the_same(
    rows: int, offer_latency: int, back_pressure: str
) -> None:
    layer = Layer(EdgeType(Bipolar(), (6, 6, 2)), BIPOLAR, rows, (3, 3), 1, 1, n_images=3)
    stages = layer.stages(Folding(1, 18, window="parallel"), ECP5_LIKE).stages
    window, product = (config for _, config in stages[-2:])
    assert isinstance(window, ParallelWindowConfig)
    assert isinstance(product, MatrixVectorLayerConfig)
    assert (product.offer_latency, window.back_pressure) == (offer_latency, back_pressure)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_folding_of_any_types_equals_numpy(data: st.DataObject) -> None:
    types = [Bipolar(), UInt(3), Int(4), UInt(8), Int(12)]
    datatype = data.draw(st.sampled_from(types))
    weights = [Bipolar()] if isinstance(datatype, Bipolar) else [Bipolar(), Int(3), Int(8)]
    shape = (
        data.draw(st.integers(2, 4)),
        data.draw(st.integers(2, 4)),
        data.draw(st.integers(1, 3)),
    )
    lowest = -1 if isinstance(datatype, Bipolar) else datatype.minimum
    layer = Layer(
        EdgeType(datatype, shape),
        data.draw(st.sampled_from(weights)),
        rows=data.draw(st.integers(1, 4)),
        kernel=data.draw(st.sampled_from([None, (1, 1), (2, 2), (2, 1)])),
        stride=data.draw(st.integers(1, 2)),
        pad_value=data.draw(st.integers(lowest, datatype.maximum)),
        consumer=data.draw(st.sampled_from(["sums", "bits"])),
        seed=data.draw(st.integers(0, 999)),
    )
    if layer.kernel == (2, 2):
        layer = replace(layer, padding=data.draw(st.integers(0, 1)))
    mh, mw = layer.node.matrix.shape
    simd = data.draw(st.sampled_from(divisors(mw)))
    folding = Folding(
        data.draw(st.sampled_from(divisors(mh))),
        simd,
        data.draw(st.sampled_from(["block", "logic"])),
        data.draw(st.sampled_from(["block", "logic"])),
        data.draw(st.sampled_from(window_forms(layer.node, simd))),
        data.draw(st.sampled_from(["whole", "planes"])),
    )
    layer.check(folding, stalls=Stalls(data.draw(st.integers(0, 99))))


@pytest.mark.parametrize(
    ("datatype", "weight_type", "message"),
    [
        (Bipolar(), Int(8), r"Layer product \(Conv\) multiplies int8 with bipolar"),
        (UInt(1), Int(8), r"Layer product \(Conv\) multiplies int8 with uint1"),
        (Int(19), Int(8), r"Layer product \(Conv\) multiplies int8 with int19"),
        (UInt(8), UInt(7), r"Layer product \(Conv\) multiplies uint7 with uint8"),
    ],
)
def test_types_that_no_array_multiplies_are_named(datatype, weight_type, message: str) -> None:
    layer = Layer(EdgeType(datatype, (3, 3, 1)), weight_type)
    with pytest.raises(UnsupportedLayerError, match=message) as caught:
        layer.stages(Folding(1, 1))
    assert "integers of 2 to 18 bits" in caught.value.hint


def test_multipliers_are_those_of_the_device() -> None:
    layer, folding, _ = CASES["int8 stem on raw pixels"]
    forms = replace(PORTABLE, counting="ice40")
    assert layer.stages(folding, forms).unit.operands == Products(8, False, 8, "ice40_bytes")
    wide = CASES["conv1x1 shortcut"]
    assert wide[0].stages(wide[1], forms).unit.operands == Products(16, True, 8, "inferred")


@pytest.mark.parametrize(
    ("width", "counting", "memory"),
    [
        (4, "portable", "logic"),
        (5, "portable", "lut_ram"),
        (8, "portable", "lut_ram"),
        (9, "portable", "block"),
        (5, "ice40", "block"),
    ],
)
def test_vectors_of_integers_are_kept_by_their_bits_and_words(
    width: int, counting: str, memory: str
) -> None:
    layer = Layer(EdgeType(Int(16), (1, 1, width)), Int(8), kernel=None)
    product = layer.stages(Folding(1, 1), replace(PORTABLE, counting=counting)).stages[-1][1]
    assert isinstance(product, MatrixVectorLayerConfig)
    assert product.replay_memory == memory


def _readers(*readers: Node) -> Network:
    head = Dense("product", ("image",), np.ones((3, 8), np.int8), Bipolar())
    scores = readers[-1].inputs[0]
    nodes = (head, *readers)
    return Network("t", EdgeType(Bipolar(), (1, 1, 8)), nodes, 0, scores, ("a", "b", "c"))


def _affine(name="scores", multiplier=1, offset=0, shift=0, bits=5, reads="product") -> Affine:
    return Affine(
        name, (reads,), np.full(3, multiplier), np.full(3, offset), shift, Int(bits)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("affine", "is_absorbed"),
    [
        (_affine(), True),
        (_affine(offset=7), True),
        (_affine(offset=8), False),
        (_affine(offset=-8), True),
        (_affine(offset=-9), False),
        (_affine(multiplier=2), False),
        (_affine(shift=1), False),
        (_affine(bits=4), False),
    ],
)
def test_a_bias_in_front_of_the_scores_is_absorbed_unless_it_multiplies_shifts_or_saturates(
    affine: Affine, is_absorbed: bool
) -> None:
    network = _readers(affine, ArgMax("label", ("scores",)))
    product = network.nodes[0]
    assert isinstance(product, Dense)
    assert absorbed_by(network, product) == (affine if is_absorbed else None)


def test_sums_that_several_layers_read_and_biases_of_a_residual_stream_are_not_absorbed() -> None:
    first, second = _affine("first", bits=6), _affine("second", bits=6, offset=1)
    for readers in (
        (first, second, Add("sum", ("first", "second")), ArgMax("label", ("sum",))),
        (first, _affine("again", bits=7, reads="first"), ArgMax("label", ("again",))),
    ):
        network = _readers(*readers)
        product = network.nodes[0]
        assert isinstance(product, Dense)
        assert absorbed_by(network, product) is None
