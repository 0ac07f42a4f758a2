"""The link's half from frames to the core: judges requests. Frames, commands and errors are those of docs/protocol.md."""

from amaranth import *
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from .counter import step_counter
from .crc import Crc32
from .protocol import CRC_BYTES, HEADER_BYTES, VERSION, Command, ErrorCode


class Reply(enum.Enum, shape=3):
    """What the sender answers: 1 to 5 are error codes."""

    RESET = 0
    DAMAGED = ErrorCode.DAMAGED
    BAD_VERSION = ErrorCode.BAD_VERSION
    UNKNOWN_COMMAND = ErrorCode.UNKNOWN_COMMAND
    BAD_LENGTH = ErrorCode.BAD_LENGTH
    OVERRUN = ErrorCode.OVERRUN
    INFER = 6
    INFO = 7


JOB = data.StructLayout({"sequence": 8, "reply": Reply, "image": 1})
"""An answer to send: the request's sequence, what to answer, and whether an image went into the core for it."""


class PacketReceiver(wiring.Component):
    """Takes decoded frames, sends images into the core as they come, and hands over a job per frame.

    An image starts only after a header with version 1, INFER and the right length. If its frame ends early, zeros complete it. Whatever
    follows `image_bytes` bytes is not part of the image. One job per frame, in order; of a frame that is wrong the job
    holds the error. The next frame is looked at when the job has been taken.

    Throughput is one byte per 8 cycles, while the core and the taker of jobs are ready.

    Parameters
    ----------
    image_bytes : int - bytes of an image, 1 to 65535

    Members
    -------
    i : In(stream.Signature(...)) - decoded bytes and ends of frames, as `CobsDecoder.o`
    o : Out(stream.Signature(8)) - images for the core, `image_bytes` bytes each
    o_job : Out(stream.Signature(JOB)) - answers to send
    lost : In(1) - high for one cycle: a byte was lost before `i`
    loading : Out(1) - an image has been started whose job is not handed over
    restart : Out(1) - high for one cycle, two cycles before the job of a RESET: reset the core and whatever is being answered
    """

    def __init__(self, image_bytes: int) -> None:
        if not 1 <= image_bytes <= 65535:
            raise ValueError(f"Image bytes must be 1 to 65535, not {image_bytes!r}")
        self.image_bytes = image_bytes
        decoded = data.StructLayout({"byte": 8, "end": 1, "damaged": 1})
        super().__init__(
            {
                "i": In(stream.Signature(decoded)),
                "o": Out(stream.Signature(8)),
                "o_job": Out(stream.Signature(JOB)),
                "lost": In(1),
                "loading": Out(1),
                "restart": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.crc = crc = Crc32()
        byte = self.i.payload.byte
        sequence = Signal(8)
        reply = Signal(Reply)  # the answer, as far as the frame is known
        position = Signal(
            3
        )  # bytes of the header, then bytes after the payload; 5 means more than 4
        damaged, overrun = Signal(), Signal()

        # The place in the image; damaged frames do not disturb it.
        image_byte = Signal(range(self.image_bytes))
        image_is_last = Signal(init=self.image_bytes == 1)

        # Each byte goes through the CRC; in the payload the core takes it in its first cycle there.
        reading, in_payload, filling = Signal(), Signal(), Signal()
        taken, ended = Signal(), Signal()
        end = self.i.payload.end
        m.d.comb += [
            # The delimiter, a zero, is offered to the core until the image is complete.
            filling.eq(in_payload & self.loading & self.i.valid & end),
            crc.i.payload.eq(byte),
            crc.i.valid.eq(reading & self.i.valid & ~end),
            crc.hold.eq(in_payload & ~self.o.ready),
            taken.eq(crc.i.valid & crc.i.ready),
            ended.eq(reading & self.i.valid & end & ~filling),
            self.i.ready.eq(taken | ended),
            self.o.payload.eq(byte),
            self.o.valid.eq(filling | (in_payload & crc.i.valid & crc.first)),
        ]
        image_byte_done = Signal()
        m.d.comb += image_byte_done.eq(in_payload & (taken | (filling & self.o.ready)))
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += self.loading.eq(1)
        with m.If(image_byte_done):
            step_counter(m, image_byte, image_is_last, self.image_bytes)
        m.d.comb += [
            self.o_job.payload.sequence.eq(sequence),
            self.o_job.payload.reply.eq(reply),
            self.o_job.payload.image.eq(self.loading),
        ]

        good = Signal()
        m.d.comb += good.eq((reply == Reply.RESET) | (reply == Reply.INFER) | (reply == Reply.INFO))
        with m.FSM():
            with m.State("HEADER"):
                m.d.comb += reading.eq(1)
                with m.If(taken):
                    m.d.sync += position.eq(position + 1)
                    self._check_header(m, position, byte, reply, good, sequence)
                    with m.If(position == HEADER_BYTES - 1):
                        m.next = "DISPATCH"
                with m.If(ended):
                    m.d.sync += reply.eq(Reply.BAD_LENGTH)
                    m.next = "JUDGE"
            with m.State("DISPATCH"):
                m.d.sync += position.eq(0)
                m.next = "CHECK"
                with m.If(reply == Reply.INFER):
                    m.next = "PAYLOAD"
            with m.State("PAYLOAD"):
                m.d.comb += [reading.eq(1), in_payload.eq(1)]
                with m.If(image_byte_done & image_is_last):
                    m.next = "CHECK"
                with m.If(ended):
                    m.next = "JUDGE"
            with m.State("CHECK"):
                m.d.comb += reading.eq(1)
                with m.If(taken & (position != CRC_BYTES + 1)):
                    m.d.sync += position.eq(position + 1)
                with m.If(ended):
                    m.next = "JUDGE"
            with m.State("JUDGE"):
                with m.If(~crc.match | damaged):
                    m.d.sync += reply.eq(Mux(overrun, Reply.OVERRUN, Reply.DAMAGED))
                    m.d.sync += overrun.eq(0)
                with m.Elif(good & (position != CRC_BYTES)):
                    m.d.sync += reply.eq(Reply.BAD_LENGTH)
                with m.Elif(reply == Reply.RESET):
                    m.d.sync += self.restart.eq(1)
                m.next = "RESTART"
            with m.State("RESTART"):
                m.d.sync += self.restart.eq(0)
                m.next = "RESTARTED"
            with m.State("RESTARTED"):
                # `restart` may reach those that it resets a cycle late: through a register.
                m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += [self.o_job.valid.eq(1), crc.clear.eq(1)]
                m.d.sync += position.eq(0)
                with m.If(self.o_job.ready):
                    m.d.sync += self.loading.eq(0)
                    m.next = "HEADER"

        with m.If(ended):
            m.d.sync += damaged.eq(self.i.payload.damaged)
        with m.If(self.lost):
            m.d.sync += overrun.eq(1)
        return m

    def _check_header(
        self, m: Module, position: Signal, byte: Value, reply: Signal, good: Value, sequence: Signal
    ) -> None:
        """Adds to `m`, under its current conditions, what a header byte at `position` says."""
        # INFO and RESET have no payload.
        expected, wrong = Signal(8), Signal()
        m.d.comb += wrong.eq(byte != expected)
        with m.Switch(position):
            with m.Case(0):
                m.d.comb += expected.eq(VERSION)
                m.d.sync += reply.eq(Mux(wrong, Reply.BAD_VERSION, Reply.RESET))
            with m.Case(1):
                m.d.sync += sequence.eq(byte)
            with m.Case(2), m.If(good), m.Switch(byte):
                for command in (Command.INFO, Command.INFER, Command.RESET):
                    with m.Case(command):
                        m.d.sync += reply.eq(Reply[command.name])
                with m.Default():
                    m.d.sync += reply.eq(Reply.UNKNOWN_COMMAND)
            for place in (3, 4):
                with m.Case(place):
                    length = self.image_bytes >> 8 * (place - 3) & 0xFF
                    m.d.comb += expected.eq(Mux(reply == Reply.INFER, length, 0))
                    with m.If(good & wrong):
                        m.d.sync += reply.eq(Reply.BAD_LENGTH)
