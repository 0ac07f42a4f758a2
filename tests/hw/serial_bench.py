"""Drives a whole top level, with a small core, through the bits of its line; the bytes are the host library's."""

from collections.abc import Iterable

import numpy as np
from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from rbonn.hw.protocol import Command, ElementKind, ErrorCode, Info
from rbonn.hw.top import Top, TopConfig
from rbonn.sw.host.protocol import (
    ANSWER,
    ERROR,
    Frame,
    FrameReader,
    decode_answer,
    encode_frame,
)

DIVISOR = 4
IMAGE_BYTES, N_CLASSES, SCORE_BITS = 6, 3, 11
INFO = Info(
    name="fake",
    design_hash=bytes(range(8)),
    weights_hash=bytes(range(100, 108)),
    element_kind=ElementKind.UNSIGNED,
    element_bits=8,
    shape=(2, 3, 1),
    n_classes=N_CLASSES,
    score_bits=SCORE_BITS,
    clock_hz=4_000_000,
    interval_cycles=50,
)


class FakeCore(wiring.Component):
    """Scores that depend on every byte and its place: ``x = (3 * x + byte) mod 2 ** 11``, then x, x + 341, x + 682.

    Waits `pause` cycles before each input and before each score, so a slow core can be had. Counts what it takes.
    """

    def __init__(self, pause: int = 0) -> None:
        self.pause = pause
        self.taken_bytes = Signal(32)
        score = data.StructLayout({"score": signed(SCORE_BITS), "label": 2, "last": 1})
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(score))})

    def elaborate(self, platform) -> Module:
        m = Module()
        x = Signal(SCORE_BITS)
        count = Signal(range(IMAGE_BYTES))
        wait = Signal(16, init=self.pause)
        item = Signal(2)
        best, label = Signal(signed(SCORE_BITS)), Signal(2)
        better = Signal()
        m.d.comb += better.eq((item == 0) | (self.o.payload.score > best))
        m.d.comb += self.o.payload.score.eq((x + 341 * item).as_signed())
        m.d.comb += self.o.payload.label.eq(Mux(better, item, label))
        m.d.comb += self.o.payload.last.eq(item == N_CLASSES - 1)
        with m.FSM():
            with m.State("TAKE"):
                m.d.comb += self.i.ready.eq(wait == 0)
                with m.If(self.i.valid & self.i.ready):
                    m.d.sync += [
                        x.eq(3 * x + self.i.payload),
                        count.eq(count + 1),
                        self.taken_bytes.eq(self.taken_bytes + 1),
                        wait.eq(self.pause),
                    ]
                    with m.If(count == IMAGE_BYTES - 1):
                        m.d.sync += count.eq(0)
                        m.next = "GIVE"
                with m.Elif(wait != 0):
                    m.d.sync += wait.eq(wait - 1)
            with m.State("GIVE"):
                m.d.comb += self.o.valid.eq(wait == 0)
                with m.If(self.o.valid & self.o.ready):
                    m.d.sync += [item.eq(item + 1), wait.eq(self.pause)]
                    with m.If(better):
                        m.d.sync += [best.eq(self.o.payload.score), label.eq(item)]
                    with m.If(self.o.payload.last):
                        m.d.sync += [item.eq(0), x.eq(0)]
                        m.next = "TAKE"
                with m.Elif(wait != 0):
                    m.d.sync += wait.eq(wait - 1)
        return m


def scores_of(image: bytes) -> list[int]:
    x = 0
    for byte in image:
        x = (3 * x + byte) % 2**SCORE_BITS
    wrapped = [(x + 341 * item) % 2**SCORE_BITS for item in range(N_CLASSES)]
    return [value - 2**SCORE_BITS if value >= 2 ** (SCORE_BITS - 1) else value for value in wrapped]


