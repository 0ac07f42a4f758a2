"""The link's half from the core to frames: answers requests. Frames, commands and errors are those of docs/protocol.md."""

from functools import reduce
from operator import or_

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .answer_program import answer_program
from .crc import Crc32
from .packet import JOB, Reply, is_granted, is_opened
from .protocol import WARM_UP_IMAGES, Command, Info
from .trace import TRACED

MAX_IMAGES = 15
"""Images that may be in the core at once. Only a core whose first answer takes 15 intervals would hold more."""


class PacketSender(wiring.Component):
    """Turns jobs into answers, taking scores out of the core for them.

    Of images whose frame was wrong the scores are taken and thrown away before the error is sent. An answer to BATCH begins with its first job; its CRC is sent after the
    second one. If that is an error, the answer ends where it is, shorter than its length field says, and the error follows.

    Throughput is one byte per 10 cycles, while the core and the taker of bytes are ready.
    Storage is the answers' program, 16 bits for each byte, in block RAM (one on iCE40 for names up to 57 bytes without TRACE) or, if `program_memory`
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
    i_trace : In(stream.Signature(TRACED)), tracing : Out(1) - payload of TRACE, and whether it is being sent; absent where there is no TRACE
    o : Out(stream.Signature(...)) - bytes and ends of frames, as `CobsEncoder.i`
    started : In(1) - high for one cycle: an image has been started
    feeding : In(1) - of the request whose job was the last one, images are still to come
    full : Out(1) - `MAX_IMAGES` images have been started that are not done: start none
    """

    def __init__(
        self, info: Info, score: data.StructLayout, *, program_memory: str = "block"
    ) -> None:
        if program_memory not in ("block", "logic"):
            raise ValueError(f"Program memory must be 'block' or 'logic', not {program_memory!r}")
        self.info = info
        self.program_memory = program_memory
        frame = data.StructLayout({"byte": 8, "end": 1})
        members = {
            "i_job": In(stream.Signature(JOB)),
            "i": In(stream.Signature(score)),
            "o": Out(stream.Signature(frame)),
            "started": In(1),
            "feeding": In(1),
            "full": Out(1),
        }
        if Command.TRACE in info.commands:
            members |= {"i_trace": In(stream.Signature(TRACED)), "tracing": Out(1)}
        super().__init__(members)

    def elaborate(self, platform) -> Module:
        m = Module()
        has = {command: command in self.info.commands for command in Command}
        m.submodules.crc = crc = Crc32()
        score, score_is_last = self.i.payload.score, self.i.payload.last
        job = Signal(JOB)
        offered = Signal()  # the core offers an image's last score
        m.d.comb += offered.eq(self.i.valid & score_is_last)

        # The program. Behind the memory stands a register: a block RAM's own delay is half a cycle of a fast clock.
        program = answer_program(self.info)
        m.submodules.program = memory = Memory(
            shape=program.layout,
            depth=len(program.words),
            init=program.words,
            attrs={"ram_style": self.program_memory},
        )
        read = memory.read_port()
        word = Signal(program.layout)
        address = Signal(range(len(program.words)))
        m.d.comb += read.addr.eq(address)

        # Images in the core.
        done = Signal()  # an image's last score is taken
        started = Signal(range(MAX_IMAGES + 1))
        m.d.comb += done.eq(offered & self.i.ready)
        with m.If(self.started ^ done):
            m.d.sync += started.eq(started + Mux(done, -1, 1))  # one adder
        m.d.comb += self.full.eq(started == MAX_IMAGES)

        # Cycles from the first byte of an image, or the last score of the one before if that came later, to the offer of its last score.
        cycles = Signal(32, init=1)
        ended = Signal()  # in the cycle before, an image's last score was taken
        m.d.sync += ended.eq(done)
        restarts, runs = (started == 0) | ended, ~offered
        emptying = Signal()  # all scores of a BENCHMARK are thrown away
        if has[Command.BENCHMARK]:
            # Here they go on from image to image after the warming up, and end in the cycle after the one in which the last score is taken.
            benchmark = job.reply == Reply.BENCHMARK
            warm = Signal(range(WARM_UP_IMAGES + 1))
            with m.If(~emptying):
                m.d.sync += warm.eq(0)
            with m.Elif(ended & (warm != WARM_UP_IMAGES)):
                m.d.sync += warm.eq(warm + 1)
            restarts = Mux(benchmark, ended & (warm != WARM_UP_IMAGES), restarts)
            runs = Mux(benchmark, emptying, runs)
        with m.If(restarts):
            m.d.sync += cycles.eq(1)
        with m.Elif(runs):
            m.d.sync += cycles.eq(cycles + 1)

        # The byte that the word says. The CRC gives its own bytes by shifting.
        def chosen(flag: Value, value: Value) -> Value:
            return Mux(flag, value, 0)

        byte = Signal(8)
        wide_score = Signal(signed(32))
        sending, sent = Signal(), Signal()
        m.d.comb += [
            wide_score.eq(score),
            self.o.payload.byte.eq(byte),
            self.o.payload.end.eq(word.end),
            crc.i.payload.eq(byte),
            crc.read_out.eq(word.crc),
            # It goes through the CRC in eight cycles, in the first of which the encoder takes it.
            crc.i.valid.eq(sending & ~word.end),
            crc.hold.eq(~self.o.ready),
            sent.eq(crc.i.valid & crc.i.ready),
            self.o.valid.eq(sending & (word.end | crc.first)),
        ]
        sources = [
            word.constant,
            chosen(word.sequence, Mux(word.byte[0], job.reply.as_value()[:3], job.sequence)),
            chosen(word.score, wide_score.word_select(word.byte, 8)),
            chosen(word.label, self._label().word_select(word.byte, 8)),
            chosen(word.cycles, cycles.word_select(word.byte, 8)),
            chosen(word.crc, crc.crc[:8]),
        ]
        available, again = ~word.score | self.i.valid, Const(0)
        if has[Command.TRACE]:
            sources.append(chosen(word.trace, self.i_trace.payload.byte))
            available &= ~word.trace | self.i_trace.valid
            again = word.trace & ~self.i_trace.payload.last

        # An answer is open until its second job says that it may be ended as it was begun.
        opened, awaited, spoilt, more = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            spoilt.eq(opened & self.i_job.valid & ~is_granted(self.i_job.payload.reply)),
            awaited.eq(opened & word.crc),
        ]
        if has[Command.BATCH]:
            m.d.comb += more.eq((job.reply == Reply.BATCH) & (self.feeding | (started != 1)))

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += crc.clear.eq(1)
                if has[Command.TRACE]:
                    m.d.sync += self.tracing.eq(0)
                m.d.sync += [
                    job.eq(self.i_job.payload),
                    opened.eq(is_opened(self.i_job.payload.reply)),
                ]
                # All images that are not answered belong to a wrong frame.
                with m.If(~is_granted(self.i_job.payload.reply) & (started != 0)):
                    m.d.comb += self.i.ready.eq(self.i_job.valid)
                with m.Else():
                    m.d.comb += self.i_job.ready.eq(1)
                    with m.If(self.i_job.valid):
                        m.next = "START"
            with m.State("START"):
                if has[Command.TRACE]:
                    m.d.sync += self.tracing.eq(job.reply == Reply.TRACE)
                with m.Switch(job.reply):
                    for reply, start in program.starts.items():
                        if reply != Reply.INFO:
                            with m.Case(reply):
                                m.d.sync += address.eq(start)
                    with m.Default():
                        m.d.sync += address.eq(program.starts[Reply.INFO])
                m.next = "FETCH"
                if has[Command.BENCHMARK]:
                    with m.If(job.reply == Reply.BENCHMARK):
                        m.next = "DISCARD"
            if has[Command.BENCHMARK]:
                with m.State("DISCARD"):
                    m.d.comb += self.i.ready.eq(1)
                    m.d.comb += emptying.eq((started != 0) | self.feeding)
                    with m.If(~emptying):
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
                m.d.sync += byte.eq(reduce(or_, sources))
                with m.If(spoilt):
                    m.d.sync += [word.eq(0), word.end.eq(1)]
                    m.next = "SEND"
                with m.Elif(available & (~awaited | self.i_job.valid)):
                    # The next word is read while this byte is sent.
                    with m.If(~again):
                        m.d.sync += address.eq(address + 1)
                    # Four words are repeated for each score, and twelve for each image; both begin at multiples of 16.
                    with m.If((word.byte == 3) & word.score & ~score_is_last):
                        m.d.sync += address[2:].eq(address[2:])
                    with m.If((word.byte == 3) & word.cycles & more):
                        m.d.sync += [address[2:].eq(address[2:]), address[3].eq(0)]
                    with m.If(awaited):
                        m.d.comb += self.i_job.ready.eq(1)
                        m.d.sync += opened.eq(0)
                    m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += sending.eq(1)
                if has[Command.TRACE]:
                    m.d.comb += self.i_trace.ready.eq(word.trace & sent)
                with m.If(sent):
                    m.next = "READ"
                with m.If(word.end & self.o.ready):
                    m.next = "IDLE"
        return m

    def _label(self) -> Value:
        """The label on 32 bits."""
        return Cat(self.i.payload.label, Const(0, 32))[:32]
