# amaranth: UnusedElaboratable=no
"""`rbonn.hw.packet`: every bit and every length of a request, without the line around it."""

import random
import struct
import zlib
from typing import Any

import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.packet import PacketReceiver, Reply
from rbonn.hw.protocol import Command

IMAGE_BYTES = 3
IMAGE = b"\x81\0\x7f"
Job = tuple[int, Reply, int]


def frame(
    sequence: int, command: int, payload: bytes = b"", *, version: int = 1, length=None
) -> bytes:
    n_bytes = len(payload) if length is None else length
    body = struct.pack("<BBBH", version, sequence, command, n_bytes) + payload
    return body + zlib.crc32(body).to_bytes(4, "little")


def infer(sequence: int, image: bytes = IMAGE) -> bytes:
    return frame(sequence, Command.INFER, image)


def receive(
    frames: list[bytes | tuple[bytes, bool]],
    *,
    seed: int | None = None,
    lost_in: tuple[int, ...] = (),
) -> tuple[list[Job], bytes, int]:
    """Jobs, bytes that went to the core, and restarts, of decoded frames, or (frame, damaged).

    With a seed, core and taker of jobs are ready at random. A byte is lost in each frame whose number is in `lost_in`.
    """
    receiver = PacketReceiver(IMAGE_BYTES)
    rng = random.Random(seed)
    jobs: list[Job] = []
    core = bytearray()
    restarts = 0

    async def feed(ctx: Any) -> None:
        for number, item in enumerate(frames):
            decoded, damaged = item if isinstance(item, tuple) else (item, False)
            ctx.set(receiver.lost, number in lost_in)
            for byte, end in [*((byte, 0) for byte in decoded), (0, 1)]:
                ctx.set(receiver.i.valid, 1)
                ctx.set(receiver.i.payload, {"byte": byte, "end": end, "damaged": end and damaged})
                await ctx.tick().until(receiver.i.ready)
                ctx.set(receiver.lost, 0)
            ctx.set(receiver.i.valid, 0)
        for _ in range(400):
            await ctx.tick()
            if len(jobs) == len(frames):
                return
        raise AssertionError(f"{len(jobs)} jobs of {len(frames)} frames")

    async def take(ctx: Any) -> None:
        nonlocal restarts
        job = receiver.o_job.payload
        sampled = ctx.tick().sample(
            receiver.o.valid, receiver.o.ready, receiver.o.payload,
            receiver.o_job.valid, receiver.o_job.ready, job.sequence, job.reply, job.image,
            receiver.restart,
        )  # fmt: skip
        async for (
            *_,
            valid,
            ready,
            byte,
            job_valid,
            job_ready,
            sequence,
            reply,
            image,
            restart,
        ) in sampled:
            if valid and ready:
                core.append(byte)
            if job_valid and job_ready:
                jobs.append((sequence, reply, image))
            restarts += restart
            ctx.set(receiver.o.ready, seed is None or rng.random() < 0.2)
            ctx.set(receiver.o_job.ready, seed is None or rng.random() < 0.1)

    simulator = Simulator(receiver)
    simulator.add_clock(1e-6)
    simulator.add_testbench(feed)
    simulator.add_process(take)
    simulator.run()
    return jobs, bytes(core), restarts


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_good_requests_become_jobs_and_images(seed: int | None) -> None:
    frames = [infer(1), frame(2, Command.INFO), infer(3, b"abc"), frame(4, Command.RESET), infer(5)]
    jobs, core, restarts = receive(frames, seed=seed)
    assert jobs == [
        (1, Reply.INFER, 1),
        (2, Reply.INFO, 0),
        (3, Reply.INFER, 1),
        (4, Reply.RESET, 0),
        (5, Reply.INFER, 1),
    ]
    assert core == IMAGE + b"abc" + IMAGE
    assert restarts == 1


