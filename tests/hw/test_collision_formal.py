"""Memories that are written while they are read: nothing is used that was read in the cycle in which its word was written.

A device may answer such a read with anything, and its memories are built without logic against it (`no_rw_check`), which is sound
only because of what is proved here. No other proof and no simulation sees it: their memories answer with the old word.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Assert, Module
from amaranth.lib.memory import Memory
from rbonn.hw import fifo, replay
from rbonn.hw.fifo import FifoConfig
from rbonn.hw.primitives.portable import block_memory
from rbonn.hw.replay import Replay

from .formal import prove
from .formal_layer import Stimulus
from .planted import Fault, each_fault
from .test_layer_formal import case_of

pytestmark = pytest.mark.formal


def prove_banks(folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Asks, by induction, whether a layer ever takes a word that is not there yet, or from the bank that is being written.

    The induction needs to know what banks and flags say of each other: one bank is full where they differ, else none or both.
    """

    class Watched(replay.Replay):
        def _memory(self, m: Module) -> tuple[Any, Any]:
            write, read = super()._memory(m)
            same_bank = write.address[-1] == read.address[-1]
            has_one, has_both = self.beats.available, ~self.i.ready
            m.d.comb += [
                Assert(same_bank != (has_one & ~has_both)),
                Assert(~has_both | has_one),
                Assert(~self.beats.take | self.beats.available),
                Assert(~(self.beats.take & write.enable & same_bank)),
            ]
            return write, read

    monkeypatch.setattr(replay, "Replay", Watched)
    bench = Stimulus(case_of(kind).config.component())
    cells = "ecp5" if "carry chains" in kind else None
    return prove(bench, folder, depth=8, mode="prove", cells=cells)


@pytest.mark.parametrize("kind", ["clock enable", "credits, slow memories"])
def test_a_layer_never_takes_a_word_from_the_bank_that_is_being_written(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By induction: for runs of any length."""
    assert prove_banks(tmp_path, kind, monkeypatch) == "PASS"


@each_fault(
    Fault("never full", Replay, "has_both.eq((has_both | (has_one & filled)) & ~release)", "has_both.eq(0)"),
    Fault("never empty", Replay, "has_one.eq(filled | has_both | (has_one & ~release))", "has_one.eq(filled | has_one)"),
    Fault("a bank for each word", Replay, "write_bank.eq(write_bank ^ (accept & write_is_last))", "write_bank.eq(write_bank ^ accept)"),
)  # fmt: skip
def test_a_count_of_full_banks_that_is_wrong_is_found(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    assert prove_banks(tmp_path, "clock enable", monkeypatch) == "FAIL"


class WatchedMemory(Memory):
    """Asserts that no port reads the word that another one writes."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.words = super().elaborate(platform)
        for write in self.write_ports:
            for read in self.read_ports:
                m.d.comb += Assert(~(write.en & read.en & (write.addr == read.addr)))
        return m


def prove_fifo(folder: Path, depth: int, monkeypatch: pytest.MonkeyPatch, **made_of: Any) -> str:
    for module in (fifo, block_memory):
        monkeypatch.setattr(module, "Memory", WatchedMemory)
    bench = Stimulus(FifoConfig(width=1, depth=depth, **made_of).component())
    return prove(bench, folder, depth=12)


@pytest.mark.parametrize(
    ("depth", "made_of"),
    [
        (3, {}),
        (4, {}),
        (4, {"memory": "lut_ram"}),
        (4, {"read_latency": 2}),
        (5, {"read_latency": 2}),
    ],
)
def test_a_fifo_never_reads_the_word_that_it_writes(
    depth: int, made_of: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bounded, by more cycles than the counters of so few words need to get into any state."""
    assert prove_fifo(tmp_path, depth, monkeypatch, **made_of) == "PASS"


NEVER_FULL = Fault("never full", fifo.Fifo, "is_full.eq(n_taken == n_words - 1)", "is_full.eq(0)")


@pytest.mark.parametrize(("depth", "made_of"), [(3, {}), (4, {"read_latency": 2})])
def test_a_fifo_that_believes_to_have_one_word_more_is_found(
    depth: int, made_of: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    NEVER_FULL.plant(monkeypatch)
    assert prove_fifo(tmp_path, depth, monkeypatch, **made_of) == "FAIL"
