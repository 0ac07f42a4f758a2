"""Numbers of the link protocol, docs/protocol.md: commands, error codes and the INFO answer. Used by the hardware and by the host."""

import struct
from dataclasses import dataclass
from enum import IntEnum

VERSION = 2
HEADER_BYTES = 5
CRC_BYTES = 4
ANSWER = 0x80
"""Added to a request's command in its answer."""
ERROR = 0xFF
"""Command of an answer that carries an error code."""
HASH_BYTES = 8
ERROR_BYTES = 4
"""Payload of an error: its code."""
INFER_TAIL_BYTES = 8
"""Label and cycles, after the scores of an INFER answer."""

GUARDED_BYTES = 11450
"""Longest decoded frame in which the CRC finds every change of up to 3 bits."""
MAX_BATCH_IMAGES = 32
"""Images of a BATCH request at most: more would save less than 0.1 % of the line."""
WARM_UP_IMAGES = 3
"""Images of a BENCHMARK before its cycles are counted."""
BENCHMARK_IMAGES = 64
"""Images of a BENCHMARK whose cycles are counted."""


class Command(IntEnum):
    """What a request asks for; LOAD is reserved."""

    INFO = 0x01
    INFER = 0x02
    BATCH = 0x03
    BENCHMARK = 0x04
    TRACE = 0x05
    RESET = 0x06
    LOAD = 0x07


class ErrorCode(IntEnum):
    """Why a request was refused."""

    DAMAGED = 1
    BAD_VERSION = 2
    UNKNOWN_COMMAND = 3
    BAD_LENGTH = 4
    OVERRUN = 5


class ElementKind(IntEnum):
    """Type of an image's elements."""

    BIPOLAR = 0
    UNSIGNED = 1
    SIGNED = 2


_INFO = struct.Struct("<B8s8sBBHHHHBIIIBBHHB")


def batch_images(image_bytes: int, answer_bytes: int) -> int:
    """Images that a BATCH request should hold: the largest power of two, at most `MAX_BATCH_IMAGES`, with which the CRC guards request and
    answer; 0 if that is a single one, for which there is INFER.
    """
    room = (GUARDED_BYTES - HEADER_BYTES - CRC_BYTES) // max(image_bytes, answer_bytes)
    most = min(room, MAX_BATCH_IMAGES)
    return 1 << most.bit_length() - 1 if most > 1 else 0


