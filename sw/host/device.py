"""A board with an accelerator: connects, checks what it runs, asks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from types import TracebackType

import numpy as np

from ...hw.protocol import BENCHMARK_IMAGES, HASH_BYTES, WARM_UP_IMAGES
from ..errors import DeviceError
from ..network import Network
from .exchange import Exchange, Request
from .packing import device_values, pack
from .protocol import DELIMITER, Answer, Command, FrameError, Info, decode_answer
from .transport import SerialTransport, Transport

AHEAD = 4
"""Requests on their way to a board that computes faster than the line: enough that the line never waits for the host."""
INFO_ANSWER_BYTES = 300
LATENCY_INTERVALS = 3
"""Intervals that a core may take from an image to its answer, about."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What BENCHMARK says: `cycles` clock cycles of the core for `images` images at full rate, without the line."""

    images: int
    cycles: int
    clock_hz: int

    @property
    def interval_cycles(self) -> float:
        """Cycles from image to image."""
        return self.cycles / self.images

    @property
    def frames_per_second(self) -> float:
        return self.clock_hz / self.interval_cycles


def keeps_up(info: Info, bytes_per_second: float) -> bool:
    """Whether a board's core, and the line back, are so fast that its receive buffer never fills, however many images come."""
    byte_cycles = info.clock_hz / bytes_per_second
    image_cycles = byte_cycles * info.image_bytes
    answer_cycles = byte_cycles * info.answer_bytes
    # Between two batches, bytes wait until the last answer of the one before has been sent.
    waiting_cycles = LATENCY_INTERVALS * info.interval_cycles + answer_cycles
    return (
        max(info.interval_cycles, answer_cycles) < image_cycles
        and waiting_cycles < byte_cycles * info.receive_buffer_bytes
    )


