"""A board with an accelerator: asks, checks, tries again."""

from __future__ import annotations

import time
from types import TracebackType

import numpy as np

from ...hw.protocol import HASH_BYTES
from ..errors import DeviceError
from ..network import Network
from .packing import device_values, pack
from .protocol import (
    ANSWER,
    DELIMITER,
    ERROR,
    Answer,
    Command,
    ErrorCode,
    Frame,
    FrameError,
    FrameReader,
    Info,
    decode_answer,
    encode_frame,
)
from .transport import SerialTransport, Transport

QUIET_S = 0.05
"""A line without a byte for so long is quiet: longer than what USB adapters hold bytes back."""
DRAIN_S = 1.0


class Device:
    """A board behind a transport.

    with Device.open("/dev/ttyUSB1", 1_000_000, network) as device:
        print(device.infer(image).label)

    Entering the context synchronises with the board, asks INFO, and refuses a board that runs another network. Damaged and lost frames, in either
    direction, are asked for again under a new sequence number; an answer to an earlier question is never taken for that to a later one.

    Parameters
    ----------
    transport : Transport - closed when the context ends
    network : Network or None - what the board must run; None: anything
    timeout_s : float - how long an answer may take beyond the time of its bytes and of the core
    attempts : int - how often a request is sent before it is given up, at least 1

    Members
    -------
    info : Info - what the board says about itself; from entering the context on
    retries : int - requests sent again so far
    """

    info: Info

    def __init__(
        self,
        transport: Transport,
        network: Network | None = None,
        *,
        timeout_s: float = 0.5,
        attempts: int = 3,
    ) -> None:
        if attempts < 1:
            raise ValueError(f"Attempts must be at least 1, not {attempts!r}")
        self.transport = transport
        self.network = network
        self.timeout_s = timeout_s
        self.attempts = attempts
        self.retries = 0
        self._sequence = 0
        self._reader = FrameReader()
        self._heard = 0  # bytes received since the last request

    @classmethod
    def open(cls, port: str, baud: int, network: Network | None = None) -> Device:
        """The board on a serial port.

        Raises
        ------
        DeviceError - the port cannot be opened
        """
        return cls(SerialTransport(port, baud), network)

    def __enter__(self) -> Device:
        try:
            self._connect()
        except BaseException:
            self.transport.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.transport.close()

    def infer(self, image: np.ndarray | bytes) -> Answer:
        """Sends one image and returns scores, label and cycles.

        Parameters
        ----------
        image : integers (height, width, channels), raw, as the network's input type has them; or the bytes that enter the accelerator

        Raises
        ------
        InputFileError - an array of another shape, or with values out of range
        DeviceError - no answer, or a refusal
        ValueError - bytes of another length than the board's images, or an array where no network was given
        """
        if not isinstance(image, bytes):
            if self.network is None:
                raise ValueError("Image must be bytes where the device has no network")
            edge = self.network.edges[self.network.device_input]
            image = pack(device_values(image, self.network), edge).tobytes()
        if len(image) != self.info.image_bytes:
            raise ValueError(f"Image must be {self.info.image_bytes} bytes, not {len(image)}")
        # Two images may be in the core's pipeline before this one's scores come.
        core_s = 4 * self.info.interval_cycles / self.info.clock_hz
        payload = self._ask(Command.INFER, image, self.info.answer_bytes, core_s)
        try:
            return decode_answer(payload, self.info.n_classes)
        except FrameError as error:
            raise self._strange(str(error)) from error

    def reset(self) -> None:
        """Puts the core at the start of an image.

        Raises
        ------
        DeviceError - no answer, even after a break on the line
        """
        try:
            self._ask(Command.RESET, b"", 0)
        except DeviceError:
            self.transport.send_break()
            self._drain()
            self._ask(Command.RESET, b"", 0)

    def _connect(self) -> None:
        """Synchronises, asks INFO and compares it with the network."""
        self.transport.write(DELIMITER)
        self._drain()
        try:
            payload = self._ask(Command.INFO, b"", 300)
        except DeviceError:
            # Whatever state link and core are in, a break ends it.
            self.transport.send_break()
            self._drain()
            payload = self._ask(Command.INFO, b"", 300)
        try:
            self.info = Info.decode(payload)
        except ValueError as error:
            raise self._strange(str(error)) from error
        if self.network is None:
            return
        if self.info.weights_hash != bytes.fromhex(self.network.hash())[:HASH_BYTES]:
            other = (
                f"{self.info.name} with other weights"
                if self.info.name == self.network.name
                else self.info.name
            )
            raise DeviceError(
                f"The board on {self.transport.name} runs {other}, not {self.network.name}",
                f"Build and flash {self.network.name}, or name the network that the board runs.",
            )

    def _ask(
        self, command: Command, payload: bytes, answer_bytes: int, core_s: float = 0.0
    ) -> bytes:
        """Payload of the answer to a request of which the answer's payload has about `answer_bytes` bytes."""
        # COBS, header and CRC add less than 20 bytes and 1 %.
        line_bytes = 1.01 * (len(payload) + answer_bytes) + 40
        patience_s = self.timeout_s + line_bytes / self.transport.bytes_per_second + core_s
        before = b""
        self._heard = 0
        for attempt in range(self.attempts):
            self.retries += attempt > 0
            self._sequence = (self._sequence + 1) % 256
            request = Frame(self._sequence, command, payload)
            self.transport.write(before + encode_frame(request))
            answer = self._answer_to(request, patience_s)
            if answer is None:
                before = DELIMITER
                continue
            if answer.command != ERROR:
                return answer.payload
            code = int.from_bytes(answer.payload[:4], "little")
            if code not in (ErrorCode.DAMAGED, ErrorCode.OVERRUN):
                raise self._refused(command, code)
            before = b""
        raise self._no_answer(command)

    def _answer_to(self, request: Frame, patience_s: float) -> Frame | None:
        """The frame that answers `request`, or None after `patience_s` seconds."""
        deadline = time.monotonic() + patience_s
        while (left_s := deadline - time.monotonic()) > 0:
            received = self.transport.read(left_s)
            self._heard += len(received)
            for frame in self._reader.feed(received):
                if frame.sequence == request.sequence and frame.command in (
                    request.command + ANSWER,
                    ERROR,
                ):
                    return frame
        return None

    def _drain(self) -> None:
        """Throws away what comes until the line is quiet."""
        deadline = time.monotonic() + DRAIN_S
        while self.transport.read(QUIET_S) and time.monotonic() < deadline:
            pass
        self._reader.clear()

    def _no_answer(self, command: Command) -> DeviceError:
        if self._heard:
            return DeviceError(
                f"{self.transport.name}: {self._heard} bytes came, but no intact answer to {command.name}",
                "Is it the right port, and the baud rate that of the bitstream?",
            )
        return DeviceError(
            f"{self.transport.name}: no answer to {command.name} in {self.attempts} attempts",
            "Is the board flashed ('rbonn flash') and this its serial port? An FT2232H board has two ports, and the link is on the second.",
        )

    def _refused(self, command: Command, code: int) -> DeviceError:
        known = [known for known in ErrorCode if known == code]
        return DeviceError(
            f"The board on {self.transport.name} refused {command.name}: {known[0].name if known else f'code {code}'}",
            "Its bitstream is of another version: build and flash it again.",
        )

    def _strange(self, what: str) -> DeviceError:
        return DeviceError(
            f"The board on {self.transport.name} answers strangely: {what}",
            "Its bitstream is of another version: build and flash it again.",
        )
