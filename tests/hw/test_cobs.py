"""`rbonn.hw.cobs`: equal to the `cobs` package, on frames of any bytes and length."""

import random

import pytest
from cobs import cobs
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rbonn.hw.cobs import CobsDecoder, CobsEncoder

from .stream_driver import Stalls, capacity, drive

END, DAMAGED = 1 << 8, 1 << 9
FRAMES = [
    b"\0",
    b"\0\0",
    b"a",
    b"a\0",
    b"\0a",
    b"ab\0\0cd",
    b"x" * 253,
    b"x" * 254,
    b"x" * 255,
    b"x" * 254 + b"\0",
    b"x" * 253 + b"\0" + b"y" * 300,
    b"\0" + b"x" * 254 + b"\0" + b"y" * 254,
    bytes(range(256)) * 3,
]
STALLS = [None, Stalls(seed=1), Stalls(seed=2, names=("o",), longest_wait=12)]
# Bytes of which runs, zeros and whole blocks occur.
frame_bytes = st.one_of(
    st.binary(min_size=1, max_size=40),
    st.lists(st.sampled_from([0, 1, 255]), min_size=1, max_size=20).map(bytes),
    st.builds(lambda n, tail: b"q" * n + tail, st.integers(250, 260), st.binary(max_size=5)),
)


def encode(frames: list[bytes], stalls: Stalls | None = None) -> bytes:
    items = [item for frame in frames for item in [*frame, END]]
    expected = sum(len(cobs.encode(frame)) + 1 for frame in frames)
    run = drive(CobsEncoder(), items, n_outputs=1 + expected, stalls=stalls, idle_limit=400)
    return bytes(run.outputs)


def decode(line: bytes, n_outputs: int, stalls: Stalls | None = None) -> list[int]:
    run = drive(CobsDecoder(), line, n_outputs=n_outputs, stalls=stalls, idle_limit=400)
    # `damaged` has a meaning only at the end of a frame.
    return [item if item & END else item & 0xFF for item in run.outputs]


@pytest.mark.parametrize("stalls", STALLS)
def test_encoder_gives_a_delimiter_and_then_what_the_package_gives(stalls: Stalls | None) -> None:
    assert encode(FRAMES, stalls) == b"\0" + b"".join(cobs.encode(f) + b"\0" for f in FRAMES)


@pytest.mark.parametrize("stalls", STALLS)
def test_decoder_gives_the_bytes_and_ends_of_what_the_package_encoded(
    stalls: Stalls | None,
) -> None:
    expected = [item for frame in FRAMES for item in [*frame, END]]
    line = b"\0\0" + b"".join(cobs.encode(f) + b"\0" for f in FRAMES) + b"\0"
    assert decode(line, len(expected), stalls) == expected


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.lists(frame_bytes, min_size=1, max_size=4), st.integers(0, 99))
@example([b"x" * 254, b"\0"], 0)
def test_encoder_and_decoder_equal_the_package(frames: list[bytes], seed: int) -> None:
    line = b"".join(cobs.encode(frame) + b"\0" for frame in frames)
    assert encode(frames, Stalls(seed=seed)) == b"\0" + line
    expected = [item for frame in frames for item in [*frame, END]]
    assert decode(line, len(expected), Stalls(seed=seed)) == expected


def test_encoder_holds_one_block_and_then_waits_for_its_output() -> None:
    assert capacity(CobsEncoder(), [7] * 600) == 254


def test_decoder_marks_a_frame_that_ends_inside_a_block() -> None:
    line = b"\x04ab\0" + b"\x03ab\0" + b"\x01\x05abc\0" + b"\x02\0"
    expected = [
        *b"ab", END | DAMAGED,
        *b"ab", END,
        0, *b"abc", END | DAMAGED,
        END | DAMAGED,
    ]  # fmt: skip
    assert decode(line, len(expected)) == expected


def test_decoder_takes_a_byte_per_two_cycles_and_gives_it_in_the_second() -> None:
    line = b"".join(cobs.encode(f) + b"\0" for f in FRAMES)
    n_outputs = sum(len(f) + 1 for f in FRAMES)
    run = drive(CobsDecoder(), line, n_outputs=n_outputs)
    assert run.input_cycles["i"] == [2 * k + 1 for k in range(len(line))]
    assert run.output_cycles[-1] == run.input_cycles["i"][-1]


def test_encoder_takes_a_byte_per_two_cycles_and_starts_three_after_a_block_is_complete() -> None:
    frame = bytes(random.Random(1).choices(range(1, 256), k=200))
    run = drive(CobsEncoder(), [*frame, END], n_outputs=203)
    accepted = run.input_cycles["i"]
    assert accepted[-1] - accepted[0] == 2 * 200
    assert run.output_cycles[1] - accepted[-1] == 3
    assert run.output_cycles[201] - run.output_cycles[1] == 2 * 200
