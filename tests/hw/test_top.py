# amaranth: UnusedElaboratable=no
"""`rbonn.hw.top`: the whole top level through the bits of its line, driven by the host library's own encoder and decoder."""

import random
import struct
import zlib
from itertools import pairwise

import pytest
from amaranth.hdl import signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.protocol import (
    BENCHMARK_IMAGES,
    VERSION,
    WARM_UP_IMAGES,
    Command,
    ErrorCode,
    Info,
)
from rbonn.hw.top import Top, TopConfig
from rbonn.hw.trace import TraceConfig
from rbonn.sw.host.protocol import ANSWER, ERROR, Frame, decode_answer, encode_frame

from .serial_bench import (
    DIVISOR,
    IMAGE_BYTES,
    INFO,
    N_CLASSES,
    SCORE_BITS,
    Bench,
    error,
    infer,
    is_answer,
    scores_of,
)

IMAGE = bytes([1, 0, 255, 7, 0, 200])
OTHER = bytes([9, 8, 0, 0, 0, 1])


def encoded(decoded: bytes) -> bytes:
    return cobs.encode(decoded) + b"\0"


def with_crc(body: bytes) -> bytes:
    return body + zlib.crc32(body).to_bytes(4, "little")


def decoded_infer(sequence: int, image: bytes) -> bytes:
    return cobs.decode(infer(sequence, image)[:-1])


def test_info_tells_what_the_config_says() -> None:
    bench = Bench()
    (frame,) = bench.run([encode_frame(Frame(77, Command.INFO))])
    assert (frame.sequence, frame.command) == (77, Command.INFO + ANSWER)
    assert Info.decode(frame.payload) == INFO
    assert bench.reader.damaged == 0


@pytest.mark.parametrize("pause", [0, 7, 90])
def test_infer_gives_scores_label_and_cycles(pause: int) -> None:
    bench = Bench(pause, watched=True)
    frames = bench.run([infer(3, IMAGE), "answer", infer(4, OTHER)])
    assert len(frames) == 2
    assert is_answer(frames[0], 3, IMAGE)
    assert is_answer(frames[1], 4, OTHER)
    for frame, (first, last) in zip(frames, bench.image_cycles(), strict=True):
        assert decode_answer(frame.payload, N_CLASSES).cycles == last - first


def test_requests_sent_ahead_are_answered_in_order() -> None:
    bench = Bench(receive_buffer_bytes=256)
    images = [bytes([k, 0, 3 * k, 255 - k, 0, k]) for k in range(8)]
    frames = bench.run([b"".join(infer(k, image) for k, image in enumerate(images))])
    assert len(frames) == 8
    assert all(
        is_answer(f, k, image) for k, (f, image) in enumerate(zip(frames, images, strict=True))
    )


def test_a_slow_core_is_waited_for() -> None:
    # 90 cycles a byte; a byte takes 40 on the line.
    bench = Bench(pause=90, receive_buffer_bytes=64)
    frames = bench.run([infer(1, IMAGE) + infer(2, OTHER)])
    assert [is_answer(*x) for x in zip(frames, (1, 2), (IMAGE, OTHER), strict=True)] == [True, True]


def test_every_kind_of_wrong_frame_gets_its_code_and_the_next_request_is_right() -> None:
    wrong = [
        (Frame(1, Command.INFER, IMAGE, version=1), ErrorCode.BAD_VERSION),
        (Frame(2, 0xFF, IMAGE, version=0), ErrorCode.BAD_VERSION),
        (Frame(3, 0), ErrorCode.UNKNOWN_COMMAND),
        (Frame(4, Command.LOAD, IMAGE), ErrorCode.UNKNOWN_COMMAND),
        (Frame(4, Command.TRACE), ErrorCode.UNKNOWN_COMMAND),
        (Frame(4, Command.BATCH, IMAGE), ErrorCode.BAD_LENGTH),
        (Frame(4, Command.BENCHMARK, IMAGE), ErrorCode.BAD_LENGTH),
        (Frame(5, Command.INFER + ANSWER, IMAGE), ErrorCode.UNKNOWN_COMMAND),
        (Frame(6, Command.INFER, IMAGE[:-1]), ErrorCode.BAD_LENGTH),
        (Frame(7, Command.INFER, IMAGE + b"\1"), ErrorCode.BAD_LENGTH),
        (Frame(8, Command.INFER), ErrorCode.BAD_LENGTH),
        (Frame(9, Command.INFO, b"\0"), ErrorCode.BAD_LENGTH),
        (Frame(10, Command.RESET, IMAGE), ErrorCode.BAD_LENGTH),
        (Frame(11, Command.INFER, bytes(IMAGE_BYTES + 256)), ErrorCode.BAD_LENGTH),
    ]
    bench = Bench()
    pieces = [piece for frame, _ in wrong for piece in (encode_frame(frame), infer(99, IMAGE))]
    frames = bench.run(pieces)
    assert frames[::2] == [error(frame.sequence, code) for frame, code in wrong]
    assert all(is_answer(frame, 99, IMAGE) for frame in frames[1::2])
    assert bench.core_bytes == len(wrong) * IMAGE_BYTES


