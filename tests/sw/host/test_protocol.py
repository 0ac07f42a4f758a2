"""`rbonn.sw.host.protocol`: frames as docs/protocol.md has them."""

import zlib

import numpy as np
import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st
from rbonn.sw.host.protocol import (
    Answer,
    Command,
    Frame,
    FrameError,
    FrameReader,
    decode_answer,
    decode_frame,
    encode_answer,
    encode_frame,
)

frames = st.builds(
    Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=600) | st.just(b"\0" * 300)
)


def line(decoded: bytes) -> bytes:
    return cobs.encode(decoded + zlib.crc32(decoded).to_bytes(4, "little"))


def test_a_frame_is_these_bytes() -> None:
    # version, sequence, command, length and a payload of two bytes; CRC-32 by zlib's command line
    decoded = bytes([2, 9, 2, 2, 0, 0xAB, 0])
    crc = zlib.crc32(decoded).to_bytes(4, "little")
    assert 0 not in crc
    expected = bytes([5, 2, 9, 2, 2, 2, 0xAB, 5]) + crc + b"\0"
    assert encode_frame(Frame(9, Command.INFER, b"\xab\0")) == expected


@given(st.lists(frames, max_size=4), st.integers(1, 50))
def test_frames_come_back_from_a_line_cut_anywhere(sent: list[Frame], piece: int) -> None:
    encoded = b"\0" + b"".join(map(encode_frame, sent))
    reader = FrameReader()
    received = [
        frame
        for start in range(0, len(encoded), piece)
        for frame in reader.feed(encoded[start : start + piece])
    ]
    assert received == sent
    assert reader.damaged == 0


@given(frames, st.data())
def test_damage_of_up_to_three_bits_of_the_decoded_frame_is_found(
    frame: Frame, drawn: st.DataObject
) -> None:
    decoded = bytearray(cobs.decode(encode_frame(frame)[:-1]))
    bits = drawn.draw(
        st.lists(st.integers(0, 8 * len(decoded) - 1), min_size=1, max_size=3, unique=True)
    )
    for bit in bits:
        decoded[bit // 8] ^= 1 << bit % 8
    with pytest.raises(FrameError, match="CRC must be"):
        decode_frame(cobs.encode(bytes(decoded)))


@given(frames, st.integers(0, 700))
def test_a_frame_cut_short_is_found(frame: Frame, n_bytes: int) -> None:
    encoded = encode_frame(frame)[:-1]
    with pytest.raises(FrameError):
        decode_frame(encoded[: min(n_bytes, len(encoded) - 1)])


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        (b"\x05ab", "must be COBS-encoded"),
        (b"\x01", "must be at least 9 bytes, not 0"),
        (line(bytes([1, 0, 1, 0, 0])), "version must be 2, not 1"),
        (line(bytes([2, 0, 1, 1, 0])), "length must be 0, not 1"),
        (line(bytes([2, 0, 1, 0, 0, 9])), "length must be 1, not 0"),
    ],
)
def test_what_is_no_frame_is_refused(encoded: bytes, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        decode_frame(encoded)


def test_the_reader_counts_damage_and_goes_on() -> None:
    good = encode_frame(Frame(1, 2, b"x"))
    reader = FrameReader()
    assert list(reader.feed(b"\x03ab\0" + good + b"\0\0" + good[:4])) == [Frame(1, 2, b"x")]
    assert reader.damaged == 1
    assert list(reader.feed(b"\0" + good)) == [Frame(1, 2, b"x")]
    assert reader.damaged == 2
    list(reader.feed(good[:4]))
    reader.clear()
    assert list(reader.feed(good)) == [Frame(1, 2, b"x")]


@pytest.mark.parametrize("frame", [Frame(256, 1), Frame(0, -1), Frame(0, 0, bytes(65536))])
def test_fields_that_do_not_fit_are_refused(frame: Frame) -> None:
    with pytest.raises(ValueError, match="must fit their bytes"):
        encode_frame(frame)


def test_an_answer_is_scores_label_cycles() -> None:
    answer = Answer(1, np.array([-1, 2**31 - 1, -(2**31)], np.int32), 0xDEADBEEF)
    payload = encode_answer(answer)
    assert payload.hex() == "ffffffff" + "ffffff7f" + "00000080" + "01000000" + "efbeadde"
    back = decode_answer(payload, 3)
    assert (back.label, back.scores.tolist(), back.cycles) == (
        1,
        answer.scores.tolist(),
        answer.cycles,
    )
    with pytest.raises(FrameError, match="Answer must be 24 bytes, not 20"):
        decode_answer(payload, 4)
    with pytest.raises(FrameError, match="Label must be 0 to 2, not 3"):
        decode_answer(payload[:12] + b"\3\0\0\0" + payload[16:], 3)
