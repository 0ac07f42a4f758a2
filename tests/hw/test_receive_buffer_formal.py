"""`rbonn.hw.receive_buffer`: proved to lose no byte but those of which it says so, whatever comes and however it is stalled."""

from __future__ import annotations

from pathlib import Path

import pytest
from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import Assert, Elaboratable, Module, Mux, Signal
from rbonn.hw.receive_buffer import ReceiveBuffer

from .formal import assert_offer_holds, prove
from .planted import Fault, each_fault

pytestmark = pytest.mark.formal


class BufferBench(Elaboratable):
    """Bytes at least two cycles apart, taken at any time, from a reset on.

    Those that are not said to be lost come out once, in order, looked at for one, whichever the solver likes; one is lost if and only if `depth`
    wait behind the output. What waits is offered within three cycles, and holds.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.buffer = buffer = ReceiveBuffer(2)
        i, o, depth = buffer.i, buffer.o, buffer.depth
        came = Signal()
        m.d.comb += [
            i.valid.eq(AnySeq(1) & ~came),
            i.payload.eq(AnySeq(8)),
            o.ready.eq(AnySeq(1)),
        ]
        m.d.sync += came.eq(i.valid)
        n_in, n_out, watched, value = Signal(4), Signal(4), AnyConst(4), Signal(8)
        keeps, takes, held = i.valid & ~buffer.lost, o.valid & o.ready, Signal(4)
        m.d.comb += held.eq(n_in - n_out)
        m.d.sync += [n_in.eq(n_in + keeps), n_out.eq(n_out + takes)]
        with m.If(keeps & (n_in == watched)):
            m.d.sync += value.eq(i.payload)
        with m.If(o.valid):
            m.d.comb += Assert(held != 0)
            with m.If(n_out == watched):
                m.d.comb += Assert(o.payload == value)
        waited = Signal(3)
        m.d.sync += waited.eq(Mux((held != 0) & ~o.valid, waited + 1, 0))
        m.d.comb += [
            Assert(buffer.lost == (i.valid & (held - o.valid == depth))),
            Assert(waited <= 2),
        ]
        assert_offer_holds(m, o)
        return m


def prove_buffer(folder: Path) -> str:
    """Two places, which are full after six cycles and empty again after as many."""
    return prove(BufferBench(), folder, depth=14)


def test_it_loses_only_what_it_says(tmp_path: Path) -> None:
    assert prove_buffer(tmp_path) == "PASS"


@pytest.mark.slow
@each_fault(
    Fault("never full", ReceiveBuffer, "full.eq(equal & grew)", "full.eq(0)"),
    Fault("overwrites its output", ReceiveBuffer, "~empty & ~just_read & (~self.o.valid | self.o.ready)", "~empty & ~just_read"),
    Fault("reads twice running", ReceiveBuffer, "~empty & ~just_read & (", "~empty & ("),
    Fault("equal addresses mean empty", ReceiveBuffer, "write.addr.eq(write.addr + 1), grew.eq(1)", "write.addr.eq(write.addr + 1), grew.eq(0)"),
)  # fmt: skip
def test_a_planted_fault_is_found(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    assert prove_buffer(tmp_path) == "FAIL"
