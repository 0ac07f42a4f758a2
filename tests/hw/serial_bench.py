"""Drives a whole top level, with a small core, through the bits of its line; the bytes are the host library's."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from amaranth.hdl import Elaboratable, Module, Mux, ResetInserter, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from rbonn.hw.protocol import Command, ElementKind, ErrorCode, Info
from rbonn.hw.top import Top, TopConfig
from rbonn.hw.trace import TraceConfig
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
    receive_buffer_bytes=64,
    batch_images=4,
    benchmark=True,
)


class FakeCore(wiring.Component):
    """Scores that depend on every byte and its place: ``x = (3 * x + byte) mod 2 ** 11``, then x, x + 341, x + 682.

    Waits `pause` cycles before each input and before each score, so a slow core can be had.
    """

    def __init__(self, pause: int = 0, image_bytes: int = IMAGE_BYTES) -> None:
        self.pause = pause
        self.image_bytes = image_bytes
        self.taken_bytes = Signal(16, reset_less=True)
        self.restart = Signal()
        self.is_open = ~self.restart
        self.probes = {
            "taken": (Signal(), Signal(8)),
            "given": (Signal(), Signal(SCORE_BITS)),
        }
        score = data.StructLayout({"score": signed(SCORE_BITS), "label": 2, "last": 1})
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(score))})

    def elaborate(self, platform) -> Elaboratable:
        m = Module()
        x = Signal(SCORE_BITS)
        count = Signal(range(self.image_bytes))
        wait = Signal(16, init=self.pause)
        item = Signal(2)
        best, label = Signal(signed(SCORE_BITS)), Signal(2)
        better = Signal()
        m.d.comb += better.eq((item == 0) | (self.o.payload.score > best))
        m.d.comb += self.o.payload.score.eq((x + 341 * item).as_signed())
        m.d.comb += self.o.payload.label.eq(Mux(better, item, label))
        m.d.comb += self.o.payload.last.eq(item == N_CLASSES - 1)
        for edge, port in (("taken", self.i), ("given", self.o)):
            strobe, transfer = self.probes[edge]
            value = Value.cast(port.payload)[: len(transfer)]
            m.d.comb += [strobe.eq(port.valid & port.ready), transfer.eq(value)]
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
                    with m.If(count == self.image_bytes - 1):
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
        return ResetInserter(self.restart)(m)


def scores_of(image: bytes) -> list[int]:
    x = 0
    for byte in image:
        x = (3 * x + byte) % 2**SCORE_BITS
    wrapped = [(x + 341 * item) % 2**SCORE_BITS for item in range(N_CLASSES)]
    return [value - 2**SCORE_BITS if value >= 2 ** (SCORE_BITS - 1) else value for value in wrapped]


PERIOD = 1e-6
BIT = DIVISOR * PERIOD


class Bench:
    """A top level with a fake core, and the two ends of its line as Python bytes.

    `core_bytes` counts bytes that have entered the core. `handshakes`, if watched, lists ("byte", cycle) and ("last", cycle): a byte
    entered, the core offers its last score.
    """

    def __init__(
        self,
        pause: int = 0,
        receive_buffer_bytes: int = 64,
        *,
        watched: bool = False,
        traces: tuple[TraceConfig, ...] = (),
    ) -> None:
        self.core = FakeCore(pause)
        trace_bytes = sum(trace.n_bytes for trace in traces)
        info = replace(INFO, receive_buffer_bytes=receive_buffer_bytes, trace_bytes=trace_bytes)
        config = TopConfig(info, INFO.clock_hz // DIVISOR, traces=traces)
        self.top = Top(config, self.core)
        self.simulator = Simulator(self.top)
        self.simulator.add_clock(PERIOD)
        self.watched = watched
        self.reader = FrameReader()
        self.frames: list[Frame] = []
        self.core_bytes = 0
        self.handshakes: list[tuple[str, int]] = []

    def image_cycles(self) -> list[tuple[int, int]]:
        """For each image the cycles in which its first byte entered and in which its last score was first offered."""
        firsts = [cycle for event, cycle in self.handshakes if event == "byte"][::IMAGE_BYTES]
        offers = [cycle for event, cycle in self.handshakes if event == "last"]
        return [(first, next(cycle for cycle in offers if cycle > first)) for first in firsts]

    def run(self, pieces: Iterable[bytes | int | str], idle_bytes: int = 60) -> list[Frame]:
        """Sends the pieces (bytes, a number of idle bit times, "break", or "answer": wait for one) and returns what came back.

        Stops when nothing has come for `idle_bytes` byte times after the last piece.
        """
        sending = True

        async def send(ctx: Any) -> None:
            nonlocal sending

            async def level(value: int, bits: int) -> None:
                ctx.set(self.top.rx, value)
                await ctx.delay(bits * BIT)

            for piece in pieces:
                if piece == "answer":
                    await self._wait_for_answer(ctx)
                elif piece == "break":
                    await level(0, 12)
                    await level(1, 12)
                elif isinstance(piece, int):
                    await level(1, piece)
                else:
                    for byte in piece:
                        await level(0, 1)
                        for bit in range(8):
                            await level(byte >> bit & 1, 1)
                        await level(1, 1)
            sending = False

        async def receive(ctx: Any) -> None:
            idle = False
            while sending or not idle:
                fell, idle = await ctx.negedge(self.top.tx).delay(idle_bytes * 10 * BIT)
                if not fell:
                    continue
                idle = False
                byte = 0
                await ctx.delay(BIT / 2)
                for bit in range(8):
                    await ctx.delay(BIT)
                    byte |= ctx.get(self.top.tx) << bit
                await ctx.delay(BIT)
                assert ctx.get(self.top.tx) == 1, "stop bit is low"
                self.frames += self.reader.feed(bytes([byte]))

            self.core_bytes = ctx.get(self.core.taken_bytes)

        self.simulator.add_testbench(send)
        self.simulator.add_testbench(receive)
        if self.watched:
            self.simulator.add_process(self._watch)
        self.simulator.run()
        return self.frames

    async def _wait_for_answer(self, ctx: Any) -> None:
        expected = len(self.frames) + 1
        for _ in range(500):
            if len(self.frames) >= expected:
                return
            await ctx.delay(10 * BIT)
        raise AssertionError("no answer within 500 byte times")

    async def _watch(self, ctx: Any) -> None:
        core, cycle = self.core, 0
        sampled = ctx.tick().sample(core.i.valid, core.i.ready, core.o.valid, core.o.payload.last)
        async for *_, i_valid, i_ready, o_valid, last in sampled:
            if i_valid and i_ready:
                self.handshakes.append(("byte", cycle))
            if o_valid and last:
                self.handshakes.append(("last", cycle))
            cycle += 1


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