@pytest.mark.parametrize("n_bytes", [0, 1, IMAGE_BYTES - 1, IMAGE_BYTES + 1, 20])
def test_a_frame_whose_length_field_lies_is_refused_and_nothing_but_images_enters_the_core(
    n_bytes: int,
) -> None:
    body = struct.pack("<BBBH", VERSION, 9, Command.INFER, IMAGE_BYTES) + bytes(
        range(1, n_bytes + 1)
    )
    bench = Bench()
    frames = bench.run([encoded(with_crc(body)), infer(10, IMAGE)])
    assert frames[0] == error(9, ErrorCode.BAD_LENGTH)
    assert is_answer(frames[1], 10, IMAGE)
    # Of an image of no byte none is started; the CRC's bytes are not told from an image's.
    assert bench.core_bytes == 2 * IMAGE_BYTES


def test_changed_bits_of_a_frame_are_found_and_the_next_request_is_right() -> None:
    good = decoded_infer(5, IMAGE)
    flips = [
        (int.from_bytes(good) ^ 1 << bit).to_bytes(len(good)) for bit in range(2, 8 * len(good), 17)
    ]
    bench = Bench()
    pieces = [p for flip in flips for p in (encoded(flip), "answer", infer(6, OTHER), "answer")]
    frames = bench.run(pieces)
    assert [f.payload for f in frames[::2]] == [error(5, ErrorCode.DAMAGED).payload] * len(flips)
    assert all(frame.command == ERROR for frame in frames[::2])
    assert all(is_answer(frame, 6, OTHER) for frame in frames[1::2])
    assert bench.core_bytes % IMAGE_BYTES == 0


def test_a_frame_cut_at_any_byte_is_refused_and_the_next_request_is_right() -> None:
    line = infer(5, IMAGE)
    cuts = [line[:n] + b"\0" for n in (1, 4, 6, 7, 10, len(line) - 6, len(line) - 2)]
    bench = Bench()
    frames = bench.run(
        [piece for cut in cuts for piece in (cut, "answer", infer(6, OTHER), "answer")]
    )
    assert all(f.command == ERROR for f in frames[::2])
    assert all(f.payload == error(0, ErrorCode.DAMAGED).payload for f in frames[::2])
    assert all(is_answer(frame, 6, OTHER) for frame in frames[1::2])
    assert len(frames) == 2 * len(cuts)
    assert bench.core_bytes % IMAGE_BYTES == 0


def test_earlier_images_are_unaffected_by_a_damaged_frame_behind_them() -> None:
    damaged = bytearray(infer(2, OTHER))
    damaged[9] ^= 0x10
    # The damaged frame comes while the core is at work on the first image.
    bench = Bench(pause=60, receive_buffer_bytes=128)
    frames = bench.run([infer(1, IMAGE) + bytes(damaged) + infer(3, OTHER)])
    assert is_answer(frames[0], 1, IMAGE)
    assert frames[1] == error(2, ErrorCode.DAMAGED)
    assert is_answer(frames[2], 3, OTHER)


def test_noise_between_frames_costs_no_more_than_an_error() -> None:
    rng = random.Random(4)
    pieces: list[bytes | int | str] = []
    for k in range(6):
        noise = bytes(rng.choices(range(256), k=rng.randrange(1, 25)))
        pieces += [noise + b"\0", infer(k, IMAGE), "answer", 300]
    bench = Bench(receive_buffer_bytes=256)
    frames = bench.run(pieces)
    answers = [frame for frame in frames if frame.command != ERROR]
    assert len(answers) == 6
    assert all(is_answer(frame, k, IMAGE) for k, frame in enumerate(answers))
    assert bench.core_bytes % IMAGE_BYTES == 0


BATCH = [IMAGE, OTHER, bytes(6), b"\xff" * 6]


def batch(sequence: int) -> bytes:
    return encode_frame(Frame(sequence, Command.BATCH, b"".join(BATCH)))


def is_batch_answer(frame: Frame, sequence: int) -> bool:
    """Whether it is `BATCH`'s."""
    if (frame.sequence, frame.command) != (sequence, Command.BATCH + ANSWER):
        return False
    size = INFO.answer_bytes
    parts = [frame.payload[k * size : (k + 1) * size] for k in range(len(BATCH))]
    return len(frame.payload) == len(BATCH) * size and all(
        is_answer(Frame(0, Command.INFER + ANSWER, part), 0, image)
        for part, image in zip(parts, BATCH, strict=True)
    )


