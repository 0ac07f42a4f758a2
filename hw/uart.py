"""Asynchronous serial receiver and transmitter: 8 data bits, least significant first, no parity, one stop bit."""

from dataclasses import dataclass

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

MIN_DIVISOR = 4
"""Fewest clock cycles per bit that leave a sample near enough to the middle of each bit."""

MAX_BAUD_ERROR = 0.02
"""Largest relative error of the baud rate; receiver and sender together may drift by half a bit in ten."""


@dataclass(frozen=True)
class UartConfig:
    """Clock and baud rate of a serial line.

    Parameters
    ----------
    clock_hz : int - frequency of the clock domain
    baud : int - bits per second; the clock divided by it must be within 2 % of a whole number, at least 4
    """

    clock_hz: int
    baud: int

    def __post_init__(self) -> None:
        for name in ("clock_hz", "baud"):
            if getattr(self, name) < 1:
                raise ValueError(f"UART {name} must be at least 1, not {getattr(self, name)!r}")
        if self.divisor < MIN_DIVISOR:
            raise ValueError(
                f"UART baud must be at most clock_hz / {MIN_DIVISOR} = {self.clock_hz // MIN_DIVISOR}, not {self.baud!r}"
            )
        if abs(self.actual_baud / self.baud - 1) > MAX_BAUD_ERROR:
            raise ValueError(
                f"UART baud must be within {MAX_BAUD_ERROR:.0%} of {self.clock_hz} Hz divided by a whole number "
                f"(nearest: {self.actual_baud:.0f}), not {self.baud!r}"
            )

    @property
    def divisor(self) -> int:
        """Clock cycles per bit."""
        return round(self.clock_hz / self.baud)

    @property
    def actual_baud(self) -> float:
        """Bits per second that the divisor gives."""
        return self.clock_hz / self.divisor

    @property
    def byte_cycles(self) -> int:
        """Clock cycles per byte on the line, start and stop bits included."""
        return 10 * self.divisor


class UartReceiver(wiring.Component):
    """Turns the line's bits into bytes.

    Two flip-flops bring the line into the clock domain. A low level starts a byte; each bit is sampled once, near its middle. A start
    bit that is high again in its middle is ignored. A low stop bit is a framing error: the byte is dropped, and the
    receiver waits for a high line before it looks for the next start bit.

    Latency is 9.5 bit times and 4 cycles from the start bit's edge to `o.valid`. Senders up to 2 % faster or slower are
    followed, at divisors from 24 on up to 4 %.

    Members
    -------
    rx : In(1) - the line, high when idle; any phase
    o : Out(stream.Signature(8, always_ready=True)) - a received byte, valid for one cycle
    framing_error : Out(1) - high for one cycle: a byte ended in a low stop bit
    line_break : Out(1) - high for one cycle, together with `framing_error`: the line was low for the whole byte
    """

    def __init__(self, config: UartConfig) -> None:
        self.config = config
        super().__init__(
            {
                "rx": In(1, init=1),
                "o": Out(stream.Signature(8, always_ready=True)),
                "framing_error": Out(1),
                "line_break": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        divisor = self.config.divisor
        line = Signal(init=1)
        m.submodules.synchroniser = FFSynchronizer(self.rx, line, init=1)

        # Cycles in the bit; a bit is sampled in its middle.
        cycle = Signal(range(divisor))
        sample, wait = Signal(), Signal()
        m.d.comb += sample.eq(cycle == (divisor - 1) // 2)
        m.d.sync += cycle.eq(cycle + 1)
        with m.If(wait | (cycle == divisor - 1)):
            m.d.sync += cycle.eq(0)

        # Bits enter at the top. The one above the first bit reaches the bottom when all eight are there.
        bits = Signal(9)
        full = bits[0]
        m.d.comb += self.o.payload.eq(bits[1:])

        m.d.sync += [self.o.valid.eq(0), self.framing_error.eq(0), self.line_break.eq(0)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += wait.eq(line)
                with m.If(sample & ~line):
                    m.d.sync += bits.eq(1 << 8)
                    m.next = "BITS"
            with m.State("BITS"), m.If(sample):
                with m.If(full):
                    m.d.comb += wait.eq(1)
                    m.d.sync += [
                        self.o.valid.eq(line),
                        self.framing_error.eq(~line),
                        self.line_break.eq(~line & (self.o.payload == 0)),
                    ]
                    m.next = "WAIT"
                    with m.If(line):
                        m.next = "IDLE"
                with m.Else():
                    m.d.sync += bits.eq(Cat(bits[1:], line))
            with m.State("WAIT"):
                m.d.comb += wait.eq(1)
                with m.If(line):
                    m.next = "IDLE"
        return m


class UartTransmitter(wiring.Component):
    """Turns bytes into bits on the line.

    Bits start on the ticks of a timer that runs always, so a byte waits up to one bit time before it starts. Bytes that follow each other without
    a pause take 10 bit times each.

    Members
    -------
    i : In(stream.Signature(8)) - bytes; `ready` is high for one cycle per bit time while the line is free
    tx : Out(1) - the line, high when idle, from a flip-flop
    """

    def __init__(self, config: UartConfig) -> None:
        self.config = config
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        divisor = self.config.divisor
        cycle = Signal(range(divisor))
        tick = Signal()
        m.d.comb += tick.eq(cycle == divisor - 1)
        m.d.sync += cycle.eq(cycle + 1)
        with m.If(tick):
            m.d.sync += cycle.eq(0)

        # Stop bit, data, start bit; zeros follow, so that only the stop bit is left in its own bit time and while idle.
        bits = Signal(10, init=1)
        free = Signal()  # one cycle late, which is in time for the next tick
        m.d.sync += free.eq(bits[1:] == 0)
        m.d.comb += [
            self.i.ready.eq(tick & free),
            self.tx.eq(bits[0]),
        ]
        with m.If(tick):
            with m.If(~free):
                m.d.sync += bits.eq(bits >> 1)
            with m.Elif(self.i.valid):
                m.d.sync += bits.eq(Cat(0, self.i.payload, 1))
        return m
