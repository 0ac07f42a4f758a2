"""What a bad line, or a host that comes to grief, does to a request."""

from __future__ import annotations

import random
from collections.abc import Callable

from ..sw.host.protocol import DELIMITER, Command, Frame, encode_frame

Piece = bytes | float | None
"""Something on the line: bytes, a pause of so many bit times, or a break."""

Fault = Callable[[random.Random, bytes, int], list[Piece]]
"""What becomes of an encoded request, before a receive buffer of so many bytes."""


def flip(rng: random.Random, request: bytes, buffer_bytes: int) -> list[Piece]:
    """One to three bits, delimiter included."""
    damaged = int.from_bytes(request)
    for bit in rng.sample(range(8 * len(request)), rng.randint(1, 3)):
        damaged ^= 1 << bit
    return [damaged.to_bytes(len(request))]


def drop(rng: random.Random, request: bytes, buffer_bytes: int) -> list[Piece]:
    """One to five bytes are lost."""
    place = rng.randrange(len(request))
    return [request[:place] + request[place + rng.randint(1, 5) :]]


def insert(rng: random.Random, request: bytes, buffer_bytes: int) -> list[Piece]:
    """One to nine bytes are made up."""
    place = rng.randrange(len(request))
    return [request[:place] + rng.randbytes(rng.randint(1, 9)) + request[place:]]


def delay(rng: random.Random, request: bytes, buffer_bytes: int) -> list[Piece]:
    """Pauses between bytes; nothing is damaged."""
    first, second = sorted(rng.sample(range(1, len(request)), 2))
    pauses = [rng.choice([0.3, 7.5, 400.0]) for _ in range(2)]
    return [request[:first], pauses[0], request[first:second], pauses[1], request[second:]]


def break_off(rng: random.Random, request: bytes, buffer_bytes: int) -> list[Piece]:
    """Nothing more comes."""
    return [request[: rng.randrange(1, len(request))], 200.0]


def line_break(rng: random.Random, request: bytes, buffer_bytes: int) -> list[Piece]:
    """A reset of link and core in the middle of a frame."""
    return [request[: rng.randrange(1, len(request))], None]


def reset(rng: random.Random, request: bytes, buffer_bytes: int) -> list[Piece]:
    """A frame is left, and the core reset by a request."""
    end = encode_frame(Frame(rng.randrange(256), Command.RESET))
    return [request[: rng.randrange(1, len(request))] + DELIMITER + end]


def noise(rng: random.Random, request: bytes, buffer_bytes: int) -> list[Piece]:
    """More than the receive buffer holds, in front of the request."""
    return [rng.randbytes(2 * buffer_bytes) + request]


def flood(rng: random.Random, request: bytes, buffer_bytes: int) -> list[Piece]:
    """The request so often that the receive buffer overflows where the core is slow."""
    return [request * (3 * buffer_bytes // len(request) + 2)]


FAULTS: dict[str, Fault] = {
    "flip": flip,
    "drop": drop,
    "insert": insert,
    "delay": delay,
    "break_off": break_off,
    "line_break": line_break,
    "reset": reset,
    "noise": noise,
    "flood": flood,
}
"""What happens to a request, by name."""
