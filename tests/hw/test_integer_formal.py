"""Integer operands, proved equal to plain arithmetic for all inputs of small shapes, and each fault found."""

from __future__ import annotations

from pathlib import Path

import pytest
from amaranth.asserts import AnySeq
from amaranth.hdl import Assert, C, Cat, Const, Elaboratable, Module, Mux, Signal, Value, signed
from rbonn.hw.bit_planes import BitPlanes, BitPlanesConfig
from rbonn.hw.integer_tree import IntegerTree, IntegerTreeConfig
from rbonn.hw.multiplier_tree import MultiplierTree, MultiplierTreeConfig
from rbonn.hw.pair_sums import PairSumsConfig
from rbonn.hw.popcount import PopcountConfig
from rbonn.hw.processing_element import ProcessingElement, ProcessingElementConfig

from .formal import assert_offer_holds, prove, prove_order
from .formal_counting import delayed
from .planted import Fault, each_fault

pytestmark = [pytest.mark.formal, pytest.mark.slow]

BITS = 4
WIDE = signed(20)
"""Holds every sum here."""


class IntegerBench(Elaboratable):
    """`PairSums` and `IntegerTree` against the sum of products and its offset, for any integers and weights."""

    def __init__(self, simd: int, is_signed: bool, form: str = "portable") -> None:
        self.simd = simd
        self.is_signed = is_signed
        self.tree = IntegerTreeConfig(simd, BITS, form)

    @property
    def depth(self) -> int:
        return self.tree.latency_cycles + 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        simd = self.simd
        m.submodules.stage = stage = PairSumsConfig(BITS, simd, 1, self.is_signed).component()
        m.submodules.tree = tree = self.tree.component()
        weights, n_cycles = Signal(simd), Signal(5)
        m.d.sync += n_cycles.eq(n_cycles + 1)
        m.d.comb += [
            weights.eq(AnySeq(simd)),
            stage.i.valid.eq(1),
            stage.i.payload.eq(AnySeq(simd * BITS)),
            stage.o.ready.eq(1),
            tree.enable.eq(1),
            tree.activations.eq(stage.o.payload),
            tree.weights.eq(delayed(m, "weights", weights, 1, Const(1))),
        ]
        expected, negative = Signal(WIDE), C(0, WIDE)
        total: Value = C(0, WIDE)
        for k in range(simd):
            x = stage.i.payload.word_select(k, BITS)
            x = x.as_signed() if self.is_signed else x
            total = total + Mux(weights[k], x, -x)
            negative = negative + ~weights[k]
        offset = (
            (1 << BITS - 1) * simd - negative if self.is_signed else ((1 << BITS) - 1) * negative
        )
        for pair in range(simd // 2):
            offset = offset + ~weights[2 * pair]
        m.d.comb += expected.eq(total + offset)
        latency = 1 + self.tree.latency_cycles
        then = delayed(m, "expected", expected, latency, Const(1))
        with m.If(n_cycles == latency):
            m.d.comb += Assert(tree.o == then)
        return m


class ProductBench(Elaboratable):
    """`MultiplierTree` against products and its offset, for any operands."""

    def __init__(self, config: MultiplierTreeConfig) -> None:
        self.config = config

    @property
    def depth(self) -> int:
        return self.config.latency_cycles + 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        m.submodules.tree = tree = config.component()
        n_cycles, expected = Signal(5), Signal(WIDE)
        m.d.sync += n_cycles.eq(n_cycles + 1)
        m.d.comb += [
            tree.enable.eq(1),
            tree.activations.eq(AnySeq(config.activation_bits)),
            tree.weights.eq(AnySeq(config.weight_bits)),
        ]
        total: Value = C(1 << config.output_bits - 1, WIDE)
        for k in range(config.simd):
            x = tree.activations.word_select(k, config.element_bits)
            w = tree.weights.word_select(k, config.weight_element_bits).as_signed()
            total = total + (x.as_signed() if config.signed else x) * w
            if config.multipliers == "logic":
                total = total - (1 << config.weight_element_bits - 1)
        m.d.comb += expected.eq(total)
        then = delayed(m, "expected", expected, config.latency_cycles, Const(1))
        with m.If(n_cycles == config.latency_cycles):
            m.d.comb += Assert(tree.o == then)
        return m


class PlanesBench(Elaboratable):
    """A processing element that gets planes of codes, lowest first, in any cycles: its count of each row of two beats."""

    def __init__(self, simd: int, planes: int, form: str = "portable") -> None:
        self.simd, self.planes = simd, planes
        most = 2 * simd * ((1 << planes) - 1)
        self.element = ProcessingElementConfig(
            PopcountConfig(simd, form), most.bit_length(), most, "matches", planes
        )

    @property
    def depth(self) -> int:
        return 2 * 2 * self.planes + self.element.count_cycles + 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        simd, planes, latency = self.simd, self.planes, self.element.popcount.latency_cycles
        m.submodules.element = element = self.element.component()
        codes, weights = Signal(simd * planes), Signal(simd)
        valid, plane, beat = Signal(), Signal(range(planes)), Signal()
        m.d.comb += valid.eq(AnySeq(1))
        with m.If(valid):
            m.d.sync += plane.eq(Mux(plane == planes - 1, 0, plane + 1))
            with m.If(plane == planes - 1):
                m.d.sync += [beat.eq(~beat), codes.eq(AnySeq(len(codes))), weights.eq(AnySeq(simd))]
        lanes = [codes.word_select(k, planes) for k in range(simd)]
        ends = valid & (plane == planes - 1)
        weigh = delayed(m, "weigh", valid, latency, Const(1))
        counted = delayed(m, "counted", ends, latency + 1, Const(1))
        beat_then = delayed(m, "beat", beat, latency + 1, Const(1))
        m.d.comb += [
            element.enable.eq(1),
            element.activations.eq(Cat(lane.bit_select(plane, 1) for lane in lanes)),
            element.weights.eq(weights),
            element.weigh.eq(weigh),
            element.is_first_plane.eq(delayed(m, "plane", plane == 0, latency, Const(1))),
            element.accumulate.eq(counted),
            element.is_first.eq(beat_then == 0),
            element.is_last.eq(beat_then == 1),
        ]
        ones = (1 << planes) - 1
        count: Value = C(0, WIDE)
        for k, lane in enumerate(lanes):
            count = count + Mux(weights[k], lane, ones - lane)
        now, before = Signal(WIDE), Signal(WIDE)
        m.d.comb += now.eq(count)
        then = delayed(m, "count", now, latency + 1, Const(1)).as_signed()
        with m.If(counted):
            m.d.sync += before.eq(then)
        # Where the accumulator is cleared, a row's sum is there with its last beat; else one cycle later.
        row_ends, total = counted & beat_then, Signal(WIDE)
        m.d.comb += total.eq(before + then)
        if not self.element.is_cleared:
            row_ends = delayed(m, "row_ends", row_ends, 1, Const(1))
            total = delayed(m, "total", total, 1, Const(1)).as_signed()
        with m.If(row_ends):
            m.d.comb += Assert(element.sum == total)
        return m


class OfferBench(Elaboratable):
    """A stage with any input and any stalls: what it offers holds."""

    def __init__(self, config: PairSumsConfig | BitPlanesConfig) -> None:
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.stage = stage = self.config.component()
        m.d.comb += [
            stage.i.valid.eq(AnySeq(1)),
            stage.i.payload.eq(AnySeq(self.config.input_width)),
            stage.o.ready.eq(AnySeq(1)),
        ]
        assert_offer_holds(m, stage.o)
        return m


def check(bench: IntegerBench | ProductBench | PlanesBench, folder: Path) -> str:
    return prove(bench, folder, depth=bench.depth, resets=False)


@pytest.mark.parametrize("is_signed", [False, True])
@pytest.mark.parametrize("simd", [1, 2, 3])
def test_integers_times_bits_equal_arithmetic(simd: int, is_signed: bool, tmp_path: Path) -> None:
    assert check(IntegerBench(simd, is_signed), tmp_path) == "PASS"


@pytest.mark.parametrize("multipliers", ["inferred", "logic"])
@pytest.mark.parametrize("is_signed", [False, True])
def test_products_equal_arithmetic(is_signed: bool, multipliers: str, tmp_path: Path) -> None:
    config = MultiplierTreeConfig(2, 4, is_signed, 3, multipliers)
    assert check(ProductBench(config), tmp_path) == "PASS"


@pytest.mark.parametrize("form", ["portable", "ice40", "ice40_carry_lanes"])
def test_weighed_planes_equal_arithmetic(form: str, tmp_path: Path) -> None:
    assert check(PlanesBench(4, 3, form), tmp_path) == "PASS"


def prove_planes(folder: Path) -> str:
    stage = BitPlanesConfig(3, 1).component()
    return prove_order(stage, folder, element_bits=1, i_lanes=3, o_lanes=1, most_held=3, depth=12)


def test_planes_come_in_order(tmp_path: Path) -> None:
    assert prove_planes(tmp_path) == "PASS"


@pytest.mark.parametrize("config", [PairSumsConfig(2, 3), BitPlanesConfig(2, 2)], ids=str)
def test_an_offer_holds(config: PairSumsConfig | BitPlanesConfig, tmp_path: Path) -> None:
    assert prove(OfferBench(config), tmp_path, depth=10) == "PASS"


@each_fault(
    Fault("loads over planes", BitPlanes, "(self.o.ready & is_last)", "self.o.ready"),
    Fault("goes on while it is not taken", BitPlanes, "shift.eq(self.o.valid & self.o.ready)", "shift.eq(self.o.valid)"),
)  # fmt: skip
def test_planes_that_are_lost_are_found(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    assert prove_planes(tmp_path) == "FAIL"


def test_a_wrong_choice_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terms = IntegerTree._terms

    def wrong(self: IntegerTree) -> list[Value]:
        first, *rest = terms(self)
        return [Cat(first[:-1], self.weights[0]), *rest]

    monkeypatch.setattr(IntegerTree, "_terms", wrong)
    assert check(IntegerBench(5, False), tmp_path) == "FAIL"


def test_a_partial_product_that_is_not_complemented_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        MultiplierTree, "_partial_products", lambda _, x, w: [Mux(bit, x, 0) for bit in w]
    )
    config = MultiplierTreeConfig(2, 4, True, 3, "logic")
    assert check(ProductBench(config), tmp_path) == "FAIL"


def test_a_bit_that_drops_out_too_late_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weighed = ProcessingElement._weighed

    def wrong(self: ProcessingElement, m: Module, count: Value, late: object) -> Value:
        whole = weighed(self, m, count, late)  # type: ignore[arg-type]
        return Cat(whole[1], whole[0], whole[2:])

    monkeypatch.setattr(ProcessingElement, "_weighed", wrong)
    assert check(PlanesBench(4, 3), tmp_path) == "FAIL"
