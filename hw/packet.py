"""The link's half from frames to the core: judges requests. Frames, commands and errors are those of docs/protocol.md."""

from amaranth import *
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from .counter import step_counter
from .crc import Crc32
from .protocol import CRC_BYTES, HEADER_BYTES, VERSION, Command, ErrorCode


class Kind(enum.Enum, shape=2):
    """What the sender answers."""

    ERROR = 0
    INFO = 1
    INFER = 2
    RESET = 3


JOB = data.StructLayout({"sequence": 8, "kind": Kind, "code": 3, "image": 1})
"""An answer to send: the request's sequence, what to answer, the error's code, and whether an image went into the core for it."""


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
    restart : Out(1) - high for one cycle before the job of a RESET: reset the core and whatever is being answered
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

        # What the header says so far.
        field = Signal(range(HEADER_BYTES))
        version_good, length_good = Signal(), Signal()
        info, infer, reset = Signal(), Signal(), Signal()
        checked = Signal(range(CRC_BYTES + 2))  # bytes after the payload; 5 means more than 4

        # The place in the image, kept through damaged frames.
        image_byte = Signal(range(self.image_bytes))
        image_is_last = Signal(init=self.image_bytes == 1)

        # Each byte goes through the CRC; in the payload the core takes it in its first cycle there.
        reading, in_payload, filling = Signal(), Signal(), Signal()
        taken, ended = Signal(), Signal()
        m.d.comb += [
            crc.i.payload.eq(byte),
            crc.i.valid.eq(reading & self.i.valid & ~self.i.payload.end),
            crc.hold.eq(in_payload & ~self.o.ready),
            taken.eq(crc.i.valid & crc.i.ready),
            ended.eq(reading & self.i.valid & self.i.payload.end),
            self.i.ready.eq(taken | ended),
            self.o.payload.eq(Mux(filling, 0, byte)),
            self.o.valid.eq(filling | (in_payload & crc.i.valid & crc.first)),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += self.loading.eq(1)
        with m.If(Mux(filling, self.o.ready, in_payload & taken)):
            step_counter(m, image_byte, image_is_last, self.image_bytes)

        # The verdict on a complete frame.
        damaged, overrun, good = Signal(), Signal(), Signal()
        code = Signal(ErrorCode)
        with m.If(~crc.match | damaged):
            m.d.comb += code.eq(Mux(overrun, ErrorCode.OVERRUN, ErrorCode.DAMAGED))
        with m.Elif(~version_good):
            m.d.comb += code.eq(ErrorCode.BAD_VERSION)
        with m.Elif(~(info | infer | reset)):
            m.d.comb += code.eq(ErrorCode.UNKNOWN_COMMAND)
        with m.Elif(~length_good | (checked != CRC_BYTES)):
            m.d.comb += code.eq(ErrorCode.BAD_LENGTH)
        with m.Else():
            m.d.comb += good.eq(1)
        m.d.comb += [
            self.o_job.payload.sequence.eq(sequence),
            self.o_job.payload.kind.eq(
                Mux(
                    good,
                    Mux(info, Kind.INFO, Mux(infer, Kind.INFER, Kind.RESET)),
                    Kind.ERROR,
                )
            ),
            self.o_job.payload.code.eq(code),
            self.o_job.payload.image.eq(self.loading),
        ]

        with m.FSM():
            with m.State("HEADER"):
                m.d.comb += reading.eq(1)
                with m.If(taken):
                    m.d.sync += field.eq(field + 1)
                    # INFO and RESET have no payload.
                    expected = Signal(16)
                    m.d.comb += expected.eq(Mux(infer, self.image_bytes, 0))
                    with m.Switch(field):
                        with m.Case(0):
                            m.d.sync += version_good.eq(byte == VERSION)
                        with m.Case(1):
                            m.d.sync += sequence.eq(byte)
                        with m.Case(2):
                            m.d.sync += [
                                info.eq(byte == Command.INFO),
                                infer.eq(byte == Command.INFER),
                                reset.eq(byte == Command.RESET),
                            ]
                        with m.Case(3):
                            m.d.sync += length_good.eq(byte == expected[:8])
                        with m.Default():
                            m.d.sync += length_good.eq(length_good & (byte == expected[8:]))
                            m.next = "DISPATCH"
                with m.If(ended):
                    m.next = "JUDGE"
            with m.State("DISPATCH"):
                with m.If(version_good & infer & length_good):
                    m.next = "PAYLOAD"
                with m.Else():
                    m.next = "CHECK"
            with m.State("PAYLOAD"):
                m.d.comb += [reading.eq(1), in_payload.eq(~self.i.payload.end)]
                with m.If(taken & image_is_last):
                    m.next = "CHECK"
                with m.If(ended):
                    m.next = "JUDGE"
                    with m.If(self.loading):
                        m.next = "FILL"
            with m.State("CHECK"):
                m.d.comb += reading.eq(1)
                with m.If(taken & (checked != CRC_BYTES + 1)):
                    m.d.sync += checked.eq(checked + 1)
                with m.If(ended):
                    m.next = "JUDGE"
            with m.State("FILL"):
                m.d.comb += filling.eq(1)
                with m.If(self.o.ready & image_is_last):
                    m.next = "JUDGE"
            with m.State("JUDGE"):
                m.d.comb += self.restart.eq(good & reset)
                m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += [self.o_job.valid.eq(1), crc.clear.eq(1)]
                with m.If(self.o_job.ready):
                    m.d.sync += [
                        field.eq(0),
                        checked.eq(0),
                        Cat(version_good, info, infer, reset, length_good).eq(0),
                        self.loading.eq(0),
                    ]
                    with m.If(code == ErrorCode.OVERRUN):
                        m.d.sync += overrun.eq(0)
                    m.next = "HEADER"

        with m.If(ended):
            m.d.sync += damaged.eq(self.i.payload.damaged)
        with m.If(self.lost):
            m.d.sync += overrun.eq(1)
        return m