class Bench:
    """A top level with a fake core, and the two ends of its line as Python bytes."""

    def __init__(self, pause: int = 0, receive_buffer_bytes: int = 64) -> None:
        self.core = FakeCore(pause)
        config = TopConfig(INFO, INFO.clock_hz // DIVISOR, receive_buffer_bytes)
        self.top = Top(config, self.core)
        self.simulator = Simulator(self.top)
        self.simulator.add_clock(1e-6)
        self.reader = FrameReader()
        self.frames: list[Frame] = []
        self.answered_at: list[int] = []
        self.line_bytes = b""
        self.handshakes: list[tuple[str, int]] = []

    def run(self, pieces: Iterable[bytes | int | str], idle_bytes: int = 60) -> list[Frame]:
        """Sends the pieces (bytes, a number of idle bit times, "break", or "answer": wait for one) and returns what came back.

        Stops when nothing has come for `idle_bytes` byte times after the last piece.
        """
        state = {"cycle": 0, "last": 0, "sending": True}

        async def send(ctx) -> None:
            async def level(value: int, cycles: int) -> None:
                ctx.set(self.top.rx, value)
                await ctx.tick().repeat(cycles)

            for piece in pieces:
                if piece == "answer":
                    before = len(self.frames)
                    for _ in range(20_000):
                        if len(self.frames) > before:
                            break
                        await ctx.tick()
                    else:
                        raise AssertionError("no answer within 20 000 cycles")
                elif piece == "break":
                    await level(0, 12 * DIVISOR)
                    await level(1, 12 * DIVISOR)
                elif isinstance(piece, int):
                    await level(1, piece * DIVISOR)
                else:
                    for byte in piece:
                        await level(0, DIVISOR)
                        for bit in range(8):
                            await level(byte >> bit & 1, DIVISOR)
                        await level(1, DIVISOR)
            state["sending"] = False
            state["last"] = state["cycle"]

        async def receive(ctx) -> None:
            while state["sending"] or state["cycle"] - state["last"] < idle_bytes * 10 * DIVISOR:
                await ctx.tick()
                state["cycle"] += 1
                if ctx.get(self.top.tx):
                    continue
                # The line fell at this tick: sample each bit in its middle.
                await ctx.tick().repeat(DIVISOR // 2)
                byte = 0
                for bit in range(8):
                    await ctx.tick().repeat(DIVISOR)
                    byte |= ctx.get(self.top.tx) << bit
                await ctx.tick().repeat(DIVISOR)
                assert ctx.get(self.top.tx) == 1
                state["cycle"] += 9 * DIVISOR + DIVISOR // 2
                state["last"] = state["cycle"]
                self.line_bytes += bytes([byte])
                for frame in self.reader.feed(bytes([byte])):
                    self.frames.append(frame)
                    self.answered_at.append(state["cycle"])

        async def watch(ctx) -> None:
            cycle = 0
            core = self.core
            async for _, _, i_valid, i_ready, o_valid, last in ctx.tick().sample(
                core.i.valid, core.i.ready, core.o.valid, core.o.payload.last
            ):
                if i_valid and i_ready:
                    self.handshakes.append(("byte", cycle))
                if o_valid and last:
                    self.handshakes.append(("last", cycle))
                cycle += 1

        self.simulator.add_testbench(send)
        self.simulator.add_testbench(receive)
        self.simulator.add_process(watch)
        self.simulator.run()
        return self.frames


def infer(sequence: int, image: bytes) -> bytes:
    return encode_frame(Frame(sequence, Command.INFER, image))


def is_answer(frame: Frame, sequence: int, image: bytes) -> bool:
    if (frame.sequence, frame.command) != (sequence, Command.INFER + ANSWER):
        return False
    answer = decode_answer(frame.payload, N_CLASSES)
    scores = scores_of(image)
    return answer.scores.tolist() == scores and answer.label == int(np.argmax(scores))


def error(sequence: int, code: ErrorCode) -> Frame:
    return Frame(sequence, ERROR, code.to_bytes(4, "little"))
