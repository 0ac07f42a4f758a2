"""The link's half from the core to frames: answers requests. Frames, commands and errors are those of docs/protocol.md."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .crc import Crc32
from .packet import JOB, Kind
from .protocol import (
    ANSWER,
    CRC_BYTES,
    ERROR,
    HEADER_BYTES,
    INFER_TAIL_BYTES,
    VERSION,
    Command,
    Info,
)


class PacketSender(wiring.Component):
    """Turns jobs into answers, taking scores out of the core for them.

    Of an image whose frame was wrong the scores are taken and thrown away before the error is sent.

    Throughput is one byte per 9 cycles, while the core and the taker of bytes are ready.
    Storage is the INFO answer, in block RAM if `info_memory` is "block".

    Parameters
    ----------
    info : Info - what INFO answers; its `n_classes` is how many scores the core gives per image
    score : Layout - payload of the core's output: `score`, `label`, `last`
    info_memory : str - "block" or "logic"

    Members
    -------
    i_job : In(stream.Signature(JOB)) - answers to send
    i : In(stream.Signature(score)) - scores, in class order; the label counts with the last one
    o : Out(stream.Signature(...)) - bytes and ends of frames, as `CobsEncoder.i`
    loading : In(1) - an image has been started that is not part of a job
    """

    def __init__(self, info: Info, score: data.StructLayout, *, info_memory: str = "block") -> None:
        if info_memory not in ("block", "logic"):
            raise ValueError(f"INFO memory must be 'block' or 'logic', not {info_memory!r}")
        self.info = info
        self.info_memory = info_memory
        frame = data.StructLayout({"byte": 8, "end": 1})
        super().__init__(
            {
                "i_job": In(stream.Signature(JOB)),
                "i": In(stream.Signature(score)),
                "o": Out(stream.Signature(frame)),
                "loading": In(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.crc = crc = Crc32()
        job = Signal(JOB)
        byte = self.o.payload.byte
        kind = job.kind

        # The position in the part of the frame that is being sent.
        info_payload = self.info.encode()
        position = Signal(range(max(len(info_payload), 8)))
        last_position = Signal.like(position)
        taken, sending, fresh = Signal(), Signal(), Signal()

        # INFO's answer does not change: a memory, read one cycle after the position moved.
        m.submodules.info = info = Memory(
            shape=8,
            depth=len(info_payload),
            init=info_payload,
            attrs={"ram_style": self.info_memory},
        )
        read = info.read_port()
        m.d.comb += read.addr.eq(position)

        # Each byte goes through the CRC; the encoder takes it in its first cycle there.
        m.d.comb += [
            crc.i.payload.eq(byte),
            crc.i.valid.eq(sending & ~fresh),
            crc.hold.eq(~self.o.ready),
            taken.eq(crc.i.valid & crc.i.ready),
        ]
        m.d.sync += fresh.eq(taken)
        with m.If(taken):
            m.d.sync += position.eq(Mux(position == last_position, 0, position + 1))
        m.d.comb += self.o.valid.eq((crc.i.valid & crc.first) | self.o.payload.end)

        # Cycles from the first byte of the image to the offer of its last score.
        cycles = Signal(32, init=1)
        offered = Signal()
        m.d.comb += offered.eq(self.i.valid & self.i.payload.last)
        with m.If(~(self.loading | job.image) | (offered & self.i.ready)):
            m.d.sync += cycles.eq(1)
        with m.Elif(~offered):
            m.d.sync += cycles.eq(cycles + 1)

        length = Signal(16)
        command = Signal(8)
        with m.Switch(kind):
            with m.Case(Kind.INFO):
                m.d.comb += [length.eq(len(info_payload)), command.eq(ANSWER + Command.INFO)]
            with m.Case(Kind.INFER):
                m.d.comb += [length.eq(self.info.answer_bytes), command.eq(ANSWER + Command.INFER)]
            with m.Case(Kind.RESET):
                m.d.comb += [length.eq(0), command.eq(ANSWER + Command.RESET)]
            with m.Case(Kind.ERROR):
                m.d.comb += [length.eq(1), command.eq(ERROR)]
        header = Cat(Const(VERSION, 8), job.sequence, command, length)
        score = Cat(self.i.payload.score, self.i.payload.score[-1].replicate(32))[:32]
        tail = Cat(self.i.payload.label, Const(0, 16))[:16]
        tail = Cat(tail, cycles)

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.i_job.ready.eq(1), crc.clear.eq(1)]
                m.d.sync += job.eq(self.i_job.payload)
                with m.If(self.i_job.valid):
                    m.next = "HEADER"
                    with m.If(self.i_job.payload.image & (self.i_job.payload.kind == Kind.ERROR)):
                        m.next = "DISCARD"
                with m.Else():
                    m.d.sync += job.image.eq(0)
            with m.State("DISCARD"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(offered):
                    m.d.sync += job.image.eq(0)
                    m.next = "HEADER"
            with m.State("HEADER"):
                m.d.comb += [
                    sending.eq(1),
                    byte.eq(header.word_select(position[:3], 8)),
                    last_position.eq(HEADER_BYTES - 1),
                ]
                with m.If(taken & (position == last_position)), m.Switch(kind):
                    with m.Case(Kind.INFO):
                        m.next = "INFO"
                    with m.Case(Kind.INFER):
                        m.next = "SCORES"
                    with m.Case(Kind.RESET):
                        m.next = "CRC"
                    with m.Case(Kind.ERROR):
                        m.next = "CODE"
            with m.State("INFO"):
                m.d.comb += [
                    sending.eq(1),
                    byte.eq(read.data),
                    last_position.eq(len(info_payload) - 1),
                ]
                with m.If(taken & (position == last_position)):
                    m.next = "CRC"
            with m.State("SCORES"):
                m.d.comb += [
                    sending.eq(self.i.valid),
                    byte.eq(score.word_select(position[:2], 8)),
                    last_position.eq(3),
                ]
                with m.If(taken & (position == last_position)):
                    # The last score stays until the label has been sent.
                    m.d.comb += self.i.ready.eq(~self.i.payload.last)
                    with m.If(self.i.payload.last):
                        m.next = "TAIL"
            with m.State("TAIL"):
                m.d.comb += [
                    sending.eq(1),
                    byte.eq(tail.word_select(position[:3], 8)),
                    last_position.eq(INFER_TAIL_BYTES - 1),
                ]
                with m.If(taken & (position == last_position)):
                    m.d.comb += self.i.ready.eq(1)
                    m.d.sync += job.image.eq(0)
                    m.next = "CRC"
            with m.State("CODE"):
                m.d.comb += [sending.eq(1), byte.eq(job.code)]
                with m.If(taken):
                    m.next = "CRC"
            with m.State("CRC"):
                m.d.comb += [
                    sending.eq(1),
                    crc.read_out.eq(1),
                    byte.eq(crc.crc[:8]),
                    last_position.eq(CRC_BYTES - 1),
                ]
                with m.If(taken & (position == last_position)):
                    m.next = "END"
            with m.State("END"):
                m.d.comb += self.o.payload.end.eq(1)
                with m.If(self.o.ready):
                    m.next = "IDLE"
        return m
