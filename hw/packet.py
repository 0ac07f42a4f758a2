"""The link's half from frames to the core: judges requests. Frames, commands and errors are those of docs/protocol.md."""

from amaranth import *
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from .counter import step_counter
from .crc import Crc32
from .pattern import Pattern
from .protocol import (
    BENCHMARK_IMAGES,
    CRC_BYTES,
    HEADER_BYTES,
    VERSION,
    WARM_UP_IMAGES,
    Command,
    ErrorCode,
    Info,
)


class Reply(enum.Enum, shape=4):
    """What the sender answers: up to 7 requests are granted, from 8 on the lower bits are an error code."""

    RESET = 0
    INFER = 1
    BATCH = 2
    BENCHMARK = 3
    INFO = 4
    TRACE = 5
    DAMAGED = 8 + ErrorCode.DAMAGED
    BAD_VERSION = 8 + ErrorCode.BAD_VERSION
    UNKNOWN_COMMAND = 8 + ErrorCode.UNKNOWN_COMMAND
    BAD_LENGTH = 8 + ErrorCode.BAD_LENGTH
    OVERRUN = 8 + ErrorCode.OVERRUN


JOB = data.StructLayout({"sequence": 8, "reply": Reply})
"""An answer to send: the request's sequence, and what to answer."""


def is_granted(reply: Signal) -> Value:
    """Whether a reply is no error."""
    return ~reply.as_value()[3]


def is_opened(reply: Signal) -> Value:
    """Whether a reply has two jobs: BATCH and BENCHMARK."""
    return reply.as_value()[1] & is_granted(reply)


def _is_reached(count: Signal, value: int) -> Value:
    """Whether a counter that began at 0 has reached `value`: before, one of its bits that are 1 is not."""
    return (count & value) == value