@pytest.mark.parametrize("pause", [0, 30])
def test_a_batch_is_answered_by_one_frame(pause: int) -> None:
    bench = Bench(pause, receive_buffer_bytes=512)
    frames = bench.run([batch(1) + infer(2, OTHER) + batch(3)])
    assert is_batch_answer(frames[0], 1)
    assert is_answer(frames[1], 2, OTHER)
    assert is_batch_answer(frames[2], 3)
    assert len(frames) == 3
    assert bench.reader.damaged == 0


def test_of_a_damaged_batch_no_answer_is_believed_and_the_next_request_is_right() -> None:
    good = cobs.decode(batch(5)[:-1])
    flips = [
        (int.from_bytes(good) ^ 1 << bit).to_bytes(len(good)) for bit in range(3, 8 * len(good), 71)
    ]
    cuts = [batch(5)[:n] + b"\0" for n in range(6, len(good), 11)]
    bench = Bench()
    pieces = [
        p
        for bad in [*map(encoded, flips), *cuts]
        for p in (bad, "answer", infer(6, OTHER), "answer")
    ]
    frames = bench.run(pieces)
    assert len(frames) == 2 * (len(flips) + len(cuts))
    assert all(f.payload == error(5, ErrorCode.DAMAGED).payload for f in frames[::2])
    assert all(frame.command == ERROR for frame in frames[::2])
    assert all(is_answer(frame, 6, OTHER) for frame in frames[1::2])
    assert bench.core_bytes % IMAGE_BYTES == 0
    # Answers had begun, and were broken off.
    assert bench.reader.damaged > 0


@pytest.mark.parametrize("pause", [0, 8])
def test_a_benchmark_counts_the_cycles_of_the_core_without_the_line(pause: int) -> None:
    bench = Bench(pause, watched=True)
    frames = bench.run(
        [encode_frame(Frame(4, Command.BENCHMARK)), "answer", infer(1, IMAGE)], idle_bytes=400
    )
    assert (frames[0].sequence, frames[0].command) == (4, Command.BENCHMARK + ANSWER)
    lasts = [cycle for event, cycle in bench.handshakes if event == "last"]
    ends = [cycle for cycle, after in pairwise(lasts) if after != cycle + 1]
    first, last = ends[WARM_UP_IMAGES - 1], ends[WARM_UP_IMAGES + BENCHMARK_IMAGES - 1]
    assert int.from_bytes(frames[0].payload, "little") == last - first
    assert is_answer(frames[1], 1, IMAGE)
    assert bench.core_bytes == (WARM_UP_IMAGES + BENCHMARK_IMAGES + 1) * IMAGE_BYTES


TAKEN = TraceConfig("taken", 8, IMAGE_BYTES)
GIVEN = TraceConfig("given", SCORE_BITS, N_CLASSES)


def given_bytes(image: bytes) -> bytes:
    return b"".join((score % 2**SCORE_BITS).to_bytes(2, "little") for score in scores_of(image))


@pytest.mark.parametrize("traces", [(TAKEN,), (GIVEN, TAKEN)])
def test_a_trace_is_what_crossed_its_edges_with_the_last_image(
    traces: tuple[TraceConfig, ...],
) -> None:
    def expected(image: bytes) -> bytes:
        return b"".join(image if trace is TAKEN else given_bytes(image) for trace in traces)

    trace = encode_frame(Frame(2, Command.TRACE))
    reset = encode_frame(Frame(3, Command.RESET))
    bench = Bench(traces=traces, receive_buffer_bytes=128)
    frames = bench.run(
        [
            *(infer(1, IMAGE), trace, 1500),
            *(infer(1, OTHER)[:9] + b"\0", infer(1, OTHER), trace, trace, 2500),
            # An image that is dropped in its middle leaves nothing behind.
            *(infer(1, IMAGE)[:10], "break", reset, infer(1, OTHER), infer(1, IMAGE), trace),
        ]
    )
    answers = [frame.payload for frame in frames if frame.command == Command.TRACE + ANSWER]
    assert answers == [expected(IMAGE), expected(OTHER), expected(OTHER), expected(IMAGE)]


def test_delimiters_in_a_row_are_ignored() -> None:
    bench = Bench()
    (frame,) = bench.run([b"\0\0\0", infer(1, IMAGE), b"\0\0"])
    assert is_answer(frame, 1, IMAGE)


def test_reset_drops_the_image_in_the_core_and_is_answered() -> None:
    bench = Bench(pause=200, receive_buffer_bytes=128)
    # The second image waits in the buffer when the first is done; RESET is behind both.
    frames = bench.run([infer(1, IMAGE), encode_frame(Frame(2, Command.RESET)), infer(3, OTHER)])
    assert frames[0] == Frame(2, Command.RESET + ANSWER)
    assert is_answer(frames[1], 3, OTHER)
    assert len(frames) == 2