class Device:
    """A board behind a transport.

    with Device.open("/dev/ttyUSB1", 1_000_000, network) as device:
        print(device.infer(image).label)
        labels = [answer.label for answer in device.infer_many(images)]

    Entering the context synchronises with the board, asks INFO, and refuses a board that runs another network. Damaged, lost and repeated frames, in either
    direction, are asked for again under a new sequence number; an answer to an earlier question is never taken for that to a later one.

    Parameters
    ----------
    transport : Transport - closed when the context ends
    network : Network or None - what the board must run; None: anything
    timeout_s : float or None - how long an answer may take beyond the time of its bytes and of the core; None: what suits the transport
    attempts : int - how often a request is sent before it is given up, at least 1

    Members
    -------
    info : Info - what the board says about itself; from entering the context on
    """

    info: Info

    def __init__(
        self,
        transport: Transport,
        network: Network | None = None,
        *,
        timeout_s: float | None = None,
        attempts: int = 3,
    ) -> None:
        self.transport = transport
        self.network = network
        timeout_s = transport.patience_s if timeout_s is None else timeout_s
        self._exchange = Exchange(transport, timeout_s, attempts)

    @classmethod
    def open(cls, port: str, baud: int, network: Network | None = None) -> Device:
        """The board on a serial port.

        Raises
        ------
        DeviceError - the port cannot be opened
        """
        return cls(SerialTransport(port, baud), network)

    @property
    def retries(self) -> int:
        """Requests sent again so far."""
        return self._exchange.retries

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
        (answer,) = self._answers([image], 0, ahead=1)
        return answer

    def infer_many(self, images: Iterable[np.ndarray | bytes]) -> Iterator[Answer]:
        """Sends images without waiting for each answer, and returns the answers in their order as they come.

        As many images as `info.batch_images` says share a frame, where the core is fast enough that none of it has to wait; the rest are sent one by one. Of an image in a
        batch, `cycles` counts from the answer to the one before.

        Parameters
        ----------
        images : as `infer` takes them; not looked at long before they are sent

        Raises
        ------
        as `infer`
        """
        if keeps_up(self.info, self.transport.bytes_per_second):
            return self._answers(images, self.info.batch_images, AHEAD)
        request_bytes = Request(Command.INFER, bytes(self.info.image_bytes)).line_bytes
        return self._answers(images, 0, 1 + int(self.info.receive_buffer_bytes // request_bytes))

    def benchmark(self) -> Benchmark:
        """Has the board feed itself and count cycles.

        Raises
        ------
        DeviceError - no answer, or the board was built without BENCHMARK
        """
        images = WARM_UP_IMAGES + BENCHMARK_IMAGES
        core_s = 2 * images * self.info.interval_cycles / self.info.clock_hz
        payload = self._exchange.ask(Request(Command.BENCHMARK, b"", 4, core_s))
        return Benchmark(BENCHMARK_IMAGES, int.from_bytes(payload, "little"), self.info.clock_hz)

    def trace(self) -> bytes:
        """What the board recorded of the last image, stage boundary by stage boundary, as docs/protocol.md has it.

        Raises
        ------
        DeviceError - no answer, or the board was built without TRACE
        """
        payload = self._exchange.ask(Request(Command.TRACE, b"", self.info.trace_bytes))
        if len(payload) != self.info.trace_bytes:
            raise self._strange(f"{len(payload)} bytes of {self.info.trace_bytes}")
        return payload

    def reset(self) -> None:
        """Puts the core at the start of an image.

        Raises
        ------
        DeviceError - no answer, even after a break on the line
        """
        self._ask_or_break(Request(Command.RESET))

    def _packed(self, images: list[np.ndarray | bytes]) -> list[bytes]:
        """Images as they go over the line. Raises ValueError where one has another length than the board's."""
        arrays = [image for image in images if not isinstance(image, bytes)]
        if arrays and self.network is None:
            raise ValueError("Image must be bytes where the device has no network")
        if arrays and self.network is not None:
            edge = self.network.edges[self.network.device_input]
            if len({array.shape for array in arrays}) == 1:
                arrays = [np.stack(arrays)]  # together in a fraction of the time
            values = [pack(device_values(array, self.network), edge) for array in arrays]
            rows = iter(np.concatenate([value.reshape(-1, value.shape[-1]) for value in values]))
            images = [x if isinstance(x, bytes) else next(rows).tobytes() for x in images]
        packed = [image for image in images if isinstance(image, bytes)]
        for image in packed:
            if len(image) != self.info.image_bytes:
                raise ValueError(f"Image must be {self.info.image_bytes} bytes, not {len(image)}")
        return packed

    def _answers(
        self, images: Iterable[np.ndarray | bytes], n_batch: int, ahead: int
    ) -> Iterator[Answer]:
        """Answers to images that are sent in batches of `n_batch` (0: none), the rest one by one, `ahead` requests at a time."""
        size = self.info.answer_bytes
        sent: deque[int] = deque()  # images of each request

        def requests() -> Iterator[Request]:
            waiting = iter(images)
            while together := self._packed(list(islice(waiting, n_batch or 1))):
                n_images = n_batch if len(together) == n_batch else 1
                for k in range(0, len(together), n_images):
                    # Besides its own, images of the request before may be in the core.
                    core_cycles = (n_images + LATENCY_INTERVALS) * self.info.interval_cycles
                    sent.append(n_images)
                    yield Request(
                        Command.BATCH if n_images > 1 else Command.INFER,
                        b"".join(together[k : k + n_images]),
                        n_images * size,
                        core_cycles / self.info.clock_hz,
                    )

        for payload in self._exchange.ask_all(requests(), ahead):
            expected = sent.popleft() * size
            try:
                if len(payload) != expected:
                    raise FrameError(f"Answer must be {expected} bytes, not {len(payload)}")
                for k in range(0, len(payload), size):
                    yield decode_answer(payload[k : k + size], self.info.n_classes)
            except FrameError as error:
                raise self._strange(str(error)) from error

    def _connect(self) -> None:
        """Synchronises, asks INFO and compares it with the network."""
        self.transport.write(DELIMITER)
        self._exchange.drain()
        payload = self._ask_or_break(Request(Command.INFO, b"", INFO_ANSWER_BYTES))
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

    def _ask_or_break(self, request: Request) -> bytes:
        """Payload of the answer to a request; where there is none, a break ends whatever state link and core are in, and it is asked once more."""
        try:
            return self._exchange.ask(request)
        except DeviceError:
            self.transport.send_break()
            self._exchange.drain()
            return self._exchange.ask(request)

    def _strange(self, what: str) -> DeviceError:
        return DeviceError(
            f"The board on {self.transport.name} answers strangely: {what}",
            "Its bitstream is of another version: build and flash it again.",
        )
