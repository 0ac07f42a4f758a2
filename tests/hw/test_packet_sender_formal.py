"""`rbonn.hw.packet_sender`: what it offers holds until it is taken, in runs of any length."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from amaranth.asserts import AnySeq
from amaranth.hdl import Elaboratable, Module
from amaranth.lib import data
from rbonn.hw.packet_sender import PacketSender
from rbonn.hw.protocol import Command, Info

from .formal import assert_offer_holds, offer_anything, prove
from .formal_link import INFO
from .planted import Fault, each_fault

pytestmark = pytest.mark.formal

ALL = replace(INFO, batch_images=2, benchmark=True, trace_bytes=3)
"""Every command that a board may have."""

SCORE = data.StructLayout({"score": 4, "label": 2, "last": 1})


class AnswerBench(Elaboratable):
    """Any jobs, scores and recorded bytes, images started at any time, and a taker that stalls as it likes."""

    def __init__(self, info: Info) -> None:
        self.info = info

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.sender = sender = PacketSender(self.info, SCORE, program_memory="logic")
        offer_anything(m, sender.i_job)
        offer_anything(m, sender.i)
        m.d.comb += [sender.o.ready.eq(AnySeq(1)), sender.started.eq(AnySeq(1))]
        m.d.comb += sender.feeding.eq(AnySeq(1))
        if Command.TRACE in self.info.commands:
            offer_anything(m, sender.i_trace)
        assert_offer_holds(m, sender.o)
        return m


def prove_answers(folder: Path, info: Info = INFO) -> str:
    """By induction over so many cycles that the first byte of an answer waits within them."""
    return prove(AnswerBench(info), folder, depth=12, mode="prove")


@pytest.mark.parametrize("info", [INFO, ALL], ids=["least commands", "all commands"])
def test_an_offer_holds_in_every_reachable_state(info: Info, tmp_path: Path) -> None:
    assert prove_answers(tmp_path, info) == "PASS"


@each_fault(
    Fault("the CRC goes on while a byte waits", PacketSender, "crc.hold.eq(~self.o.ready)", "crc.hold.eq(0)"),
    Fault("goes on to the next byte at once", PacketSender, "sent.eq(crc.i.valid & crc.i.ready)", "sent.eq(crc.i.valid)"),
)  # fmt: skip
def test_a_planted_fault_is_found(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    assert prove_answers(tmp_path) == "FAIL"
