"""`rbonn.hw.uart`: every byte, proved to get on the line and off it, whatever pauses there are; at the smallest divisor, which leaves the least time."""

from __future__ import annotations

from pathlib import Path

import pytest
from amaranth.asserts import AnySeq
from amaranth.hdl import Assert, Cat, Const, Elaboratable, Module, Mux, Signal
from rbonn.hw.uart import MIN_DIVISOR, UartConfig, UartReceiver, UartTransmitter

from .formal import prove
from .planted import Fault, each_fault

pytestmark = pytest.mark.formal

CONFIG = UartConfig(clock_hz=MIN_DIVISOR, baud=1)


class TransmitterBench(Elaboratable):
    """Any bytes in any cycles, from a reset on: the line is high but for the bytes that were accepted.

    A byte's start bit, data, least significant first, and stop bit follow its acceptance, `divisor` cycles each; the next one is accepted in the last
    cycle of the stop bit at the earliest. While the line is free, a byte is accepted within a bit time.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.transmitter = transmitter = UartTransmitter(CONFIG)
        i, divisor = transmitter.i, transmitter.config.divisor
        m.d.comb += [i.valid.eq(AnySeq(1)), i.payload.eq(AnySeq(8))]
        n_cycles = 10 * divisor
        accepts, since, frame = (
            i.valid & i.ready,
            Signal(range(n_cycles + 1), init=n_cycles),
            Signal(10),
        )
        with m.If(accepts):
            m.d.sync += [since.eq(0), frame.eq(Cat(Const(0, 1), i.payload, Const(1, 1)))]
        with m.Elif(since != n_cycles):
            m.d.sync += since.eq(since + 1)
        expected = Signal()
        m.d.comb += expected.eq(1)
        with m.Switch(since):
            for bit in range(10):
                with m.Case(*range(bit * divisor, (bit + 1) * divisor)):
                    m.d.comb += expected.eq(frame[bit])
        waited = Signal(range(divisor + 1))
        is_free = since >= n_cycles - 1
        m.d.sync += waited.eq(Mux(is_free & i.valid & ~i.ready, waited + 1, 0))
        m.d.comb += [
            Assert(transmitter.tx == expected),
            Assert(~accepts | is_free),
            Assert(waited < divisor),
        ]
        return m


class ReceiverBench(Elaboratable):
    """A sender of any bytes with any pauses on the line, from a reset on, and stop bits that are low where the solver likes.

    Every byte with a high stop bit comes out once, within `patience` cycles of its end; one with a low stop bit does not, and is an error, of a break
    where the byte is 0. After a low stop bit the line is high for a bit time, as the receiver asks for.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(CONFIG)
        divisor = receiver.config.divisor
        # The sender: bits, and the cycle of the bit. At rest it may begin in any cycle; after a low stop bit, a bit time later.
        bits, cycle, place = (
            Signal(10, init=0x3FF),
            Signal(range(divisor)),
            Signal(range(12), init=11),
        )
        is_end = cycle == divisor - 1
        byte, stop, begins = AnySeq(8), AnySeq(1), Signal()
        m.d.comb += begins.eq((place == 11) & AnySeq(1))
        m.d.comb += receiver.rx.eq(Mux(place < 10, bits.bit_select(place, 1), 1))
        with m.If(begins):
            m.d.sync += [bits.eq(Cat(Const(0, 1), byte, stop)), place.eq(0), cycle.eq(0)]
        with m.Elif(place != 11):
            m.d.sync += cycle.eq(Mux(is_end, 0, cycle + 1))
            with m.If(is_end):
                # After a high stop bit the line is at rest, where the next byte may begin at once.
                m.d.sync += place.eq(Mux((place == 9) & bits[9], 11, place + 1))
        # What is owed: the byte whose stop bit has begun to be sent.
        owed, waited, sent = Signal(), Signal(range(self.patience + 2)), Signal(9)
        gives = receiver.o.valid | receiver.framing_error
        with m.If((place == 9) & (cycle == 0)):
            m.d.sync += [owed.eq(1), sent.eq(bits[1:])]
        with m.Elif(gives):
            m.d.sync += owed.eq(0)
        m.d.sync += waited.eq(Mux(owed & ~gives, waited + 1, 0))
        m.d.comb += Assert(waited <= self.patience)
        with m.If(gives):
            m.d.comb += [
                Assert(owed),
                Assert(receiver.o.valid == sent[8]),
                Assert(receiver.framing_error == ~sent[8]),
            ]
        with m.If(receiver.o.valid):
            m.d.comb += Assert(receiver.o.payload == sent[:8])
        m.d.comb += Assert(receiver.line_break == (receiver.framing_error & (sent[:8] == 0)))
        return m


def prove_transmitter(folder: Path) -> str:
    """A byte, and a bit of the next one."""
    return prove(TransmitterBench(), folder, depth=CONFIG.byte_cycles + 3 * CONFIG.divisor)


def prove_receiver(folder: Path, patience: int = 3) -> str:
    """Two bytes. Without resets: one in the middle of a byte of the sender would leave its line in the synchroniser."""
    depth = 2 * CONFIG.byte_cycles + CONFIG.divisor
    return prove(ReceiverBench(patience), folder, depth=depth, resets=False)


def test_each_byte_gets_on_the_line(tmp_path: Path) -> None:
    assert prove_transmitter(tmp_path) == "PASS"


def test_each_byte_gets_off_the_line(tmp_path: Path) -> None:
    assert prove_receiver(tmp_path) == "PASS"


def test_the_time_until_a_byte_comes_is_the_least_that_can_be_proved(tmp_path: Path) -> None:
    assert prove_receiver(tmp_path, patience=2) == "FAIL"


@pytest.mark.slow
@each_fault(
    Fault("a stop bit of no length", UartTransmitter, "free.eq(bits[1:] == 0)", "free.eq(bits[2:] == 0)"),
    Fault("a bit a cycle too long", UartTransmitter, "cycle == divisor - 1", "cycle == divisor"),
    Fault("takes a byte in any cycle", UartTransmitter, "self.i.ready.eq(tick & free)", "self.i.ready.eq(free)"),
)  # fmt: skip
def test_a_fault_in_the_transmitter_is_found(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    assert prove_transmitter(tmp_path) == "FAIL"


@pytest.mark.slow
@each_fault(
    Fault("takes the rest of a low stop bit for a start bit", UartReceiver, 'm.next = "WAIT"', 'm.next = "IDLE"'),
    Fault("a bit too few", UartReceiver, "bits.eq(1 << 8)", "bits.eq(1 << 7)"),
    Fault("takes a byte without a stop bit", UartReceiver, "self.o.valid.eq(line)", "self.o.valid.eq(1)"),
    Fault("every framing error a break", UartReceiver, "~line & (self.o.payload == 0)", "~line"),
)  # fmt: skip
def test_a_fault_in_the_receiver_is_found(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    assert prove_receiver(tmp_path) == "FAIL"