@pytest.mark.parametrize("wait_bits", range(0, 700, 233))
def test_reset_in_the_middle_of_an_answer_is_answered_after_a_delimiter(wait_bits: int) -> None:
    bench = Bench()
    reset = encode_frame(Frame(2, Command.RESET))
    frames = bench.run([encode_frame(Frame(1, Command.INFO)), wait_bits, reset, infer(3, OTHER)])
    assert Frame(2, Command.RESET + ANSWER) in frames
    assert is_answer(frames[-1], 3, OTHER)


@pytest.mark.parametrize("sent_bytes", [0, 3, 7, 11, 15])
def test_a_break_puts_link_and_core_at_their_start_wherever_they_are(sent_bytes: int) -> None:
    bench = Bench(pause=50)
    frames = bench.run(
        [infer(1, IMAGE)[:sent_bytes], "break", infer(2, OTHER), "answer", infer(3, IMAGE)]
    )
    assert [is_answer(*x) for x in zip(frames, (2, 3), (OTHER, IMAGE), strict=True)] == [True, True]


@pytest.mark.parametrize("sent_bytes", [7, 20, 40])
def test_a_break_within_a_batch_leaves_nothing_of_it(sent_bytes: int) -> None:
    bench = Bench(pause=10)
    frames = bench.run([batch(1)[:sent_bytes], "break", infer(2, OTHER), "answer", batch(3)])
    assert is_answer(frames[0], 2, OTHER)
    assert is_batch_answer(frames[1], 3)


def test_bytes_lost_in_a_full_buffer_are_reported_as_an_overrun() -> None:
    bench = Bench(pause=400, receive_buffer_bytes=4)
    # The delimiter is among what is lost, so another one has to end the frame.
    frames = bench.run([infer(1, IMAGE), 900, b"\0", "answer", b"\5ab\0"])
    assert frames[0] == error(1, ErrorCode.OVERRUN)
    assert frames[1].payload == error(0, ErrorCode.DAMAGED).payload
    assert len(frames) == 2


@settings(max_examples=5, deadline=None, derandomize=True)
@given(st.data())
def test_whatever_happens_to_the_line_no_answer_is_wrong_and_the_last_request_is_answered(
    drawn: st.DataObject,
) -> None:
    line = bytearray(b"".join(infer(k, bytes([k] * IMAGE_BYTES)) for k in range(3)))
    for _ in range(drawn.draw(st.integers(1, 4))):
        place = drawn.draw(st.integers(0, len(line) - 1))
        what = drawn.draw(st.sampled_from(["flip", "drop", "insert", "repeat"]))
        if what == "flip":
            line[place] ^= 1 << drawn.draw(st.integers(0, 7))
        elif what == "drop":
            del line[place : place + drawn.draw(st.integers(1, 20))]
        elif what == "insert":
            line[place:place] = drawn.draw(st.binary(min_size=1, max_size=10))
        else:
            line[place:place] = line[place : place + 12]
    bench = Bench(pause=drawn.draw(st.sampled_from([0, 35])), receive_buffer_bytes=256)
    frames = bench.run([bytes(line) + b"\0", infer(200, IMAGE)])
    for frame in frames[:-1]:
        if frame.command != ERROR:
            assert is_answer(frame, frame.sequence, bytes([frame.sequence] * IMAGE_BYTES))
    assert is_answer(frames[-1], 200, IMAGE)
    assert bench.core_bytes % IMAGE_BYTES == 0


def core(score_bits: int = 11, input_bits: int = 8, label_bits: int = 2) -> wiring.Component:
    score = data.StructLayout({"score": signed(score_bits), "label": label_bits, "last": 1})
    ports = {"i": In(stream.Signature(input_bits)), "o": Out(stream.Signature(score))}
    return wiring.Component(ports)


@pytest.mark.parametrize(
    ("wrong_core", "message"),
    [
        (core(score_bits=12), r"Core score must be signed\(11\) as INFO says, not signed\(12\)"),
        (core(input_bits=9), r"Core input must be unsigned\(8\), not"),
        (core(label_bits=33), r"Core label must be at most 32 bits, not"),
    ],
)
def test_a_core_of_another_shape_is_refused(wrong_core: wiring.Component, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Top(TopConfig(INFO, INFO.clock_hz // DIVISOR), wrong_core)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"traces": (TAKEN,)}, "Traces must be 0 bytes as INFO says, not 6"),
        ({"program_memory": "spram"}, "must be 'block' or 'logic', not 'spram'"),
        ({"baud": 3_000_000}, "baud must be at most clock_hz / 4"),
    ],
)
def test_a_link_that_cannot_be_built_is_refused(parameters: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TopConfig(INFO, **{"baud": 1_000_000, **parameters})
