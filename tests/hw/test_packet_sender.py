# amaranth: UnusedElaboratable=no
"""`rbonn.hw.packet_sender` and `rbonn.hw.answer_program`: answers, byte by byte."""

import random
import struct
import zlib
from dataclasses import replace
from typing import Any

import pytest
from amaranth.hdl import signed
from amaranth.lib import data
from amaranth.sim import Simulator
from rbonn.hw.answer_program import answer_program
from rbonn.hw.packet import Reply
from rbonn.hw.packet_sender import PacketSender
from rbonn.hw.protocol import ElementKind, Info

INFO = Info(
    name="net",
    design_hash=bytes(8),
    weights_hash=b"weights!",
    element_kind=ElementKind.BIPOLAR,
    element_bits=1,
    shape=(28, 28, 1),
    n_classes=3,
    score_bits=9,
    clock_hz=24_000_000,
    interval_cycles=9408,
)
Scores = list[int]


def frame(sequence: int, command: int, payload: bytes) -> bytes:
    body = struct.pack("<BBBH", 1, sequence, command, len(payload)) + payload
    return body + zlib.crc32(body).to_bytes(4, "little")


def send(
    info: Info,
    jobs: list[tuple[int, Reply, Scores | None]],
    *,
    label_bits: int = 4,
    program_memory: str = "block",
    seed: int | None = None,
) -> list[bytes]:
    """The frames for these jobs (sequence, reply, scores of its image), decoded; with a seed, core and taker are ready at random."""
    layout = data.StructLayout({"score": signed(info.score_bits), "label": label_bits, "last": 1})
    sender = PacketSender(info, layout, program_memory=program_memory)
    rng = random.Random(seed)
    frames = [bytearray()]

    async def give_jobs(ctx: Any) -> None:
        for sequence, reply, scores in jobs:
            job = {"sequence": sequence, "reply": reply, "image": scores is not None}
            ctx.set(sender.i_job.payload, job)
            ctx.set(sender.i_job.valid, 1)
            await ctx.tick().until(sender.i_job.ready)
            ctx.set(sender.i_job.valid, 0)
        for _ in range(60_000):
            if len(frames) > len(jobs):
                return
            await ctx.tick()
        raise AssertionError(f"{len(frames) - 1} frames of {len(jobs)} jobs")

    async def give_scores(ctx: Any) -> None:
        for scores in [scores for *_, scores in jobs if scores is not None]:
            for k, score in enumerate(scores):
                if seed is not None:
                    await ctx.tick().repeat(rng.choice([1, 7, 80]))
                label = scores[: k + 1].index(max(scores[: k + 1]))
                last = k == len(scores) - 1
                ctx.set(sender.i.payload, {"score": score, "label": label, "last": last})
                ctx.set(sender.i.valid, 1)
                await ctx.tick().until(sender.i.ready)
                ctx.set(sender.i.valid, 0)

    async def take(ctx: Any) -> None:
        sampled = ctx.tick().sample(
            sender.o.valid, sender.o.ready, sender.o.payload.byte, sender.o.payload.end
        )
        async for *_, valid, ready, byte, end in sampled:
            if valid and ready and end:
                frames.append(bytearray())
            elif valid and ready:
                frames[-1].append(byte)
            ctx.set(sender.o.ready, seed is None or rng.random() < 0.3)

    simulator = Simulator(sender)
    simulator.add_clock(1e-6)
    simulator.add_testbench(give_jobs)
    simulator.add_testbench(give_scores, background=True)
    simulator.add_process(take)
    simulator.run()
    assert not frames.pop()
    return [bytes(sent) for sent in frames]


def is_infer_answer(sent: bytes, sequence: int, scores: Scores) -> bool:
    """Whether all but the cycles is as it should be."""
    n_classes = len(scores)
    payload = sent[5:-4]
    cycles = payload[-4:]
    tail = scores.index(max(scores)).to_bytes(4, "little") + cycles
    expected = struct.pack(f"<{n_classes}i", *scores) + tail
    return sent == frame(sequence, 0x82, expected)


