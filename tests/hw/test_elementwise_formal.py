"""Affine and PReLU, proved to keep the stream contract and to give each element its own channel's result, whatever stalls and resets there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import Array, Assert, Const, Elaboratable, Module, Mux, Signal
from rbonn.hw import affine, prelu
from rbonn.hw.affine import AffineConfig
from rbonn.hw.pipeline import pipeline_enable
from rbonn.hw.prelu import PReLU, PReLUConfig

from . import affine_case, test_prelu
from .formal import assert_offer_holds, prove
from .planted import Fault, each_fault

pytestmark = pytest.mark.formal


class ElementBench(Elaboratable):
    """A stage of one lane that changes elements one by one, from a reset on, against these rules:

    * output n is what the table says of input n in the channel n modulo their number, looked at for one n, whichever the solver likes;
    * an offered output holds, with its payload, until it is taken;
    * while something is inside, an output is offered after less than `patience` cycles, the documented latency: it drains without
      further inputs, however long it was stalled before;
    * while nothing is inside, an input is accepted at once, and never more than the latency and one are inside.
    """

    def __init__(self, stage: Any, table: list[list[int]], patience: int) -> None:
        self.stage = stage
        self.table = table
        self.patience = patience

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.stage = stage = self.stage
        i, o, channels = stage.i, stage.o, len(self.table)
        m.d.comb += [
            i.valid.eq(AnySeq(1)),
            i.payload.eq(AnySeq(len(i.payload))),
            o.ready.eq(AnySeq(1)),
        ]
        n_in, n_out, watched = Signal(5), Signal(5), AnyConst(5)
        channel = Signal(range(channels))
        value, expected = Signal(len(i.payload)), Signal(len(o.payload))
        rows = [Array(Const(word, len(o.payload)) for word in row)[value] for row in self.table]
        with m.If(i.valid & i.ready):
            m.d.sync += n_in.eq(n_in + 1)
            with m.If(n_in == watched):
                m.d.sync += value.eq(i.payload)
        with m.If(o.valid & o.ready):
            m.d.sync += [
                n_out.eq(n_out + 1),
                channel.eq(Mux(channel == channels - 1, 0, channel + 1)),
            ]
        m.d.comb += expected.eq(Array(rows)[channel])
        with m.If(o.valid):
            m.d.comb += Assert(n_out != n_in)
            with m.If(n_out == watched):
                m.d.comb += Assert(o.payload == expected)
        waited, is_owed = Signal(range(self.patience + 2)), n_out != n_in
        m.d.sync += waited.eq(Mux(is_owed & ~o.valid, waited + 1, 0))
        m.d.comb += [
            Assert(waited < self.patience),
            Assert(is_owed | i.ready),
            Assert((n_in - n_out)[:5] <= stage.config.latency_cycles + 1),
        ]
        assert_offer_holds(m, o)
        return m


AFFINES = {
    "shifts": AffineConfig(3, (2, 1, -4), (3, -1, 0), 1, 3, 1),
    "shifts, ready joined": AffineConfig(3, (2, 1, -4), (3, -1, 0), 1, 3, 1, output_places=0),
    "products": AffineConfig(3, (3, -7), (3, -1), 2, 3, 1, multiplier="logic"),
    "products, slow tables": AffineConfig(3, (3, -5), (3, -1), 1, 5, 1, memory="block", read_latency=2),
}  # fmt: skip

PRELUS = {
    "powers": PReLUConfig(4, (2, 1, -4), 2, 1),
    "powers, ready joined": PReLUConfig(4, (2, 1), 2, 1, output_places=0),
    "products": PReLUConfig(4, (3, -5), 2, 1),
}

QUICK = "shifts", "powers"


def table_of(bits: int, is_signed: bool, channels: int, function: Any, out_bits: int) -> list[list[int]]:  # fmt: skip
    """Output codes by channel and input code."""
    codes = affine_case.np.arange(1 << bits)
    values = codes - (codes >> bits - 1 << bits) * is_signed
    results = function(values[:, None].repeat(channels, axis=1)) & (1 << out_bits) - 1
    return results.T.tolist()


def prove_affine(config: AffineConfig, folder: Path, patience: int = 0) -> str:
    table = table_of(config.input_bits, True, config.channels, lambda x: affine_case.affine(x, config), config.output_bits)  # fmt: skip
    bench = ElementBench(affine.Affine(config), table, config.latency_cycles + patience)
    return prove(bench, folder, depth=config.latency_cycles + 7)


def prove_prelu(config: PReLUConfig, folder: Path, patience: int = 0) -> str:
    bits = config.element_bits
    table = table_of(bits, True, config.channels, lambda x: test_prelu.prelu(x, config), bits)
    bench = ElementBench(prelu.PReLU(config), table, config.latency_cycles + patience)
    return prove(bench, folder, depth=config.latency_cycles + 7)


def names(table: dict[str, Any]) -> list[Any]:
    return [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in table]


@pytest.mark.parametrize("name", names(AFFINES))
def test_affine_keeps_the_contract(name: str, tmp_path: Path) -> None:
    assert prove_affine(AFFINES[name], tmp_path) == "PASS"


@pytest.mark.parametrize("name", names(PRELUS))
def test_prelu_keeps_the_contract(name: str, tmp_path: Path) -> None:
    assert prove_prelu(PRELUS[name], tmp_path) == "PASS"


def test_the_documented_latency_is_the_least_that_can_be_proved(tmp_path: Path) -> None:
    assert prove_affine(AFFINES["shifts"], tmp_path, patience=-1) == "FAIL"


@each_fault(
    Fault("overwrites a result", pipeline_enable, "enable.eq(~valid | queue.i.ready)", "enable.eq(1)"),
    Fault("leaves one inside", pipeline_enable, "enable.eq(~valid | queue.i.ready)", "enable.eq(queue.i.ready & stage.i.valid)"),
    Fault("takes one too early", pipeline_enable, "range(cycles)", "range(cycles - 1)"),
    Fault("makes one up", pipeline_enable, "valid = register\n", "valid = register | stage.i.valid\n"),
)  # fmt: skip
def test_a_planted_fault_in_the_handshake_is_found(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    assert prove_affine(AFFINES["shifts"], tmp_path) == "FAIL"


@each_fault(
    Fault("counts while nothing moves", PReLU, "with m.If(self.i.valid & enable):\n            step", "with m.If(self.i.valid):\n            step"),
    Fault("starts at the wrong group", PReLU, "init=1 % groups", "init=0"),
    Fault("starts with the wrong slope", PReLU, "init=words[0]", "init=words[-1]"),
)  # fmt: skip
def test_a_planted_fault_in_the_choice_of_channels_is_found(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    assert prove_prelu(PRELUS["powers"], tmp_path) == "FAIL"
