# amaranth: UnusedElaboratable=no
"""`rbonn.hw.packet`: every bit and every length of a request, without the line around it."""

import random
import struct
import zlib
from dataclasses import replace
from typing import Any

import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.packet import PacketReceiver, Reply
from rbonn.hw.pattern import pattern
from rbonn.hw.protocol import BENCHMARK_IMAGES, VERSION, WARM_UP_IMAGES, Command, ElementKind, Info

IMAGE_BYTES = 3
IMAGE = b"\x81\0\x7f"
BATCH_IMAGES = 4
BATCH = bytes(range(1, 13))
INFO = Info(
    name="",
    design_hash=bytes(8),
    weights_hash=bytes(8),
    element_kind=ElementKind.UNSIGNED,
    element_bits=8,
    shape=(1, IMAGE_BYTES, 1),
    n_classes=2,
    score_bits=8,
    clock_hz=1_000_000,
    interval_cycles=3,
    batch_images=BATCH_IMAGES,
    benchmark=True,
)
Job = tuple[int, Reply, int]


def frame(
    sequence: int, command: int, payload: bytes = b"", *, version: int = VERSION, length=None
) -> bytes:
    n_bytes = len(payload) if length is None else length
    body = struct.pack("<BBBH", version, sequence, command, n_bytes) + payload
    return body + zlib.crc32(body).to_bytes(4, "little")


def infer(sequence: int, image: bytes = IMAGE) -> bytes:
    return frame(sequence, Command.INFER, image)


def receive(
    frames: list[bytes | tuple[bytes, bool]],
    *,
    info: Info = INFO,
    seed: int | None = None,
    lost_in: tuple[int, ...] = (),
    n_jobs: int | None = None,
) -> tuple[list[Job], bytes, int]:
    """Jobs with the images begun since the one before, bytes that went to the core, and restarts, of decoded frames, or (frame, damaged).

    With a seed, core and taker of jobs are ready at random. A byte is lost in each frame whose number is in `lost_in`.
    """
    receiver = PacketReceiver(info)
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
        for _ in range(4000):
            await ctx.tick()
            if len(jobs) == (len(frames) if n_jobs is None else n_jobs):
                return
        raise AssertionError(f"{len(jobs)} jobs of {len(frames)} frames")

    async def take(ctx: Any) -> None:
        nonlocal restarts
        images = 0
        full = False
        job = receiver.o_job.payload
        sampled = ctx.tick().sample(
            receiver.o.valid, receiver.o.ready, receiver.o.payload,
            receiver.o_job.valid, receiver.o_job.ready, job.sequence, job.reply,
            receiver.started, receiver.restart,
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
            started,
            restart,
        ) in sampled:
            assert not (started and full), "an image was begun while the core was full"
            if started:
                images += 1
                assert len(core) % IMAGE_BYTES == 0
            if valid and ready:
                core.append(byte)
            if job_valid and job_ready:
                jobs.append((sequence, reply, images))
                images = 0
            restarts += restart
            full = seed is not None and rng.random() < 0.3
            ctx.set(receiver.full, full)
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
    assert len(core) == IMAGE_BYTES * sum(images for *_, images in jobs)
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
        *((frame(3, reserved, IMAGE), Reply.UNKNOWN_COMMAND, 0) for reserved in (0, 5, 7, 0x82)),
        (frame(3, Command.BATCH, IMAGE), Reply.BAD_LENGTH, 0),
        (frame(3, Command.BENCHMARK, IMAGE), Reply.BAD_LENGTH, 0),
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


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_a_batch_has_a_job_before_its_images_and_one_after_its_check(seed: int | None) -> None:
    frames = [frame(1, Command.BATCH, BATCH), infer(2), frame(3, Command.BATCH, BATCH[::-1])]
    jobs, core, _ = receive(frames, seed=seed, n_jobs=5)
    assert jobs == [
        (1, Reply.BATCH, 0),
        (1, Reply.BATCH, BATCH_IMAGES),
        (2, Reply.INFER, 1),
        (3, Reply.BATCH, 0),
        (3, Reply.BATCH, BATCH_IMAGES),
    ]
    assert core == BATCH + IMAGE + BATCH[::-1]


@pytest.mark.parametrize("seed", [None, 6])
def test_a_batch_cut_at_any_byte_completes_the_image_that_it_has_begun_and_no_other(
    seed: int | None,
) -> None:
    good = frame(9, Command.BATCH, BATCH)
    for n in range(5, len(good), 2):
        jobs, core, _ = receive([good[:n], infer(7)], seed=seed, n_jobs=3)
        taken = BATCH[: n - 5] + good[5 + len(BATCH) : n] if n - 5 > len(BATCH) else BATCH[: n - 5]
        taken = taken[: len(BATCH)]
        begun = -(-len(taken) // IMAGE_BYTES)
        assert jobs == [(9, Reply.BATCH, 0), (9, Reply.DAMAGED, begun), (7, Reply.INFER, 1)]
        assert core == taken.ljust(IMAGE_BYTES * begun, b"\0") + IMAGE


def test_each_changed_bit_of_a_batch_is_found_and_images_stay_whole() -> None:
    good = frame(9, Command.BATCH, BATCH)
    for bit in range(0, 8 * len(good), 11):
        flipped = (int.from_bytes(good) ^ 1 << bit).to_bytes(len(good))
        header_is_right = flipped[0] == good[0] and flipped[2:5] == good[2:5]
        jobs, core, _ = receive([flipped, infer(7)], n_jobs=2 + header_is_right)
        assert jobs[-2][1] == Reply.DAMAGED
        assert jobs[-1] == (7, Reply.INFER, 1)
        assert len(core) == IMAGE_BYTES * sum(images for *_, images in jobs)


@pytest.mark.parametrize("seed", [None, 3])
def test_a_benchmark_feeds_the_pattern_between_two_jobs_at_a_byte_per_cycle(
    seed: int | None,
) -> None:
    frames = [infer(1), frame(2, Command.BENCHMARK), infer(3), frame(4, Command.BENCHMARK)]
    jobs, core, _ = receive(frames, seed=seed, n_jobs=6)
    images = WARM_UP_IMAGES + BENCHMARK_IMAGES
    assert jobs == [
        (1, Reply.INFER, 1),
        (2, Reply.BENCHMARK, 0),
        (2, Reply.BENCHMARK, images),
        (3, Reply.INFER, 1),
        (4, Reply.BENCHMARK, 0),
        (4, Reply.BENCHMARK, images),
    ]
    fed = pattern(images * IMAGE_BYTES)
    assert core == IMAGE + fed + IMAGE + fed
    assert len(set(pattern(255))) == 255


def test_commands_that_the_board_does_not_have_are_unknown() -> None:
    plain = replace(INFO, batch_images=0, benchmark=False)
    frames = [frame(1, Command.BATCH, BATCH), frame(2, Command.BENCHMARK), infer(3)]
    jobs, core, _ = receive(frames, info=plain)
    unknown = Reply.UNKNOWN_COMMAND
    assert jobs == [(1, unknown, 0), (2, unknown, 0), (3, Reply.INFER, 1)]
    assert core == IMAGE
