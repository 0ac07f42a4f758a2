"""A line that damages, loses, repeats, delays and makes up bytes, in front of any other transport."""

from __future__ import annotations

import random
from collections.abc import Callable

from rbonn.sw.host.transport import Transport

Fault = Callable[[bytes, random.Random], bytes]


def _place(line_bytes: bytes, rng: random.Random) -> int:
    return rng.randrange(len(line_bytes))


def flip(line_bytes: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(line_bytes)
    damaged[_place(line_bytes, rng)] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def drop(line_bytes: bytes, rng: random.Random) -> bytes:
    place = _place(line_bytes, rng)
    return line_bytes[:place] + line_bytes[place + rng.randint(1, 30) :]


def insert(line_bytes: bytes, rng: random.Random) -> bytes:
    place = _place(line_bytes, rng)
    return line_bytes[:place] + rng.randbytes(rng.randint(1, 10)) + line_bytes[place:]


def repeat(line_bytes: bytes, rng: random.Random) -> bytes:
    return line_bytes + line_bytes


def break_off(line_bytes: bytes, rng: random.Random) -> bytes:
    return line_bytes[: _place(line_bytes, rng)]


def flood(line_bytes: bytes, rng: random.Random) -> bytes:
    return rng.randbytes(1500) + line_bytes


FAULTS: dict[str, Fault] = {
    "flip": flip,
    "drop": drop,
    "insert": insert,
    "repeat": repeat,
    "break_off": break_off,
    "flood": flood,
}
"""What happens to the bytes of a transmission, by name."""


class BadLine(Transport):
    """Every transmission in `every`, each way, suffers `fault`; with `delay`, what is read comes one read late."""

    def __init__(
        self, line: Transport, fault: Fault, seed: int, every: int, *, delay: bool = False
    ) -> None:
        self.line = line
        self.fault = fault
        self.rng = random.Random(seed)
        self.every = every
        self.delay = delay
        self.late = b""
        self.faults = 0
        self.name = f"bad line to {line.name}"
        self.bytes_per_second = line.bytes_per_second
        self.patience_s = line.patience_s

    def _suffer(self, line_bytes: bytes) -> bytes:
        # A transmission ends with a delimiter; how many reads it takes depends on the machine.
        if b"\0" not in line_bytes or self.rng.randrange(self.every):
            return line_bytes
        self.faults += 1
        return self.fault(line_bytes, self.rng)

    def write(self, line_bytes: bytes) -> None:
        self.line.write(self._suffer(line_bytes))

    def read(self, timeout_s: float) -> bytes:
        received = self._suffer(self.line.read(timeout_s))
        if self.delay:
            received, self.late = self.late, received
        return received

    def send_break(self) -> None:
        self.line.send_break()

    def close(self) -> None:
        self.line.close()
