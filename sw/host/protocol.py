"""Frames of the link as bytes, docs/protocol.md: pure functions, used by the host library and by the simulation alike."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from cobs import cobs

from ...hw.protocol import (
    ANSWER,
    CRC_BYTES,
    ERROR,
    HEADER_BYTES,
    INFER_TAIL_BYTES,
    VERSION,
    Command,
    ElementKind,
    ErrorCode,
    Info,
)

__all__ = [
    "ANSWER",
    "DELIMITER",
    "ERROR",
    "Answer",
    "Command",
    "ElementKind",
    "ErrorCode",
    "Frame",
    "FrameError",
    "FrameReader",
    "Info",
    "decode_answer",
    "decode_frame",
    "encode_answer",
    "encode_frame",
]

DELIMITER = b"\0"
_HEADER = struct.Struct("<BBBH")
_CRC = struct.Struct("<I")
_TAIL = struct.Struct("<II")


class FrameError(ValueError):
    """Bytes that are no intact frame of this version."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A request or an answer.

    Parameters
    ----------
    sequence : int - 0 to 255
    command : int - 0 to 255, a `Command`, in answers plus `ANSWER`, or `ERROR`
    payload : bytes - at most 65535
    version : int - 0 to 255
    """

    sequence: int
    command: int
    payload: bytes = b""
    version: int = VERSION


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a board says about one image.

    Parameters
    ----------
    label : int - index of the class with the highest score
    scores : np.ndarray - (n_classes,) int32
    cycles : int - clock cycles from the image's first byte in the core to its last score
    """

    label: int
    scores: np.ndarray
    cycles: int


def encode_frame(frame: Frame) -> bytes:
    """The bytes on the line, delimiter included.

    Raises
    ------
    ValueError - a field does not fit its bytes
    """
    try:
        header = _HEADER.pack(frame.version, frame.sequence, frame.command, len(frame.payload))
    except struct.error as error:
        raise ValueError(f"Frame fields must fit their bytes ({error}), not {frame!r}") from error
    body = header + frame.payload
    return cobs.encode(body + _CRC.pack(zlib.crc32(body))) + DELIMITER


def decode_frame(encoded: bytes) -> Frame:
    """The frame of the bytes between two delimiters.

    Raises
    ------
    FrameError - COBS, CRC, version or length is wrong
    """
    try:
        frame = cobs.decode(encoded)
    except cobs.DecodeError as error:
        raise FrameError(f"Frame must be COBS-encoded ({error})") from error
    if len(frame) < HEADER_BYTES + CRC_BYTES:
        raise FrameError(
            f"Frame must be at least {HEADER_BYTES + CRC_BYTES} bytes, not {len(frame)}"
        )
    body, (crc,) = frame[:-CRC_BYTES], _CRC.unpack(frame[-CRC_BYTES:])
    if zlib.crc32(body) != crc:
        raise FrameError(f"Frame's CRC must be {zlib.crc32(body):08x}, not {crc:08x}")
    version, sequence, command, length = _HEADER.unpack_from(body)
    if version != VERSION:
        raise FrameError(f"Frame's version must be {VERSION}, not {version}")
    if length != len(body) - HEADER_BYTES:
        raise FrameError(f"Frame's length must be {len(body) - HEADER_BYTES}, not {length}")
    return Frame(sequence, command, bytes(body[HEADER_BYTES:]))


class FrameReader:
    """Finds the intact frames in bytes that come in pieces; `damaged` counts what was none."""

    def __init__(self) -> None:
        self.damaged = 0
        self._begun = bytearray()

    def feed(self, received: bytes) -> Iterator[Frame]:
        """Yields the frames that `received` completes."""
        self._begun += received
        *encoded_frames, rest = bytes(self._begun).split(DELIMITER)
        self._begun = bytearray(rest)
        for encoded in encoded_frames:
            if encoded:
                try:
                    yield decode_frame(encoded)
                except FrameError:
                    self.damaged += 1

    def clear(self) -> None:
        """Forgets the frame that has been begun."""
        self._begun.clear()


def encode_answer(answer: Answer) -> bytes:
    """Payload of an INFER answer."""
    return answer.scores.astype("<i4").tobytes() + _TAIL.pack(answer.label, answer.cycles)


def decode_answer(payload: bytes, n_classes: int) -> Answer:
    """The inverse of `encode_answer`.

    Raises
    ------
    FrameError - the payload has not the length of `n_classes` scores, or the label is none of the classes
    """
    if len(payload) != 4 * n_classes + INFER_TAIL_BYTES:
        raise FrameError(
            f"Answer must be {4 * n_classes + INFER_TAIL_BYTES} bytes, not {len(payload)}"
        )
    label, cycles = _TAIL.unpack_from(payload, 4 * n_classes)
    if label >= n_classes:
        raise FrameError(f"Label must be 0 to {n_classes - 1}, not {label}")
    return Answer(label, np.frombuffer(payload, "<i4", n_classes).astype(np.int32), cycles)
