"""`rbonn.hw.cobs`: the decoder proved to do what the definition says, the encoder to be undone by it, the latter beside a few stalls.

Both with blocks of at most two bytes in place of 254: only so full ones come within the cycles that are looked at. The length is one constant in the source.
Frames for the encoder are of the bytes 0 and 1, for it asks no more of a byte than whether it is 0. That its ring of 256 bytes fills up is left to simulation.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import Assert, Assume, Elaboratable, Module, Mux, Signal
from rbonn.hw import cobs
from rbonn.hw.cobs import CobsDecoder, CobsEncoder

from .formal import assert_offer_holds, assume_few, offer_anything, prove
from .planted import Fault, each_fault

pytestmark = pytest.mark.formal

MAX_CODE = 3
"""Code of a full block."""


class DecoderBench(Elaboratable):
    """Any bytes on the line, and an output that is taken at any time, against these rules:

    * a byte that is not zero is a code if it is the frame's first, or as many bytes behind the last code as that says; else it is given. A code
      gives the zero behind the block before it, unless that was full or there was none;
    * a zero gives the frame's end, `damaged` where no code was due, unless the frame is empty;
    * a byte is taken with what it gives, in its second cycle at the latest if nothing waits; an offer holds.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.decoder = decoder = CobsDecoder()
        i, o = decoder.i, decoder.o
        offer_anything(m, i)
        m.d.comb += o.ready.eq(AnySeq(1))
        place, code_at, code = Signal(9), Signal(9), Signal(8)
        is_code, is_end = place == code_at, i.payload == 0
        gives, byte = Signal(), Signal(8)
        with m.If(is_end):
            m.d.comb += gives.eq(place != 0)
        with m.Elif(is_code):
            m.d.comb += gives.eq((place != 0) & (code != MAX_CODE))
        with m.Else():
            m.d.comb += [gives.eq(1), byte.eq(i.payload)]
        accepts, waited = i.valid & i.ready, Signal(2)
        with m.If(accepts):
            m.d.sync += place.eq(place + 1)
            with m.If(is_code):
                m.d.sync += [code_at.eq(place + i.payload), code.eq(i.payload)]
            with m.If(is_end):
                m.d.sync += [place.eq(0), code_at.eq(0)]
            m.d.comb += Assert(gives == (o.valid & o.ready))
        with m.If(o.valid):
            m.d.comb += [
                Assert(i.valid & gives),
                Assert(o.payload.byte == byte),
                Assert(o.payload.end == is_end),
                Assert(~is_end | (o.payload.damaged == ~is_code)),
            ]
        m.d.sync += waited.eq(Mux(i.valid & ~i.ready & ~o.valid, waited + 1, 0))
        m.d.comb += Assert(waited <= 1)
        assert_offer_holds(m, o)
        return m


class RoundBench(Elaboratable):
    """Any frames through the encoder and the decoder, with `STALLS` at any time: what comes out is what went in, in order, looked at for one transfer.

    Frames come whole: none is said to be damaged, and the zeros on the line are the delimiters, one before the first frame and one behind each. While a
    whole frame is inside and the line is free, something is given after at most `patience` cycles.
    """

    STALLS = 2

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.encoder = encoder = CobsEncoder()
        m.submodules.decoder = decoder = CobsDecoder()
        i, line, o = encoder.i, encoder.o, decoder.o
        offer_anything(m, i)
        m.d.comb += [
            Assume(i.payload.byte < 2),
            decoder.i.valid.eq(line.valid),
            decoder.i.payload.eq(line.payload),
            line.ready.eq(decoder.i.ready),
            o.ready.eq(AnySeq(1)),
        ]
        assume_few(m, ~i.valid | (o.valid & ~o.ready), self.STALLS)
        n_in, n_out, watched = Signal(5), Signal(5), AnyConst(5)
        byte, end = Signal(8), Signal()
        accepts, takes = i.valid & i.ready, o.valid & o.ready
        m.d.sync += [n_in.eq(n_in + accepts), n_out.eq(n_out + takes)]
        with m.If(accepts & (n_in == watched)):
            m.d.sync += [byte.eq(Mux(i.payload.end, 0, i.payload.byte)), end.eq(i.payload.end)]
        with m.If(o.valid):
            m.d.comb += [Assert(n_out != n_in), Assert(~(o.payload.end & o.payload.damaged))]
            with m.If(n_out == watched):
                m.d.comb += [Assert(o.payload.byte == byte), Assert(o.payload.end == end)]
        # Zeros on the line, less the frames' ends that are given: the delimiter at hand, and the one before all.
        n_zeros, n_ends = Signal(5), Signal(5)
        zero = line.valid & line.ready & (line.payload == 0)
        m.d.sync += [n_zeros.eq(n_zeros + zero), n_ends.eq(n_ends + (takes & o.payload.end))]
        m.d.comb += Assert((n_zeros - n_ends)[:5] <= 1)
        is_whole, waited = Signal(), Signal(range(self.patience + 2))
        with m.If(accepts):
            m.d.sync += is_whole.eq(i.payload.end)
        is_owed = is_whole & (n_in != n_out)
        m.d.sync += waited.eq(Mux(is_owed & ~o.valid, waited + 1, 0))
        m.d.comb += Assert(waited <= self.patience)
        assert_offer_holds(m, line)
        return m


@pytest.fixture(autouse=True)
def _short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cobs, "MAX_CODE", MAX_CODE)


def prove_decoder(folder: Path) -> str:
    """Seven bytes: a full block, a zero behind the next one, and an end."""
    return prove(DecoderBench(), folder, depth=15)


def prove_round(folder: Path, patience: int = 9) -> str:
    """A full block and a byte behind it, or two frames."""
    return prove(RoundBench(patience), folder, depth=22, resets=False)


def test_the_decoder_gives_what_the_definition_says(tmp_path: Path) -> None:
    assert prove_decoder(tmp_path) == "PASS"


@pytest.mark.slow
def test_what_is_encoded_and_decoded_is_what_it_was(tmp_path: Path) -> None:
    assert prove_round(tmp_path) == "PASS"


@pytest.mark.slow
@each_fault(
    Fault("a zero behind a full block", CobsDecoder, "no_zero.eq(self.i.payload == MAX_CODE)", "no_zero.eq(0)"),
    Fault("the end of no frame", CobsDecoder, "self.i.payload == 0, ~starting, ", "self.i.payload == 0, 1, "),
    Fault("loses a byte that waits", CobsDecoder, "looked & (~gives | self.o.ready)", "looked"),
    Fault("damage where a block is complete", CobsDecoder, "self.o.payload.damaged.eq(~code)", "self.o.payload.damaged.eq(code)"),
)  # fmt: skip
def test_a_fault_in_the_decoder_is_found(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    assert prove_decoder(tmp_path) == "FAIL"


@pytest.mark.slow
@each_fault(
    Fault("takes the byte behind a full block", CobsEncoder, "(self.i.payload.end | (code != MAX_CODE))", "1"),
    Fault("overwrites its output", CobsEncoder, "available & (~self.o.valid | self.o.ready)", "available"),
    Fault("reads an open block", CobsEncoder, "(start != head) & ~fetch", "(start != tail) & ~fetch"),
    Fault("no delimiter", CobsEncoder, "ended.eq(~ended & self.i.payload.end)", "ended.eq(0)"),
)  # fmt: skip
def test_a_fault_in_the_encoder_is_found(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    assert prove_round(tmp_path) == "FAIL"
