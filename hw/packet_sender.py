"""The link's half from the core to frames: answers requests. Frames, commands and errors are those of docs/protocol.md."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .answer_program import WORD, answer_program
from .crc import Crc32
from .packet import JOB, Reply
from .protocol import Info


class PacketSender(wiring.Component):
    """Turns jobs into answers, taking scores out of the core for them.

    Of an image whose frame was wrong the scores are taken and thrown away before the error is sent.

    Throughput is one byte per 10 cycles, while the core and the taker of bytes are ready.
    Storage is the answers' program, 16 bits for each byte, in block RAM (one on iCE40 for names up to 63 bytes) or, if `program_memory`
    is "logic", in LUTs.

    Parameters
    ----------
    info : Info - what INFO answers; its `n_classes` is how many scores the core gives per image
    score : Layout - payload of the core's output: `score`, `label`, `last`
    program_memory : str - "block" or "logic"

    Members
    -------
    i_job : In(stream.Signature(JOB)) - answers to send
    i : In(stream.Signature(score)) - scores, in class order; the label counts with the last one
    o : Out(stream.Signature(...)) - bytes and ends of frames, as `CobsEncoder.i`
    loading : In(1) - an image has been started that is not part of a job
    """

    def __init__(
        self, info: Info, score: data.StructLayout, *, program_memory: str = "block"
    ) -> None:
        if program_memory not in ("block", "logic"):
            raise ValueError(f"Program memory must be 'block' or 'logic', not {program_memory!r}")
        self.info = info
        self.program_memory = program_memory
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
        score, score_is_last = self.i.payload.score, self.i.payload.last
        job = Signal(JOB)
        offered = Signal()  # the core offers its image's last score
        m.d.comb += offered.eq(self.i.valid & score_is_last)

        # The program. Behind the memory stands a register: a block RAM's own delay is half a cycle of a fast clock.
        program = answer_program(self.info)
        m.submodules.program = memory = Memory(
            shape=WORD,
            depth=len(program.words),
            init=program.words,
            attrs={"ram_style": self.program_memory},
        )
        read = memory.read_port()
        word = Signal(WORD)
        address = Signal(range(len(program.words)))
        m.d.comb += read.addr.eq(address)

        # Cycles from the first byte of the image to the offer of its last score.
        cycles = Signal(32, init=1)
        ended = Signal()  # the last score was taken in the cycle before
        m.d.sync += ended.eq(offered & self.i.ready)
        with m.If(~(self.loading | job.image) | ended):
            m.d.sync += cycles.eq(1)
        with m.Elif(~offered):
            m.d.sync += cycles.eq(cycles + 1)

        # The byte that the word says. The CRC gives its own bytes by shifting.
        def chosen(flag: Value, value: Value) -> Value:
            return Mux(flag, value, 0)

        byte = Signal(8)
        wide_score = Signal(signed(32))
        sending, done = Signal(), Signal()
        m.d.comb += [
            wide_score.eq(score),
            self.o.payload.byte.eq(byte),
            self.o.payload.end.eq(word.end),
            crc.i.payload.eq(byte),
            crc.read_out.eq(word.crc),
            # It goes through the CRC in eight cycles, in the first of which the encoder takes it.
            crc.i.valid.eq(sending & ~word.end),
            crc.hold.eq(~self.o.ready),
            done.eq(crc.i.valid & crc.i.ready),
            self.o.valid.eq(sending & (word.end | crc.first)),
        ]

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.i_job.ready.eq(1), crc.clear.eq(1)]
                m.d.sync += job.eq(self.i_job.payload)
                with m.If(self.i_job.valid):
                    m.next = "START"
                with m.Else():
                    m.d.sync += job.image.eq(0)
            with m.State("START"):
                with m.Switch(job.reply):
                    for reply, start in program.starts.items():
                        with m.Case(reply):
                            m.d.sync += address.eq(start)
                m.next = "FETCH"
                with m.If(job.image & (job.reply != Reply.INFER)):
                    m.next = "DISCARD"
            with m.State("DISCARD"):
                # The scores of an image whose frame was wrong.
                m.d.comb += self.i.ready.eq(1)
                with m.If(offered):
                    m.next = "READ"
            with m.State("FETCH"):
                m.next = "READ"
            with m.State("READ"):
                # The word before is still there. A score is taken after its last byte, the image's last one after the last byte of all.
                with m.If(word.byte == 3):
                    m.d.comb += self.i.ready.eq((word.score & ~score_is_last) | word.cycles)
                m.d.sync += word.eq(read.data)
                m.next = "CHOOSE"
            with m.State("CHOOSE"):
                m.d.sync += byte.eq(
                    word.constant
                    | chosen(word.sequence, job.sequence)
                    | chosen(word.score, wide_score.word_select(word.byte, 8))
                    | chosen(word.label, self._label().word_select(word.byte, 8))
                    | chosen(word.cycles, cycles.word_select(word.byte, 8))
                    | chosen(word.crc, crc.crc[:8])
                )
                with m.If(~word.score | self.i.valid):
                    # The next word is read while this byte is sent.
                    m.d.sync += address.eq(address + 1)
                    with m.If(word.score & (word.byte == 3) & ~score_is_last):
                        m.d.sync += address.eq(program.scores)
                    m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += sending.eq(1)
                with m.If(done):
                    m.next = "READ"
                with m.If(word.end & self.o.ready):
                    m.next = "IDLE"

        with m.If(ended):
            m.d.sync += job.image.eq(0)
        return m

    def _label(self) -> Value:
        """The label on 32 bits."""
        return Cat(self.i.payload.label, Const(0, 32))[:32]