def test_each_changed_bit_is_found_and_images_stay_whole() -> None:
    good = infer(9)
    flips = [(int.from_bytes(good) ^ 1 << bit).to_bytes(len(good)) for bit in range(8 * len(good))]
    jobs, core, restarts = receive([f for flip in flips for f in (flip, infer(7))])
    assert {reply for _, reply, _ in jobs[::2]} == {Reply.DAMAGED}
    assert jobs[1::2] == [(7, Reply.INFER, 1)] * len(flips)
    assert len(core) == IMAGE_BYTES * sum(image for *_, image in jobs)
    assert restarts == 0


@pytest.mark.parametrize("seed", [None, 5])
def test_a_frame_cut_at_any_byte_is_filled_with_zeros_and_refused(seed: int | None) -> None:
    good = infer(9, b"xyz")
    jobs, core, _ = receive([f for n in range(len(good)) for f in (good[:n], infer(7))], seed=seed)
    expected = b""
    for n in range(len(good)):
        (_, reply, image), after = jobs[2 * n : 2 * n + 2]
        # Nothing at all, five bytes and so on have no right CRC; an image is started by its first byte.
        assert (reply, image) == (Reply.DAMAGED, n > 5)
        assert after == (7, Reply.INFER, 1)
        expected += b"xyz"[: max(0, n - 5)].ljust(3, b"\0") if image else b""
        expected += IMAGE
    assert core == expected


def test_the_first_reason_counts() -> None:
    cases = [
        (frame(1, 0x77, b"x", version=9), Reply.BAD_VERSION, 0),
        (frame(2, 0x77, b"x"), Reply.UNKNOWN_COMMAND, 0),
        *((frame(3, reserved, IMAGE), Reply.UNKNOWN_COMMAND, 0) for reserved in (3, 4, 5, 7)),
        (frame(4, Command.INFO, b"x"), Reply.BAD_LENGTH, 0),
        (frame(5, Command.INFO, b"x", length=0), Reply.BAD_LENGTH, 0),
        (frame(6, Command.INFO, length=1), Reply.BAD_LENGTH, 0),
        (frame(7, Command.INFER, IMAGE + b"x"), Reply.BAD_LENGTH, 0),
        (frame(8, Command.INFER, IMAGE, length=IMAGE_BYTES + 256), Reply.BAD_LENGTH, 0),
        (frame(9, Command.INFER, IMAGE + b"xyz", length=3), Reply.BAD_LENGTH, 1),
        (frame(10, Command.INFER, b"x", length=3), Reply.BAD_LENGTH, 1),
        # Nothing, with its right CRC, is no frame; nor is part of a header.
        (bytes(4), Reply.BAD_LENGTH, 0),
        ((infer(11), True), Reply.DAMAGED, 1),
        ((frame(12, Command.RESET), True), Reply.DAMAGED, 0),
    ]
    jobs, _, restarts = receive([case for case, *_ in cases])
    assert [(reply, image) for _, reply, image in jobs] == [(r, image) for _, r, image in cases]
    assert [sequence for sequence, *_ in jobs][:3] == [1, 2, 3]
    assert restarts == 0


def test_a_lost_byte_is_told_of_only_with_a_damaged_frame_and_once() -> None:
    cut = infer(2)[:-1]
    jobs, *_ = receive([infer(1), cut, cut, infer(3), cut], lost_in=(0, 3))
    assert [reply for _, reply, _ in jobs] == [
        Reply.INFER,
        Reply.OVERRUN,
        Reply.DAMAGED,
        Reply.INFER,
        Reply.OVERRUN,
    ]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.binary(max_size=20) | st.just(infer(3)), max_size=6), st.integers(0, 99))
def test_after_anything_the_next_request_is_right(noise: list[bytes], seed: int) -> None:
    jobs, core, _ = receive([*noise, infer(200, b"end")], seed=seed)
    assert jobs[-1] == (200, Reply.INFER, 1)
    assert core[-3:] == b"end"
    assert len(core) == IMAGE_BYTES * sum(image for *_, image in jobs)


@pytest.mark.parametrize("image_bytes", [0, 65536])
def test_an_image_that_no_frame_holds_is_refused(image_bytes: int) -> None:
    with pytest.raises(ValueError, match=f"must be 1 to 65535, not {image_bytes}"):
        PacketReceiver(image_bytes)
