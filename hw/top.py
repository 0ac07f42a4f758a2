"""A core behind a serial line: what a board's pins are connected to."""

from dataclasses import dataclass

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .cobs import CobsDecoder, CobsEncoder
from .fifo import FifoConfig
from .packet import PacketReceiver
from .packet_sender import PacketSender
from .protocol import Info
from .receive_buffer import ReceiveBuffer
from .trace import Trace, TraceConfig
from .uart import UartConfig, UartReceiver, UartTransmitter


@dataclass(frozen=True)
class TopConfig:
    """Link of a board.

    Parameters
    ----------
    info : Info - what the board says about itself, and what the hardware is made after
    baud : int - bits per second of the serial line
    program_memory : str - "block" or "logic": where the answers' bytes are stored; block RAM saves some 100 LUT4
    traces : tuple of TraceConfig - edges that TRACE reads, `info.trace_bytes` in all; the core has their probes
    """

    info: Info
    baud: int
    program_memory: str = "block"
    traces: tuple[TraceConfig, ...] = ()

    def __post_init__(self) -> None:
        if self.program_memory not in ("block", "logic"):
            raise ValueError(
                f"Program memory must be 'block' or 'logic', not {self.program_memory!r}"
            )
        n_bytes = sum(trace.n_bytes for trace in self.traces)
        if n_bytes != self.info.trace_bytes:
            raise ValueError(
                f"Traces must be {self.info.trace_bytes} bytes as INFO says, not {n_bytes}"
            )
        _ = self.uart

    @property
    def uart(self) -> UartConfig:
        return UartConfig(clock_hz=self.info.clock_hz, baud=self.baud)

    def component(self, core: wiring.Component) -> "Top":
        return Top(self, core)


class Top(wiring.Component):
    """Receiver, request parser, core, answer sender and transmitter in one clock domain, ``sync``.

    The core is any component with a stream `i` of bytes, `config.info.image_bytes` per image, and a stream `o` of `score`, `label` and `last`,
    `config.info.n_classes` per image, and a signal `restart`, high for a cycle with RESET and at a line break, by which it forgets its images. For
    traces it has also `probes`, (strobe, data) by edge, and `is_open`, low until a restart has ended.

    Members
    -------
    rx : In(1) - the line from the host, high when idle; any phase
    tx : Out(1) - the line to the host, high when idle
    """

    def __init__(self, config: TopConfig, core: wiring.Component) -> None:
        score = core.o.payload.shape()
        if Shape.cast(core.i.payload.shape()) != unsigned(8):
            raise ValueError(f"Core input must be unsigned(8), not {core.i.payload.shape()!r}")
        if Shape.cast(score["score"].shape) != signed(config.info.score_bits):
            raise ValueError(
                f"Core score must be signed({config.info.score_bits}) as INFO says, not {score['score'].shape!r}"
            )
        if Shape.cast(score["label"].shape).width > 32:
            raise ValueError(f"Core label must be at most 32 bits, not {score['label'].shape!r}")
        self.config = config
        self.core = core
        self.score = score
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        config = self.config
        restart, line_break = Signal(), Signal()

        def reset_by(signal: Signal, component: wiring.Component) -> Elaboratable:
            return ResetInserter(signal)(component)

        # In: line, bytes, frames, images and jobs.
        uart_receiver = UartReceiver(config.uart)
        buffer = ReceiveBuffer(config.info.receive_buffer_bytes)
        decoder = CobsDecoder()
        receiver = PacketReceiver(config.info)
        m.submodules.uart_receiver = uart_receiver
        m.submodules.receive_buffer = reset_by(line_break, buffer)
        # A byte takes long to leave the memory, and whether it is taken is decided late: the FIFO parts the two.
        received = FifoConfig(8, 2).component()
        m.submodules.received = reset_by(line_break, received)
        m.submodules.cobs_decoder = reset_by(line_break, decoder)
        m.submodules.packet_receiver = reset_by(line_break, receiver)
        wiring.connect(m, uart_receiver.o, buffer.i)
        wiring.connect(m, buffer.o, received.i)
        wiring.connect(m, received.o, decoder.i)
        wiring.connect(m, decoder.o, receiver.i)
        m.d.comb += [
            uart_receiver.rx.eq(self.rx),
            receiver.lost.eq(buffer.lost),
            line_break.eq(uart_receiver.line_break),
            self.core.restart.eq(restart),
        ]
        # The line's end and the core's may lie far apart.
        m.d.sync += restart.eq(receiver.restart | line_break)

        # Out: scores and jobs, frames, bytes, line.
        sender = PacketSender(config.info, self.score, program_memory=config.program_memory)
        encoder = CobsEncoder()
        uart_transmitter = UartTransmitter(config.uart)
        m.submodules.core = self.core
        m.submodules.packet_sender = reset_by(restart, sender)
        m.submodules.cobs_encoder = reset_by(restart, encoder)
        m.submodules.uart_transmitter = uart_transmitter
        wiring.connect(m, receiver.o, self.core.i)
        wiring.connect(m, self.core.o, sender.i)
        wiring.connect(m, receiver.o_job, sender.i_job)
        wiring.connect(m, sender.o, encoder.i)
        wiring.connect(m, encoder.o, uart_transmitter.i)
        m.d.comb += [
            sender.started.eq(receiver.started),
            sender.feeding.eq(receiver.feeding),
            receiver.full.eq(sender.full),
            self.tx.eq(uart_transmitter.tx),
        ]

        # What TRACE reads.
        if config.traces:
            m.submodules.trace = trace = Trace(config.traces)
            for recorder in trace.recorders:
                strobe, transfer = self.core.probes[recorder.config.edge]
                m.d.comb += [recorder.strobe.eq(strobe), recorder.data.eq(transfer)]
            m.d.comb += [
                trace.forget.eq(~self.core.is_open),
                trace.reading.eq(sender.tracing),
            ]
            wiring.connect(m, trace.o, sender.i_trace)
        return m
