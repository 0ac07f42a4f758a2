"""Requests and their answers over a line that damages, loses and repeats frames: sent ahead, asked again, never mistaken for one another."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..errors import DeviceError
from .protocol import (
    ANSWER,
    DELIMITER,
    ERROR,
    Command,
    ErrorCode,
    Frame,
    FrameReader,
    encode_frame,
)
from .transport import Transport

QUIET_S = 0.05
"""A line without a byte for so long is quiet: longer than what USB adapters hold bytes back."""
DRAIN_S = 1.0
BABBLE = 4
"""A board that has sent so many times the bytes that were expected, and not the answer, does not send it any more."""


@dataclass(frozen=True, slots=True)
class Request:
    """Something to ask.

    Parameters
    ----------
    command : Command
    payload : bytes
    answer_bytes : int - of the answer's payload, about
    core_s : float - how long the board may compute before it answers
    """

    command: Command
    payload: bytes = b""
    answer_bytes: int = 0
    core_s: float = 0.0

    @property
    def line_bytes(self) -> float:
        """Bytes on the line for it and its answer, rather too many: COBS, header and CRC add less than 20 bytes and 1 % to each."""
        return 1.01 * (len(self.payload) + self.answer_bytes) + 40


@dataclass(slots=True)
class _Sent:
    """A request on its way: the number of its answer in their order, and how often it has been sent under which last sequence."""

    number: int
    request: Request
    attempts: int = 0
    sequence: int = -1


class Exchange:
    """Asks requests and gives their answers.

    Each request is sent under a sequence number of its own, again under another one: an answer that comes late or twice has a number that nobody waits for.
    A board answers in the order of requests, so an answer to a later one says that an earlier one, or its answer, is lost.

    Parameters
    ----------
    transport : Transport
    timeout_s : float - how long an answer, or its next bytes, may take beyond the time of the bytes on the line and of the core
    attempts : int - how often a request is sent before it is given up, at least 1

    Members
    -------
    retries : int - requests sent again so far
    overruns : int - of them because the board's receive buffer was full
    """

    def __init__(self, transport: Transport, timeout_s: float, attempts: int) -> None:
        if attempts < 1:
            raise ValueError(f"Attempts must be at least 1, not {attempts!r}")
        self.transport = transport
        self.timeout_s = timeout_s
        self.attempts = attempts
        self.retries = 0
        self.overruns = 0
        self._sequence = 0
        self._reader = FrameReader()
        self._on_the_way: deque[_Sent] = deque()
        self._held: deque[_Sent] = (
            deque()
        )  # refused by a full buffer: to be sent when nothing else is on its way
        self._heard = 0  # bytes since the last answer

    def ask(self, request: Request) -> bytes:
        """Payload of the answer to one request.

        Raises
        ------
        DeviceError - no answer, or a refusal
        """
        (payload,) = self.ask_all([request], ahead=1)
        return payload

    def ask_all(self, requests: Iterable[Request], ahead: int) -> Iterator[bytes]:
        """Payloads of the answers in the order of `requests`, of which at most `ahead` are on their way at a time; one, once the board's buffer was full.

        Raises
        ------
        DeviceError - no answer to one of them, or a refusal
        """
        waiting = iter(enumerate(requests))
        answers: dict[int, bytes] = {}
        next_number = 0
        overruns = self.overruns
        self._on_the_way.clear()
        self._held.clear()
        self._heard = 0
        while True:
            if self.overruns > overruns:
                ahead = 1
            if self._held and not self._on_the_way:
                self._send(self._held.popleft())
            while len(self._on_the_way) + len(self._held) < ahead and len(answers) < ahead:
                try:
                    number, request = next(waiting)
                except StopIteration:
                    break
                self._send(_Sent(number, request))
            if not self._on_the_way and not answers:
                return
            for number, payload in self._answers():
                answers[number] = payload
            while next_number in answers:
                yield answers.pop(next_number)
                next_number += 1

    def drain(self) -> None:
        """Throws away what comes until the line is quiet."""
        deadline = time.monotonic() + DRAIN_S
        while self.transport.read(QUIET_S) and time.monotonic() < deadline:
            pass
        self._reader.clear()

    def _send(self, sent: _Sent, before: bytes = b"") -> None:
        """Sends a request, which is from now on the last one on its way. Raises DeviceError where it was sent often enough."""
        if sent.attempts == self.attempts:
            raise self._no_answer(sent.request.command)
        self.retries += sent.attempts > 0
        self._sequence = (self._sequence + 1) % 256
        sent.attempts += 1
        sent.sequence = self._sequence
        frame = Frame(sent.sequence, sent.request.command, sent.request.payload)
        self._on_the_way.append(sent)
        self.transport.write(before + encode_frame(frame))

    def _answers(self) -> Iterator[tuple[int, bytes]]:
        """Waits until something is known of the requests on their way; yields numbers and payloads of those that are answered."""
        requests = [sent.request for sent in self._on_the_way]
        line_bytes = sum(request.line_bytes for request in requests)
        patience_s = self.timeout_s + line_bytes / self.transport.bytes_per_second
        patience_s += sum(request.core_s for request in requests)
        deadline = time.monotonic() + patience_s
        while (left_s := deadline - time.monotonic()) > 0:
            received = self.transport.read(left_s)
            self._heard += len(received)
            # Long answers to slow requests come in pieces; what never becomes one does not count.
            if received and self._heard < BABBLE * line_bytes:
                deadline = time.monotonic() + patience_s
            known = False
            for frame in self._reader.feed(received):
                if (sent := self._asked(frame)) is None:
                    continue
                known = True
                if frame.command == ERROR:
                    self._again_or_raise(sent, int.from_bytes(frame.payload[:4], "little"))
                else:
                    self._on_the_way.remove(sent)
                    self._heard = 0
                    yield sent.number, frame.payload
            if known:
                return
        # Nothing is on its way any more. A delimiter ends whatever the board believes to have begun.
        silent, before = list(self._on_the_way), DELIMITER
        self._on_the_way.clear()
        for sent in silent:
            self._send(sent, before)
            before = b""

    def _asked(self, frame: Frame) -> _Sent | None:
        """The request that a frame answers, if one on its way has its sequence; those before it are sent again."""
        for sent in self._on_the_way:
            expected = sent.request.command + ANSWER
            if frame.sequence == sent.sequence and frame.command in (expected, ERROR):
                break
        else:
            return None
        if frame.command != ERROR:
            while (lost := self._on_the_way[0]) is not sent:
                self._on_the_way.popleft()
                self._send(lost)
        return sent

    def _again_or_raise(self, sent: _Sent, code: int) -> None:
        if code not in (ErrorCode.DAMAGED, ErrorCode.OVERRUN):
            raise self._refused(sent.request.command, code)
        self._on_the_way.remove(sent)
        if code == ErrorCode.DAMAGED:
            self._send(sent)
        else:
            self.overruns += 1
            self._held.append(sent)

    def _no_answer(self, command: Command) -> DeviceError:
        if self._heard:
            return DeviceError(
                f"{self.transport.name}: {self._heard} bytes came, but no intact answer to {command.name}",
                "Is it the right port, and the baud rate that of the bitstream (--clock or --baud)?",
            )
        return DeviceError(
            f"{self.transport.name}: no answer to {command.name} in {self.attempts} attempts",
            "Is the board flashed ('rbonn flash'), for this clock (--clock), and this its serial port? An FT2232H board has two ports, and the link is on the second.",
        )

    def _refused(self, command: Command, code: int) -> DeviceError:
        known = [known for known in ErrorCode if known == code]
        return DeviceError(
            f"The board on {self.transport.name} refused {command.name}: {known[0].name if known else f'code {code}'}",
            "Its bitstream is of another version: build and flash it again.",
        )
