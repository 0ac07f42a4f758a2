"""`rbonn.hw.residual_add`: sums at both ends of the range, inputs that wait for each other, and a proof of the join."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import Assert, Elaboratable, Module, Mux, Signal, signed
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.residual_add import ResidualAdd, ResidualAddConfig

from .formal import assert_offer_holds, prove
from .planted import Fault, each_fault
from .stream_driver import Stalls, drive


def packed(values: np.ndarray, bits: int, lanes: int) -> list[int]:
    """Transfers of `lanes` integers each, two's complement, lane 0 least significant."""
    codes = values.reshape(-1, lanes) & ((1 << bits) - 1)
    return [sum(int(code) << k * bits for k, code in enumerate(row)) for row in codes]


def case(config: ResidualAddConfig, a: np.ndarray, b: np.ndarray) -> tuple[dict, list[int]]:
    """Both inputs and what must come out, from int64 (elements)."""
    end = 1 << config.element_bits - 1
    shape = config.element_bits, config.lanes
    sums = np.clip(a + b, -end, end - 1)
    return {"i_0": packed(a, *shape), "i_1": packed(b, *shape)}, packed(sums, *shape)


def test_every_pair_of_four_bits_is_added_and_saturates_at_both_ends() -> None:
    config = ResidualAddConfig(4, 1, 256)
    values = np.arange(-8, 8)
    inputs, expected = case(config, np.repeat(values, 16), np.tile(values, 16))
    run = drive(config.component(), inputs, n_outputs=256)
    assert run.outputs == expected
    assert {0b0111, 0b1000} <= set(run.outputs)


@pytest.mark.parametrize(("bits", "lanes"), [(2, 3), (16, 4), (16, 2), (18, 1)])
def test_one_transfer_moves_in_every_cycle_with_the_documented_latency(
    bits: int, lanes: int
) -> None:
    config = ResidualAddConfig(bits, lanes, transfers_per_frame=8)
    rng = np.random.default_rng(bits)
    ends = -(1 << bits - 1), 1 << bits - 1
    inputs, expected = case(config, *rng.integers(*ends, (2, 24 * lanes)))
    run = drive(config.component(), inputs, n_outputs=24)
    assert run.outputs == expected
    for name in inputs:
        assert {run.latency(k, k, name) for k in range(24)} == {config.latency_cycles}
    assert run.intervals(config.outputs_per_frame) == [config.interval_cycles] * 2
    assert config.input_width == config.output_width == bits * lanes
    assert (config.n_inputs, config.n_outputs) == (2, 1)


def test_the_first_input_waits_for_the_second() -> None:
    config = ResidualAddConfig(8, 1)
    stalls = Stalls(3, longest_go=1, longest_wait=9, names=("i_1",))
    run = drive(config.component(), {"i_0": [1, 2, 3], "i_1": [10, 20, 30]}, n_outputs=3, stalls=stalls)  # fmt: skip
    assert run.outputs == [11, 22, 33]
    assert run.input_cycles["i_0"] == run.input_cycles["i_1"]
    assert run.input_cycles["i_0"] != [0, 1, 2]


def test_a_reset_drops_the_sum_that_waits() -> None:
    config = ResidualAddConfig(8, 1)
    inputs = {"i_0": [1, 2, 3], "i_1": [10, 20, 30]}
    stalls = Stalls(1, names=("o",), longest_wait=9)
    run = drive(config.component(), inputs, n_outputs=3, reset_after=2, stalls=stalls)
    assert run.outputs == [11, 22, 33]


