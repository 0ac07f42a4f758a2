# amaranth: UnusedElaboratable=no
"""`rbonn.hw.packet_sender` and `rbonn.hw.answer_program`: answers, byte by byte."""

import random
import struct
import zlib
from collections import deque
from dataclasses import replace
from typing import Any

import pytest
from amaranth.hdl import signed
from amaranth.lib import data
from amaranth.sim import Simulator
from rbonn.hw.answer_program import answer_program
from rbonn.hw.packet import Reply
from rbonn.hw.packet_sender import PacketSender
from rbonn.hw.protocol import BENCHMARK_IMAGES, VERSION, WARM_UP_IMAGES, ElementKind, Info

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
    batch_images=4,
    benchmark=True,
)
Scores = list[int]
Request = tuple[int, Reply | tuple[Reply, Reply], list[Scores]]


def frame(sequence: int, command: int, payload: bytes) -> bytes:
    body = struct.pack("<BBBH", VERSION, sequence, command, len(payload)) + payload
    return body + zlib.crc32(body).to_bytes(4, "little")


def send(
    info: Info,
    requests: list[Request],
    *,
    label_bits: int = 4,
    program_memory: str = "block",
    seed: int | None = None,
    interval: int | None = None,
) -> list[bytes]:
    """The frames for these requests (sequence, reply, scores of its images), decoded; with a seed, core and taker are ready at random.

    An opened request is one whose reply comes in two jobs; (sequence, (first reply, second reply), scores) where they differ. With an `interval`, the core
    gives an image's scores so many cycles after those of the one before.
    """
    layout = data.StructLayout({"score": signed(info.score_bits), "label": label_bits, "last": 1})
    sender = PacketSender(info, layout, program_memory=program_memory)
    rng = random.Random(seed)
    frames = [bytearray()]
    n_frames = sum(1 + isinstance(reply, tuple) for _, reply, _ in requests)
    in_core: deque[Scores] = deque()

    async def give_jobs(ctx: Any) -> None:
        async def give(sequence: int, reply: Reply) -> None:
            ctx.set(sender.i_job.payload, {"sequence": sequence, "reply": reply})
            ctx.set(sender.i_job.valid, 1)
            for _ in range(30_000):
                *_, taken = await ctx.tick().sample(sender.i_job.ready)
                if taken:
                    break
            assert taken, f"job {reply} is not taken"
            ctx.set(sender.i_job.valid, 0)

        async def start(images: list[Scores]) -> None:
            for k, scores in enumerate(images):
                while ctx.get(sender.full):
                    await ctx.tick()
                ctx.set(sender.started, 1)
                await ctx.tick()
                ctx.set(sender.started, 0)
                # The last byte of an image is in the core before its first score is out.
                if k == len(images) - 1:
                    ctx.set(sender.feeding, 0)
                in_core.append(scores)
                await ctx.tick().repeat(3 if seed is None else rng.choice([3, 50, 900]))

        for sequence, reply, images in requests:
            first, second = reply if isinstance(reply, tuple) else (reply, reply)
            opened = first in (Reply.BATCH, Reply.BENCHMARK)
            if opened:
                await give(sequence, first)
            # Of a frame that is cut between two images, more would have come.
            ctx.set(sender.feeding, opened)
            await start(images)
            ctx.set(sender.feeding, 0)
            await give(sequence, second)
        for _ in range(30_000):
            if len(frames) > n_frames:
                return
            await ctx.tick()
        raise AssertionError(f"{len(frames) - 1} frames of {n_frames}")

    async def give_scores(ctx: Any) -> None:
        while True:
            while not in_core:
                await ctx.tick()
            scores = in_core.popleft()
            if interval is not None:
                await ctx.tick().repeat(interval - len(scores))
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


def is_answer(sent: bytes, sequence: int, command: int, images: list[Scores]) -> bool:
    """Whether all but the cycles is as it should be."""
    expected = b""
    for scores in images:
        place = 5 + len(expected) + 4 * len(scores) + 4
        label = scores.index(max(scores))
        expected += struct.pack(f"<{len(scores)}iI", *scores, label) + sent[place : place + 4]
    return sent == frame(sequence, command, expected)


def is_infer_answer(sent: bytes, sequence: int, scores: Scores) -> bool:
    return is_answer(sent, sequence, 0x82, [scores])


