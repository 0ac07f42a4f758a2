"""`rbonn.hw.trace`: what is read is what crossed the edges last, proved for any transfers, readings, stalls and resets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from amaranth.asserts import AnySeq
from amaranth.hdl import Assert, Cat, Const, Elaboratable, Module, Mux, Signal, Value
from rbonn.hw.trace import Recorder, Trace, TraceConfig

from .formal import prove
from .planted import Fault, each_fault

pytestmark = pytest.mark.formal


class TraceBench(Elaboratable):
    """Transfers of edges in any cycles but those of reading and the one before, and readings of any length, from a reset on.

    What is read is, byte by byte, the last image's transfers of one edge after the other, `last` with the last byte; an image is known by its
    number of transfers, and begins anew with `forget`. An offer holds while it is read, and while `reading` is high there is one after at most three cycles.
    """

    def __init__(self, trace: Any) -> None:
        self.trace = trace

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.trace = trace = self.trace
        o = trace.o
        reading, moved = Signal(), Signal()
        strobes = [recorder.strobe for recorder in trace.recorders]
        m.d.comb += [
            trace.forget.eq(AnySeq(1) & ~reading),
            # A transfer takes a cycle to the memory.
            reading.eq(AnySeq(1) & ~moved),
            trace.reading.eq(reading),
            o.ready.eq(AnySeq(1)),
        ]
        m.d.sync += moved.eq(Cat(strobes).any())
        expected: list[Value] = []
        settled = []
        for k, recorder in enumerate(trace.recorders):
            config = recorder.config
            words = [Signal(config.width, name=f"word_{k}_{j}") for j in range(config.transfers)]
            is_known = Signal(config.transfers, name=f"is_known_{k}")
            place = Signal(range(config.transfers), name=f"place_{k}")
            m.d.comb += [
                recorder.strobe.eq(AnySeq(1) & ~reading & ~trace.forget),
                recorder.data.eq(AnySeq(config.width)),
            ]
            with m.If(trace.forget):
                m.d.sync += [place.eq(0), is_known.eq(0)]
            with m.Elif(recorder.strobe):
                m.d.sync += place.eq(Mux(place == config.transfers - 1, 0, place + 1))
                with m.Switch(place):
                    for j, word in enumerate(words):
                        with m.Case(j):
                            m.d.sync += [word.eq(recorder.data), is_known[j].eq(1)]
            settled.append(is_known.all())
            for word in words:
                padded = Cat(word, Const(0, 8 * config.transfer_bytes - config.width))
                expected += [padded.word_select(j, 8) for j in range(config.transfer_bytes)]
        n_bytes = len(expected)
        number, waited = Signal(range(n_bytes + 1)), Signal(3)
        with m.If(~reading):
            m.d.sync += number.eq(0)
        with m.Elif(o.valid & o.ready):
            m.d.sync += number.eq(number + 1)
        is_all = number == n_bytes
        m.d.sync += waited.eq(Mux(reading & ~o.valid & ~is_all, waited + 1, 0))
        m.d.comb += Assert(waited <= 3)
        with m.If(reading & o.valid & ~is_all):
            m.d.comb += Assert(o.payload.last == (number == n_bytes - 1))
            with m.If(Cat(settled).all()), m.Switch(number):
                for k, byte in enumerate(expected):
                    with m.Case(k):
                        m.d.comb += Assert(o.payload.byte == byte)
        # An offer holds while it is read.
        offered, payload = Signal(), Signal.like(o.payload.as_value())
        m.d.sync += [offered.eq(reading & o.valid & ~o.ready), payload.eq(o.payload)]
        with m.If(offered & reading):
            m.d.comb += [Assert(o.valid), Assert(o.payload.as_value() == payload)]
        return m


def prove_trace(folder: Path) -> str:
    """Two edges, one of two transfers of two bytes. In so many cycles they are filled, read by half, read again and, if nothing stalls, to the end."""
    edges = [TraceConfig("wide", 9, 2), TraceConfig("narrow", 3, 1)]
    return prove(TraceBench(Trace(edges)), folder, depth=15)


def test_it_gives_what_crossed_the_edges_last(tmp_path: Path) -> None:
    assert prove_trace(tmp_path) == "PASS"


@pytest.mark.slow
@each_fault(
    Fault("goes on where reading was given up", Recorder, 'm.next = "GIVE"\n                with m.If(~self.reading)', 'm.next = "GIVE"\n                with m.If(0)'),
    Fault("a transfer of a byte too few", Recorder, "left.eq(n_bytes - 1)", "left.eq(n_bytes - 2)"),
    Fault("goes on to the next edge when a byte is offered", Trace, "recorder.o.valid & recorder.o.ready & recorder.o.payload.last", "recorder.o.valid & recorder.o.payload.last"),
    Fault("says that the first edge is the last", Trace, "recorder.o.payload.last & is_end", "recorder.o.payload.last"),
)  # fmt: skip
def test_a_planted_fault_is_found(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    assert prove_trace(tmp_path) == "FAIL"
