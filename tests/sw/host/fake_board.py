"""A board in Python, and a line to it that damages what it carries."""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from rbonn.hw.protocol import ElementKind, Info
from rbonn.sw.host.protocol import (
    ANSWER,
    ERROR,
    Answer,
    Command,
    ErrorCode,
    Frame,
    FrameError,
    decode_frame,
    encode_answer,
    encode_frame,
)
from rbonn.sw.host.transport import Transport

N_CLASSES = 3
BATCH_IMAGES = 4


def info(name: str = "fake", weights_hash: bytes = bytes(8)) -> Info:
    return Info(
        name=name,
        design_hash=bytes(8),
        weights_hash=weights_hash,
        element_kind=ElementKind.UNSIGNED,
        element_bits=8,
        shape=(2, 2, 1),
        n_classes=N_CLASSES,
        score_bits=16,
        clock_hz=24_000_000,
        interval_cycles=100,
        batch_images=BATCH_IMAGES,
        benchmark=True,
    )


def answer_to(image: bytes) -> Answer:
    """Scores that no other image is likely to have."""
    crc = zlib.crc32(image)
    scores = np.array([crc & 0x7FFF, crc >> 8 & 0x7FFF, crc >> 16 & 0x7FFF], np.int32)
    return Answer(int(np.argmax(scores)), scores, len(image))


@dataclass
class FakeBoard(Transport):
    """Answers like a board; `damage` turns the bytes of a write, or of an answer, into what arrives."""

    info: Info = field(default_factory=info)
    damage: Callable[[bytes], bytes] = bytes
    answers: Callable[[Frame], bytes | None] | None = None
    name: str = "fake line"
    bytes_per_second: float = 1e6
    closed: bool = False
    breaks: int = 0
    writes: list[bytes] = field(default_factory=list)
    _request: bytearray = field(default_factory=bytearray)
    _waiting: bytearray = field(default_factory=bytearray)

    def write(self, line_bytes: bytes) -> None:
        assert not self.closed
        self.writes.append(line_bytes)
        for byte in self.damage(line_bytes):
            if byte:
                self._request.append(byte)
            elif self._request:
                self._waiting += self.damage(self._answer(bytes(self._request)))
                self._request.clear()

    def read(self, timeout_s: float) -> bytes:
        assert not self.closed
        if not self._waiting:
            time.sleep(timeout_s)
        received = bytes(self._waiting)
        self._waiting.clear()
        return received

    @property
    def unread(self) -> bool:
        """Whether the host has answers to fetch."""
        return bool(self._waiting)

    def send_break(self) -> None:
        self.breaks += 1
        self._request.clear()

    def close(self) -> None:
        self.closed = True

    def begin(self, line_bytes: bytes) -> None:
        """What the board has heard from someone else before."""
        self._request += line_bytes

    def say(self, line_bytes: bytes) -> None:
        """What the board says unasked."""
        self._waiting += line_bytes

    def _answer(self, encoded: bytes) -> bytes:
        try:
            request = decode_frame(encoded)
        except FrameError:
            return error_frame(0, ErrorCode.DAMAGED)
        if self.answers is not None and (told := self.answers(request)) is not None:
            return told
        payloads = {
            Command.INFO: self.info.encode,
            Command.RESET: bytes,
            Command.INFER: lambda: encode_answer(answer_to(request.payload)),
            Command.BATCH: lambda: b"".join(
                encode_answer(answer_to(request.payload[k : k + self.info.image_bytes]))
                for k in range(0, len(request.payload), self.info.image_bytes)
            ),
            Command.BENCHMARK: lambda: (64 * self.info.interval_cycles).to_bytes(4, "little"),
        }
        if request.command not in payloads:
            return error_frame(request.sequence, ErrorCode.UNKNOWN_COMMAND)
        payload = payloads[request.command]()
        return encode_frame(Frame(request.sequence, request.command + ANSWER, payload))


def error_frame(sequence: int, code: int) -> bytes:
    return encode_frame(Frame(sequence, ERROR, code.to_bytes(4, "little")))


def noisy(seed: int, every: int) -> Callable[[bytes], bytes]:
    """Damage: one transmission in `every` loses, gains or changes bytes."""
    rng = random.Random(seed)

    def damage(line_bytes: bytes) -> bytes:
        if not line_bytes or rng.randrange(every):
            return line_bytes
        damaged = bytearray(line_bytes)
        place = rng.randrange(len(damaged))
        match rng.randrange(4):
            case 0:
                damaged[place] ^= 1 << rng.randrange(8)
            case 1:
                del damaged[place : place + rng.randint(1, 8)]
            case 2:
                damaged[place:place] = rng.randbytes(rng.randint(1, 8))
            case _:
                damaged.clear()
        return bytes(damaged)

    return damage