@pytest.mark.parametrize("program_memory", ["block", "logic"])
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_each_kind_of_answer_is_as_the_protocol_says(program_memory: str, seed: int | None) -> None:
    jobs = [
        (1, Reply.INFO, []),
        (2, Reply.INFER, [[-1, 5, -256]]),
        (3, Reply.RESET, []),
        *((3 + code, Reply(8 + code), []) for code in range(1, 6)),
        (9, Reply.INFER, [[255, 0, 255]]),
        (10, Reply.INFO, []),
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
        (1, Reply.INFER, [[1, 2, 3]]),
        (2, Reply.DAMAGED, [[9, 9, 9]]),
        (3, Reply.BAD_LENGTH, [[8, 8, 8]]),
        (4, Reply.INFER, [[3, 2, 1]]),
        (5, Reply.OVERRUN, []),
        (6, Reply.INFER, [[0, 7, 0]]),
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
    sent = send(info, [(7, Reply.INFER, [scores]), (8, Reply.INFO, [])], label_bits=label_bits)
    assert is_infer_answer(sent[0], 7, scores)
    assert sent[1] == frame(8, 0x81, info.encode())


def test_a_long_name_makes_the_program_longer() -> None:
    info = replace(INFO, name="ä" * 127)
    (sent,) = send(info, [(1, Reply.INFO, [])])
    assert sent == frame(1, 0x81, info.encode())
    assert len(answer_program(info).words) > 256
    assert len(answer_program(replace(INFO, name="x" * 57)).words) <= 256
    assert len(answer_program(replace(INFO, name="x" * 58)).words) > 256


BATCHES = [[[k, -k, 3], [k, k + 1, 0], [0, 0, 0], [-k, 9, k]] for k in range(1, 5)]


@pytest.mark.parametrize("seed", [None, 1])
def test_a_batch_is_answered_by_one_frame_with_all_its_images(seed: int | None) -> None:
    requests = [
        (1, Reply.BATCH, BATCHES[0]),
        (2, Reply.BATCH, BATCHES[1]),
        (3, Reply.INFER, [[1, 2, 3]]),
        (4, Reply.BATCH, BATCHES[2]),
        (5, Reply.RESET, []),
    ]
    sent = send(INFO, requests, seed=seed)
    assert is_answer(sent[0], 1, 0x83, BATCHES[0])
    assert is_answer(sent[1], 2, 0x83, BATCHES[1])
    assert is_infer_answer(sent[2], 3, [1, 2, 3])
    assert is_answer(sent[3], 4, 0x83, BATCHES[2])
    assert sent[4] == frame(5, 0x86, b"")


@pytest.mark.parametrize("seed", [None, 4])
@pytest.mark.parametrize("n_images", [0, 1, 4])
def test_an_answer_to_a_damaged_batch_is_too_short_and_the_error_follows(
    n_images: int, seed: int | None
) -> None:
    spoilt = (Reply.BATCH, Reply.DAMAGED)
    requests = [
        (1, spoilt, BATCHES[0][:n_images]),
        (2, Reply.INFER, [[1, 2, 3]]),
        (3, spoilt, BATCHES[3][:n_images]),
        (4, Reply.BATCH, BATCHES[1]),
    ]
    sent = send(INFO, requests, seed=seed)
    for place in (0, 3):
        # Without its CRC at least.
        assert len(sent[place]) <= 5 + 4 * INFO.answer_bytes
        assert sent[place + 1] == frame(1 + 2 * (place > 0), 0xFF, b"\1\0\0\0")
    assert is_infer_answer(sent[2], 2, [1, 2, 3])
    assert is_answer(sent[5], 4, 0x83, BATCHES[1])


@pytest.mark.parametrize("interval", [5, 60])
def test_a_benchmark_answers_the_cycles_of_its_images_after_the_warming_up(interval: int) -> None:
    images = [[5, 6, 7]] * (WARM_UP_IMAGES + BENCHMARK_IMAGES)
    requests = [
        (1, Reply.INFER, [[1, 2, 3]]),
        (2, Reply.BENCHMARK, images),
        (3, Reply.INFER, [[3, 2, 1]]),
    ]
    sent = send(INFO, requests, interval=interval)
    assert is_infer_answer(sent[0], 1, [1, 2, 3])
    cycles = BENCHMARK_IMAGES * interval
    assert sent[1] == frame(2, 0x84, cycles.to_bytes(4, "little"))
    assert is_infer_answer(sent[2], 3, [3, 2, 1])


def test_a_memory_of_another_kind_is_refused() -> None:
    layout = data.StructLayout({"score": signed(9), "label": 4, "last": 1})
    with pytest.raises(ValueError, match="must be 'block' or 'logic', not 'flash'"):
        PacketSender(INFO, layout, program_memory="flash")