@dataclass(frozen=True)
class Info:
    """What a board says about itself.

    Parameters
    ----------
    name : str - of the network; at most 255 bytes of UTF-8
    design_hash, weights_hash : bytes - 8 bytes each
    element_kind : ElementKind
    element_bits : int - 1 to 255
    shape : (int, int, int) - height, width, channels of the image, 1 to 65535 each
    n_classes : int - 1 to 16000, so that an INFER answer's length fits its field
    score_bits : int - 1 to 32
    clock_hz : int - clock of the core
    interval_cycles : int - cycles from image to image at full rate
    receive_buffer_bytes : int - bytes that may wait while the core is busy: a power of two, 2 to 32768; 512 fill one iCE40 block RAM
    batch_images : int - images of a BATCH request, a power of two of at most `MAX_BATCH_IMAGES`; 0: there is no BATCH
    benchmark : bool - whether there is BENCHMARK
    trace_bytes : int - payload of a TRACE answer, at most 65535; 0: there is no TRACE
    """

    name: str
    design_hash: bytes
    weights_hash: bytes
    element_kind: ElementKind
    element_bits: int
    shape: tuple[int, int, int]
    n_classes: int
    score_bits: int
    clock_hz: int
    interval_cycles: int
    receive_buffer_bytes: int = 512
    batch_images: int = 0
    benchmark: bool = False
    trace_bytes: int = 0

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or not all(1 <= length <= 65535 for length in self.shape):
            raise ValueError(
                f"Info shape must be three numbers from 1 to 65535, not {self.shape!r}"
            )
        for name, low, high in (
            ("element_bits", 1, 255),
            ("n_classes", 1, 16000),
            ("score_bits", 1, 32),
            ("clock_hz", 1, 2**32 - 1),
            ("interval_cycles", 0, 2**32 - 1),
            ("image_bytes", 1, 65535),
            ("receive_buffer_bytes", 2, 32768),
            ("batch_images", 0, MAX_BATCH_IMAGES),
            ("trace_bytes", 0, 65535),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(
                    f"Info {name} must be {low} to {high}, not {getattr(self, name)!r}"
                )
        for name in ("receive_buffer_bytes", "batch_images"):
            if getattr(self, name) & (getattr(self, name) - 1):
                raise ValueError(f"Info {name} must be a power of two, not {getattr(self, name)!r}")
        if self.batch_images * max(self.image_bytes, self.answer_bytes) > 65535:
            raise ValueError(
                f"Info batch_images must be so few that a frame holds them, not {self.batch_images!r}"
            )
        for name in ("design_hash", "weights_hash"):
            if len(getattr(self, name)) != HASH_BYTES:
                raise ValueError(
                    f"Info {name} must be {HASH_BYTES} bytes, not {getattr(self, name)!r}"
                )
        if len(self.name.encode()) > 255:
            raise ValueError(f"Info name must be at most 255 bytes of UTF-8, not {self.name!r}")

    @property
    def image_bytes(self) -> int:
        """Bytes of an INFER request's payload."""
        height, width, channels = self.shape
        return -(-height * width * channels * self.element_bits // 8)

    @property
    def answer_bytes(self) -> int:
        """Bytes of an INFER answer's payload."""
        return 4 * self.n_classes + INFER_TAIL_BYTES

    @property
    def commands(self) -> frozenset[Command]:
        """What the board can be asked."""
        optional = {
            Command.BATCH: self.batch_images,
            Command.BENCHMARK: self.benchmark,
            Command.TRACE: self.trace_bytes,
        }
        always = {Command.INFO, Command.INFER, Command.RESET}
        return frozenset(always | {command for command, there in optional.items() if there})

    def encode(self) -> bytes:
        """Payload of the INFO answer."""
        name = self.name.encode()
        return (
            _INFO.pack(
                VERSION,
                self.design_hash,
                self.weights_hash,
                self.element_kind,
                self.element_bits,
                *self.shape,
                self.n_classes,
                self.score_bits,
                self.image_bytes,
                self.clock_hz,
                self.interval_cycles,
                sum(1 << command for command in self.commands),
                self.batch_images,
                self.receive_buffer_bytes,
                self.trace_bytes,
                len(name),
            )
            + name
            + bytes(-(_INFO.size + len(name)) % 4)
        )

    @classmethod
    def decode(cls, payload: bytes) -> "Info":
        """The inverse of `encode`.

        Raises
        ------
        ValueError - wrong length, another protocol version, or a value out of range
        """
        if payload and payload[0] != VERSION:
            raise ValueError(f"Protocol version must be {VERSION}, not {payload[0]}")
        if len(payload) < _INFO.size or len(payload) % 4:
            raise ValueError(
                f"Info payload must be whole words, at least {_INFO.size} bytes, not {len(payload)} bytes"
            )
        fields = _INFO.unpack_from(payload)
        _, design, weights, kind, bits, height, width, channels = fields[:8]
        n_classes, score_bits, image_bytes, clock_hz, interval_cycles = fields[8:13]
        commands, n_batch, receive_buffer_bytes, trace_bytes, name_bytes = fields[13:]
        name = payload[_INFO.size : _INFO.size + name_bytes]
        if len(payload) - _INFO.size - name_bytes not in range(4):
            raise ValueError(
                f"Info name must be {name_bytes} bytes, not {len(payload) - _INFO.size}"
            )
        info = cls(
            name=name.decode(),
            design_hash=design,
            weights_hash=weights,
            element_kind=ElementKind(kind),
            element_bits=bits,
            shape=(height, width, channels),
            n_classes=n_classes,
            score_bits=score_bits,
            clock_hz=clock_hz,
            interval_cycles=interval_cycles,
            receive_buffer_bytes=receive_buffer_bytes,
            batch_images=n_batch,
            benchmark=bool(commands >> Command.BENCHMARK & 1),
            trace_bytes=trace_bytes,
        )
        if info.image_bytes != image_bytes:
            raise ValueError(
                f"Info image_bytes must be {info.image_bytes} for this shape, not {image_bytes}"
            )
        if info.encode() != payload:
            raise ValueError(f"Info commands must agree with its other fields, not {commands:#04x}")
        return info
