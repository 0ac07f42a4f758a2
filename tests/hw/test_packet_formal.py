"""`rbonn.hw.packet`: every frame proved to have one job, right images and nothing granted that is wrong, whatever comes."""

from __future__ import annotations

from pathlib import Path

import pytest
from amaranth.asserts import AnySeq
from amaranth.hdl import Assert, Assume, Elaboratable, Module, Mux, Signal
from rbonn.hw import packet
from rbonn.hw.packet import PacketReceiver, Reply, is_granted
from rbonn.hw.protocol import CRC_BYTES, HEADER_BYTES, VERSION, Command

from .formal import assert_offer_holds, assume_few, offer_anything, prove
from .formal_link import INFO, AnyCrc
from .planted import Fault, each_fault

pytestmark = [pytest.mark.formal, pytest.mark.slow]


class RequestBench(Elaboratable):
    """Any frames, bytes lost at any time, a core and a taker of jobs that stall `STALLS` times, and images held back, against these rules:

    * each frame has one job, before the next one is looked at: with its sequence, granted if and only if version, command, length, number of
      bytes and CRC are right and its bytes came whole, and then with its own command; all else is an error;
    * a full core gets no first byte; it gets an image if and only if a header asks for one and a byte of it comes, whole: the payload's bytes in order, then zeros;
    * jobs and bytes for the core hold until they are taken; nothing waits but for those who stall, for more than `PATIENCE` cycles;
    * there is a restart, of one cycle, before the job of each RESET and never else.
    """

    PATIENCE = 4
    STALLS = 1

    def __init__(self) -> None:
        self.crc = AnyCrc()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = PacketReceiver(INFO)
        i, o, o_job = receiver.i, receiver.o, receiver.o_job
        offer_anything(m, i)
        full = Signal(init=1)
        m.d.comb += [
            o.ready.eq(AnySeq(1)),
            o_job.ready.eq(AnySeq(1)),
            receiver.lost.eq(AnySeq(1)),
            receiver.full.eq(full),
            Assume(~i.payload.end | (i.payload.byte == 0)),
        ]
        # The core is full for as long as it likes, and becomes so with an image that is started.
        m.d.sync += full.eq(AnySeq(1) & (full | receiver.started))

        # The frame so far.
        n_bytes, header = Signal(range(17)), Signal(8 * HEADER_BYTES)
        damaged, is_whole, n_image, n_restarts = Signal(), Signal(), Signal(2), Signal(2)
        accepts, job = i.valid & i.ready, o_job.payload
        with m.If(accepts & ~i.payload.end):
            m.d.sync += n_bytes.eq(Mux(n_bytes == 16, 16, n_bytes + 1))
            with m.If(n_bytes < HEADER_BYTES):
                m.d.sync += header.word_select(n_bytes[:3], 8).eq(i.payload.byte)
        with m.If(accepts & i.payload.end):
            m.d.sync += [is_whole.eq(1), damaged.eq(i.payload.damaged)]
        m.d.sync += n_restarts.eq(n_restarts + receiver.restart)
        with m.If(o_job.valid & o_job.ready):
            m.d.sync += [n_bytes.eq(0), is_whole.eq(0), n_image.eq(0), n_restarts.eq(0)]
        version, sequence, command = (header.word_select(k, 8) for k in range(3))
        length = header[24:]

        asks, payload_bytes = Signal(Reply), Signal(16)
        is_known = Signal()
        with m.Switch(command):
            for known in sorted(INFO.commands):
                with m.Case(known):
                    m.d.comb += [is_known.eq(1), asks.eq(Reply[known.name])]
        m.d.comb += payload_bytes.eq(Mux(command == Command.INFER, INFO.image_bytes, 0))
        is_good = is_known & (version == VERSION) & (length == payload_bytes)
        has_header, is_image = n_bytes >= HEADER_BYTES, command == Command.INFER

        # Images.
        place = HEADER_BYTES + n_image
        with m.If(o.valid):
            m.d.comb += [
                Assert(has_header & is_good & is_image & (n_image < INFO.image_bytes)),
                Assert(i.valid & Mux(i.payload.end, n_image != 0, n_bytes == place)),
                Assert(o.payload == i.payload.byte),
                Assert((n_image != 0) | ~full),
            ]
            with m.If(o.ready):
                m.d.sync += n_image.eq(n_image + 1)

        # Jobs.
        with m.If(o_job.valid):
            m.d.comb += [
                Assert(is_whole & ~accepts),
                Assert(~(n_bytes >= 2) | (job.sequence == sequence)),
                Assert(
                    n_image
                    == Mux(is_good & is_image & (n_bytes > HEADER_BYTES), INFO.image_bytes, 0)
                ),
                Assert(n_restarts == (job.reply == Reply.RESET)),
                Assert(
                    is_granted(job.reply)
                    == (
                        has_header
                        & is_good
                        & (n_bytes == HEADER_BYTES + payload_bytes + CRC_BYTES)
                        & ~damaged
                        & self.crc.match
                    )
                ),
                Assert(~is_granted(job.reply) | (job.reply == asks)),
            ]
        m.d.comb += Assert(~(is_whole & accepts))
        is_absorbed = self.crc.i.valid & ~self.crc.first & ~self.crc.i.ready
        stalls = (o.valid & ~o.ready) | (o_job.valid & ~o_job.ready) | is_absorbed
        assume_few(m, ~i.valid | stalls, self.STALLS)
        waited, owed = Signal(4), Mux(is_whole, ~o_job.valid, i.valid & ~i.ready)
        m.d.sync += waited.eq(Mux(owed & ~stalls & ~full, waited + 1, 0))
        m.d.comb += Assert(waited <= self.PATIENCE)
        assert_offer_holds(m, o)
        assert_offer_holds(m, o_job)
        return m


def prove_requests(folder: Path) -> str:
    """The longest right request with a stall, or several wrong ones, in as few cycles as the CRC may take."""
    bench = RequestBench()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packet, "Crc32", lambda: bench.crc)
        return prove(bench, folder, depth=29, resets=False)


def test_a_frame_has_one_job_and_is_granted_only_where_it_is_right(tmp_path: Path) -> None:
    assert prove_requests(tmp_path) == "PASS"


@each_fault(
    Fault("grants what came in pieces", PacketReceiver, "with m.If(~crc.match | damaged)", "with m.If(~crc.match)"),
    Fault("grants a frame without its CRC", PacketReceiver, "is_granted(reply) & (position != CRC_BYTES)", "is_granted(reply) & (position[:2] != 0)"),
    Fault("leaves an image incomplete", PacketReceiver, "in_payload & begun & self.i.valid & end)", "0)"),
    Fault("goes on while the core waits", PacketReceiver, "crc.hold.eq(in_payload & ~ready)", "crc.hold.eq(0)"),
    Fault("starts an image while the core is full", PacketReceiver, "free.eq(begun | ~self.full)", "free.eq(1)"),
)  # fmt: skip
def test_a_planted_fault_is_found(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    assert prove_requests(tmp_path) == "FAIL"