class PacketReceiver(wiring.Component):
    """Takes decoded frames, sends images into the core as they come, and hands over jobs.

    Images start only after a header with the right version, INFER or BATCH, and the right length. If the frame ends within an image, zeros complete it.
    Whatever follows the last image is not part of it. One job per frame, in order, once it has been checked; of a frame that is wrong the
    job holds the error. BATCH has two: one after the header, so that answers can begin, and one after the check. So has BENCHMARK, where between them
    the pattern's images go into the core. The next frame is looked at when the job has been taken.

    Throughput is one byte per 8 cycles, of the pattern one per cycle, while the core and the taker of jobs are ready.

    Parameters
    ----------
    info : Info - which commands there are, and how long images are

    Members
    -------
    i : In(stream.Signature(...)) - decoded bytes and ends of frames, as `CobsDecoder.o`
    o : Out(stream.Signature(8)) - images for the core, `info.image_bytes` bytes each
    o_job : Out(stream.Signature(JOB)) - answers to send
    lost : In(1) - high for one cycle: a byte was lost before `i`
    full : In(1) - start no image
    feeding : Out(1) - of the request whose job was the last one, images are still to come
    started : Out(1) - high for one cycle: the first byte of an image has been taken by the core
    restart : Out(1) - high for one cycle, two cycles before the job of a RESET: reset the core and whatever is being answered
    """

    def __init__(self, info: Info) -> None:
        self.info = info
        decoded = data.StructLayout({"byte": 8, "end": 1, "damaged": 1})
        super().__init__(
            {
                "i": In(stream.Signature(decoded)),
                "o": Out(stream.Signature(8)),
                "o_job": Out(stream.Signature(JOB)),
                "lost": In(1),
                "full": In(1),
                "feeding": Out(1),
                "started": Out(1),
                "restart": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        has = {command: command in self.info.commands for command in Command}
        image_bytes = self.info.image_bytes
        m.submodules.crc = crc = Crc32()
        byte = Signal(8)
        sequence = Signal(8)
        reply = Signal(Reply)  # the answer, as far as the frame is known
        position = Signal(
            3
        )  # bytes of the header, then bytes after the payload; 5 means more than 4
        damaged, overrun = Signal(), Signal()

        # The place in the image, and its number; damaged frames do not disturb them.
        image_byte = Signal(range(image_bytes))
        image_is_last_byte = Signal(init=image_bytes == 1)
        image = Signal(range(WARM_UP_IMAGES + BENCHMARK_IMAGES))
        image_is_last = Signal()
        begun = Signal()  # an image has been begun and is not complete

        # Each byte goes through the CRC; in the payload the core takes it in its first cycle there.
        reading, in_payload, filling, generating = Signal(), Signal(), Signal(), Signal()
        free, ready, taken, ended = Signal(), Signal(), Signal(), Signal()
        end = self.i.payload.end
        m.d.comb += [
            byte.eq(self.i.payload.byte),
            # The delimiter, a zero, is offered to the core until the image is complete.
            filling.eq(in_payload & begun & self.i.valid & end),
            crc.i.payload.eq(byte),
            crc.i.valid.eq(reading & self.i.valid & ~end),
            crc.hold.eq(in_payload & ~ready),
            taken.eq(crc.i.valid & crc.i.ready),
            ended.eq(reading & self.i.valid & end & ~filling),
            self.i.ready.eq(taken | ended),
            self.o.payload.eq(byte),
            free.eq(begun | ~self.full),
            ready.eq(self.o.ready & free),
            self.o.valid.eq(free & (filling | generating | (in_payload & crc.i.valid & crc.first))),
            self.started.eq(self.o.valid & self.o.ready & ~begun),
        ]
        image_byte_done, image_done = Signal(), Signal()
        m.d.comb += [
            image_byte_done.eq((in_payload & taken) | ((filling | generating) & ready)),
            image_done.eq(image_byte_done & image_is_last_byte),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += begun.eq(1)
        with m.If(image_byte_done):
            step_counter(m, image_byte, image_is_last_byte, image_bytes)
        with m.If(image_done):
            m.d.sync += begun.eq(0)
        m.d.comb += [image_is_last.eq(1), self.feeding.eq(in_payload | generating)]
        if has[Command.BATCH] or has[Command.BENCHMARK]:
            with m.If(image_done):
                m.d.sync += image.eq(image + 1)
            with m.If(~self.feeding):
                m.d.sync += image.eq(0)
        if has[Command.BATCH]:
            with m.If(reply == Reply.BATCH):
                m.d.comb += image_is_last.eq(_is_reached(image, self.info.batch_images - 1))
        if has[Command.BENCHMARK]:
            m.submodules.pattern = pattern = Pattern()
            m.d.comb += [pattern.step.eq(ready), pattern.clear.eq(~generating)]
            with m.If(generating):
                m.d.comb += byte.eq(pattern.byte)
                m.d.comb += image_is_last.eq(
                    _is_reached(image, WARM_UP_IMAGES + BENCHMARK_IMAGES - 1)
                )
        m.d.comb += [
            self.o_job.payload.sequence.eq(sequence),
            self.o_job.payload.reply.eq(reply),
        ]

        with m.FSM():
            with m.State("HEADER"):
                m.d.comb += reading.eq(1)
                with m.If(taken):
                    m.d.sync += position.eq(position + 1)
                    self._check_header(m, position, byte, reply, sequence)
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
                if has[Command.BATCH]:
                    with m.If(reply == Reply.BATCH):
                        m.next = "OPEN"
            if has[Command.BATCH] or has[Command.BENCHMARK]:
                with m.State("OPEN"):
                    # Answers to BATCH begin before the frame has been checked; the sender keeps back their end.
                    m.d.comb += self.o_job.valid.eq(1)
                    with m.If(self.o_job.ready):
                        m.next = "PAYLOAD"
                        if has[Command.BENCHMARK]:
                            with m.If(reply == Reply.BENCHMARK):
                                m.next = "GENERATE"
            with m.State("PAYLOAD"):
                m.d.comb += [reading.eq(1), in_payload.eq(1)]
                with m.If(image_done & image_is_last):
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
                with m.Elif(is_granted(reply) & (position != CRC_BYTES)):
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
                if has[Command.BENCHMARK]:
                    with m.If(reply == Reply.BENCHMARK):
                        m.next = "OPEN"
            if has[Command.BENCHMARK]:
                with m.State("GENERATE"):
                    m.d.comb += generating.eq(1)
                    with m.If(image_done & image_is_last):
                        m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += [self.o_job.valid.eq(1), crc.clear.eq(1)]
                m.d.sync += position.eq(0)
                with m.If(self.o_job.ready):
                    m.next = "HEADER"

        with m.If(ended):
            m.d.sync += damaged.eq(self.i.payload.damaged)
        with m.If(self.lost):
            m.d.sync += overrun.eq(1)
        return m

    def _check_header(
        self, m: Module, position: Signal, byte: Value, reply: Signal, sequence: Signal
    ) -> None:
        """Adds to `m`, under its current conditions, what a header byte at `position` says."""
        lengths = {
            Command.INFER: self.info.image_bytes,
            Command.BATCH: self.info.batch_images * self.info.image_bytes,
        }
        good = is_granted(reply)
        expected, wrong = Signal(8), Signal()
        m.d.comb += wrong.eq(byte != expected)
        with m.Switch(position):
            with m.Case(0):
                m.d.comb += expected.eq(VERSION)
                m.d.sync += reply.eq(Mux(wrong, Reply.BAD_VERSION, Reply.RESET))
            with m.Case(1):
                m.d.sync += sequence.eq(byte)
            with m.Case(2), m.If(good), m.Switch(byte):
                for command in self.info.commands:
                    with m.Case(command):
                        m.d.sync += reply.eq(Reply[command.name])
                with m.Default():
                    m.d.sync += reply.eq(Reply.UNKNOWN_COMMAND)
            for place in (3, 4):
                with m.Case(place):
                    # All else has no payload.
                    with m.Switch(reply):
                        for command in self.info.commands & lengths.keys():
                            with m.Case(Reply[command.name]):
                                m.d.comb += expected.eq(lengths[command] >> 8 * (place - 3) & 0xFF)
                    with m.If(good & wrong):
                        m.d.sync += reply.eq(Reply.BAD_LENGTH)