@settings(max_examples=30)
@given(
    bits=st.integers(2, 18), lanes=st.integers(1, 4), seed=st.integers(0, 999), late=st.booleans()
)
def test_sums_agree_with_numpy_under_stalls(bits: int, lanes: int, seed: int, late: bool) -> None:
    config = ResidualAddConfig(bits, lanes)
    rng = np.random.default_rng(seed)
    end = 1 << bits - 1
    anywhere = rng.integers(-end, end, (2, 12 * lanes))
    # Half of the sums end at most two beyond or before one of the ends.
    a = anywhere[0]
    near = np.clip(np.where(a < 0, -end, end - 1) - a + rng.integers(-2, 3, a.shape), -end, end - 1)
    inputs, expected = case(config, a, np.where(rng.random(a.shape) < 0.5, near, anywhere[1]))
    run = drive(
        config.component(), inputs, n_outputs=12, stalls=Stalls(seed), ready_after_valid=late
    )
    assert run.outputs == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"element_bits": 1}, "Element bits must be at least 2, not 1"),
        ({"lanes": 0}, "Lanes must be at least 1, not 0"),
        ({"transfers_per_frame": 0}, "Transfers per frame must be at least 1, not 0"),
    ],
)
def test_bad_parameters_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        dataclasses.replace(ResidualAddConfig(8, 1), **change)


class JoinBench(Elaboratable):
    """Any inputs and any stalls, against these rules:

    * both inputs are accepted together, and only while both are offered; whenever both are and at most one sum waits, they are;
    * output n is the saturated sum of inputs n, looked at for one n, whichever the solver likes, and it holds until it is taken;
    * an output is offered in the cycle after the acceptance of its inputs.
    """

    def __init__(self, join: ResidualAdd) -> None:
        self.join = join

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.join = join = self.join
        bits = join.config.element_bits
        for port in (join.i_0, join.i_1):
            m.d.comb += [port.valid.eq(AnySeq(1)), port.payload.eq(AnySeq(bits))]
        m.d.comb += join.o.ready.eq(AnySeq(1))
        both, accepts = join.i_0.valid & join.i_1.valid, join.i_0.valid & join.i_0.ready
        m.d.comb += [
            Assert(accepts == (join.i_1.valid & join.i_1.ready)),
        ]
        n_in, n_out, watched = Signal(4), Signal(4), AnyConst(4)
        a, b, accepted = Signal(signed(bits)), Signal(signed(bits)), Signal()
        m.d.sync += [n_in.eq(n_in + accepts), n_out.eq(n_out + (join.o.valid & join.o.ready)), accepted.eq(accepts)]  # fmt: skip
        with m.If(accepts & (n_in == watched)):
            m.d.sync += [a.eq(join.i_0.payload), b.eq(join.i_1.payload)]
        held = Signal(4)
        m.d.comb += [
            held.eq(n_in - n_out),
            Assert(accepts == (both & (held < 2))),
            Assert(join.o.valid == (held > 0)),
            Assert(held <= 2),
            Assert(join.o.valid | ~accepted),
        ]
        end, total = 1 << bits - 1, a + b
        limited = Mux(total < -end, -end, Mux(total > end - 1, end - 1, total))
        with m.If(join.o.valid & (n_out == watched)):
            m.d.comb += Assert(join.o.payload == limited[:bits])
        assert_offer_holds(m, join.o)
        return m


@pytest.mark.formal
def test_inputs_are_joined_in_order_whatever_stalls_there_are(tmp_path: Path) -> None:
    bench = JoinBench(ResidualAddConfig(4, 1).component())
    assert prove(bench, tmp_path, depth=12) == "PASS"


@pytest.mark.formal
@each_fault(
    Fault("accepts one alone", ResidualAdd, "self.i_0.ready.eq(queue.i.ready & self.i_1.valid)", "self.i_0.ready.eq(queue.i.ready)"),
    Fault("loses one", ResidualAdd, "self.i_1.ready.eq(queue.i.ready & self.i_0.valid)", "self.i_1.ready.eq(self.i_0.valid)"),
    Fault("adds one alone", ResidualAdd, "queue.i.valid.eq(self.i_0.valid & self.i_1.valid)", "queue.i.valid.eq(self.i_0.valid | self.i_1.valid)"),
    Fault("a place too few", ResidualAdd, "config.queue.component()", "FifoConfig(config.output_width, 1).component()"),
    Fault("wraps around", ResidualAdd, "total.eq(_saturated(a + b))", "total.eq(a + b)"),
)  # fmt: skip
def test_the_proof_finds_a_planted_fault(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    bench = JoinBench(ResidualAddConfig(4, 1).component())
    assert prove(bench, tmp_path, depth=8) == "FAIL"