@pytest.mark.parametrize("program_memory", ["block", "logic"])
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_each_kind_of_answer_is_as_the_protocol_says(program_memory: str, seed: int | None) -> None:
    jobs = [
        (1, Reply.INFO, None),
        (2, Reply.INFER, [-1, 5, -256]),
        (3, Reply.RESET, None),
        *((3 + code, Reply(code), None) for code in range(1, 6)),
        (9, Reply.INFER, [255, 0, 255]),
        (10, Reply.INFO, None),
    ]
    sent = send(INFO, jobs, program_memory=program_memory, seed=seed)
    assert sent[0] == frame(1, 0x81, INFO.encode())
    assert is_infer_answer(sent[1], 2, [-1, 5, -256])
    assert sent[2] == frame(3, 0x86, b"")
    assert sent[3:8] == [frame(3 + code, 0xFF, code.to_bytes(4, "little")) for code in range(1, 6)]
    assert is_infer_answer(sent[8], 9, [255, 0, 255])
    assert sent[9] == frame(10, 0x81, INFO.encode())


@pytest.mark.parametrize("seed", [None, 3])
def test_the_scores_of_an_image_with_a_wrong_frame_are_thrown_away(seed: int | None) -> None:
    jobs = [
        (1, Reply.INFER, [1, 2, 3]),
        (2, Reply.DAMAGED, [9, 9, 9]),
        (3, Reply.BAD_LENGTH, [8, 8, 8]),
        (4, Reply.INFER, [3, 2, 1]),
        (5, Reply.OVERRUN, None),
        (6, Reply.INFER, [0, 7, 0]),
    ]
    sent = send(INFO, jobs, seed=seed)
    assert is_infer_answer(sent[0], 1, [1, 2, 3])
    assert sent[1] == frame(2, 0xFF, b"\1\0\0\0")
    assert sent[2] == frame(3, 0xFF, b"\4\0\0\0")
    assert is_infer_answer(sent[3], 4, [3, 2, 1])
    assert sent[4] == frame(5, 0xFF, b"\5\0\0\0")
    assert is_infer_answer(sent[5], 6, [0, 7, 0])


@pytest.mark.parametrize(
    ("n_classes", "score_bits", "label_bits"), [(1, 1, 1), (2, 32, 1), (80, 17, 7), (300, 8, 9)]
)
def test_any_number_of_classes_and_any_width_of_scores(
    n_classes: int, score_bits: int, label_bits: int
) -> None:
    rng = random.Random(n_classes)
    half = 1 << score_bits - 1
    scores = [rng.randrange(-half, half) for _ in range(n_classes)]
    scores[0], scores[-1] = -half, half - 1
    info = replace(INFO, n_classes=n_classes, score_bits=score_bits)
    sent = send(info, [(7, Reply.INFER, scores), (8, Reply.INFO, None)], label_bits=label_bits)
    assert is_infer_answer(sent[0], 7, scores)
    assert sent[1] == frame(8, 0x81, info.encode())


def test_a_long_name_makes_the_program_longer() -> None:
    info = replace(INFO, name="ä" * 127)
    (sent,) = send(info, [(1, Reply.INFO, None)])
    assert sent == frame(1, 0x81, info.encode())
    assert len(answer_program(info).words) > 256
    assert len(answer_program(replace(INFO, name="x" * 63)).words) <= 256
    assert len(answer_program(replace(INFO, name="x" * 64)).words) > 256


def test_a_memory_of_another_kind_is_refused() -> None:
    layout = data.StructLayout({"score": signed(9), "label": 4, "last": 1})
    with pytest.raises(ValueError, match="must be 'block' or 'logic', not 'flash'"):
        PacketSender(INFO, layout, program_memory="flash")
