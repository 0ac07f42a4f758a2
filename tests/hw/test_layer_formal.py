"""The complete matrix-vector layer, proved to keep the stream contract and to deliver what arithmetic says; each fault found.

Vectors of one to three beats of few lanes, and two row groups: enough for two vectors to be inside, rows to follow each other without a
gap, and every place for results to be taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Assert, Module
from rbonn.hw import fifo
from rbonn.hw.fifo import Fifo
from rbonn.hw.matrix_vector import MatrixVector
from rbonn.hw.replay import Replay

from .formal import prove
from .formal_layer import LayerBench, Stimulus
from .planted import Fault, each_fault
from .test_matrix_vector_layer import Case

pytestmark = pytest.mark.formal

KINDS: dict[str, dict[str, Any]] = {
    "clock enable": {},
    "clock enable, no place for results": {"output_places": 0},
    "clock enable, two places for results": {"output_places": 2, "simd": 2},
    "clock enable, one beat, preset last": {"simd": 2, "form": "ice40"},
    "clock enable, preset last": {"form": "ice40_carry_lanes"},
    "clock enable, preset last, a lane owed": {"form": "ice40_carry_lanes", "mw": 8, "simd": 4},
    "clock enable, slow memories, carry chains": {"read_latency": 2, "form": "ecp5", "mw": 4, "simd": 4},
    "credits": {"back_pressure": "credit"},
    "credits, one beat": {"simd": 2, "back_pressure": "credit"},
    "credits, slow memories": {"back_pressure": "credit", "read_latency": 2, "mw": 3},
    "credits, streamed weights": {"back_pressure": "credit", "weights": "stream"},
    "absorbed": {"weights": "absorbed"},
    "coded": {"form": "ice40_no_twins", "coded": True, "mw": 6, "simd": 3},
    "coded, one beat": {"form": "ice40_no_twins", "coded": True, "mw": 3, "simd": 3},
    "register, clock enable": {"simd": 2, "replay": "register"},
    "register, clock enable, slow memories": {"simd": 2, "read_latency": 2, "replay": "register"},
    "register, credits, slow memories": {"simd": 2, "back_pressure": "credit", "read_latency": 2, "replay": "register"},
    "register, offers in a register": {"simd": 2, "replay": "register", "offer_latency": 1},
    "register, offers in a register, credits, slow memories":
        {"simd": 2, "back_pressure": "credit", "read_latency": 2, "replay": "register", "offer_latency": 1},
}  # fmt: skip


QUICK = ("clock enable", "credits")


class NeverFull(Fifo):
    """Results with a credit always find a place."""

    def elaborate(self, platform: object) -> Module:
        m = super().elaborate(platform)
        m.d.comb += Assert(~self.i.valid | self.i.ready)
        return m


def case_of(kind: str) -> Case:
    return Case(**({"mh": 2, "mw": 2, "pe": 1, "simd": 1} | KINDS[kind]))


def prove_layer(folder: Path, kind: str, patience: int = 0) -> str:
    """Over as many cycles as it takes to see two vectors leave, to fill every place for a result, and for one result more."""
    case = case_of(kind)
    unit = case.config.unit
    bench = LayerBench(case.config, case.weight_words)
    bench.patience += patience
    n_results = max(4, unit.queue.depth + 1)
    depth = case.config.latency_cycles + unit.beats_per_row * n_results + 2
    cells = "ecp5" if unit.form == "ecp5" else None
    with pytest.MonkeyPatch.context() as patch:
        if unit.back_pressure == "credit":
            patch.setattr(fifo, "Fifo", NeverFull)
        return prove(bench, folder, depth=depth, cells=cells)


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=() if k in QUICK else pytest.mark.slow) for k in KINDS]
)
def test_it_keeps_the_contract_whatever_stalls_and_resets_there_are(
    kind: str, tmp_path: Path
) -> None:
    """Bounded: for all runs of that many cycles."""
    assert prove_layer(tmp_path, kind) == "PASS"


@pytest.mark.parametrize("kind", ["clock enable", "credits"])
def test_the_documented_latency_is_the_least_that_can_be_proved(kind: str, tmp_path: Path) -> None:
    assert prove_layer(tmp_path, kind, patience=-1) == "FAIL"


@pytest.mark.slow
@each_fault(
    Fault("does not wait for a credit", MatrixVector, "(self._has_credit(m, take & ends_row) | ~ends_row)", "C(1)", "credits, one beat"),
    Fault("a credit too many", MatrixVector, "Signal(range(places + 1), init=places)", "Signal(8, init=places + 1)", "credits, one beat"),
    Fault("the array moves on", MatrixVector, "return ~waits", "return C(1, 1)", "clock enable"),
    Fault("overwrites a bank", Replay, "self.i.ready.eq(~has_both)", "self.i.ready.eq(1)", "clock enable, one beat, preset last"),
    Fault("reads a bank too early", Replay, "self.beats.available.eq(has_one)", "self.beats.available.eq(1)", "credits"),
    Fault("uses one word once", Replay, "is_first.eq(beats.last)", "is_first.eq(1)", "register, clock enable"),
    Fault("takes a word with its last use", Replay, "first_use = beats.take & is_first", "first_use = beats.take & beats.last", "register, clock enable, slow memories"),
    Fault("offers a word once more", Replay, "is_offered.eq(self.i.valid & ~moves)", "is_offered.eq(self.i.valid)", "register, offers in a register, credits, slow memories"),
    Fault("gives a bank up too early", Replay, "read_bank.eq(read_bank ^ release)", "read_bank.eq(read_bank ^ self.beats.take)", "credits"),
)  # fmt: skip
def test_a_planted_fault_is_found(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    assert prove_layer(tmp_path, fault.case) == "FAIL"


@pytest.mark.parametrize("kind", ["clock enable", "credits"])
def test_an_offer_holds_in_every_reachable_state(kind: str, tmp_path: Path) -> None:
    """By induction: for runs of any length."""
    bench = Stimulus(case_of(kind).config.component())
    assert prove(bench, tmp_path, depth=2, mode="prove") == "PASS"
