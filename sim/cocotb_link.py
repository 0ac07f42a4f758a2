"""The cocotb test of a top level: talks through its serial line as the host library does, and compares each answer.

The first half of the images go through the host library's `Device`, the same code as on a board; then come a damaged request, the other half sent
ahead without waiting, and RESET, as frames that the host library encodes and decodes. Runs inside the simulator, in the folder that has ``link.json`` and ``link.npz``; writes ``result.json``.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cocotb
import numpy as np
from cocotb.task import bridge

from ..sw.errors import DeviceError
from ..sw.host import device, exchange
from ..sw.host.protocol import (
    ANSWER,
    ERROR,
    Answer,
    Command,
    ErrorCode,
    Frame,
    FrameReader,
    Info,
    decode_answer,
    encode_frame,
)
from .line import SimulatedLine, SimulatedTransport
from .plan import PROGRESS
from .scoreboard import Mismatch


@cocotb.test()
async def every_answer_is_as_expected(dut: Any) -> None:
    """A whole conversation; fails at any difference and at a missing answer."""
    conversation = Conversation(dut, Path.cwd())
    failure = None
    try:
        await conversation.run()
    except NoAnswerError as error:
        failure = str(error)
    mismatches = conversation.mismatches
    result = {
        "failure": failure,
        "mismatches": len(mismatches),
        "first_mismatch": asdict(mismatches[0]) if mismatches else None,
        "answers_compared": conversation.compared,
        "core_cycles": conversation.core_cycles,
        "cycles": conversation.line.cycle,
    }
    Path("result.json").write_text(json.dumps(result), encoding="utf-8")
    assert failure is None, failure
    assert not mismatches, mismatches[0]
    assert conversation.compared


class NoAnswerError(Exception):
    """The design did not answer in time, or not with the right frame."""


class Conversation:
    """Requests, their answers and what differed.

    Parameters
    ----------
    dut : handle of the bench
    folder : Path - where ``link.json`` and ``link.npz`` are
    """

    def __init__(self, dut: Any, folder: Path) -> None:
        plan = json.loads((folder / "link.json").read_text(encoding="utf-8"))
        with np.load(folder / "link.npz", allow_pickle=False) as arrays:
            self.images, self.scores, self.labels = (
                arrays[name] for name in ("images", "scores", "labels")
            )
            self.info_payload = arrays["info"].tobytes()
        self.info = Info.decode(self.info_payload)
        self.line = SimulatedLine(dut, plan["bit_cycles"])
        self.transport = SimulatedTransport(self.line)
        self.patience = plan["patience_cycles"]
        self.power_on_cycles = plan["power_on_cycles"]
        self.ahead = plan["ahead"]
        self.reader = FrameReader()
        self.waiting: list[Frame] = []
        self.sequence = 0
        self.answered = 0
        self.compared = 0
        self.mismatches: list[Mismatch] = []
        self.core_cycles: list[int] = []

    async def run(self) -> None:
        """The whole conversation."""
        half = (len(self.images) + 1) // 2
        await self.line.wait(self.power_on_cycles)
        with patch.object(exchange, "time", self.transport):  # time-outs in simulated time
            await bridge(self.ask_through_the_host_library)(half)
        await self.info_is_right()
        await self.damage_is_noticed()
        await self.send_ahead(range(half, len(self.images)))
        sequence = await self.request(Command.RESET)
        await self.answer(sequence, Command.RESET)
        sequence = await self.request(Command.INFER, self.images[0].tobytes())
        await self.answer_is_right(sequence, 0)
        # Nothing may come that was not asked for, and nothing may have been damaged on the way back.
        self.waiting += self.reader.feed(await self.line.receive(100 * self.line.bit_cycles))
        self._compare("link.frames_too_many", 0, 0, 0, len(self.waiting))
        self._compare("link.damaged_frames", 0, 0, 0, self.reader.damaged)
        self._compare("link.framing_errors", 0, 0, 0, self.line.framing_errors)

    def ask_through_the_host_library(self, n_images: int) -> None:
        """What `rbonn run` does, with the same code: synchronise, ask INFO, send images one by one; no request may need a second attempt."""
        timeout_s = self.patience / self.transport.cycles_per_second
        try:
            with device.Device(self.transport, timeout_s=timeout_s) as board:
                self._compare("link.info", 0, 0, 1, int(board.info == self.info))
                for number in range(n_images):
                    self._judge(number, board.infer(self.images[number].tobytes()))
                board.reset()
                self._compare("link.retries", 0, 0, 0, board.retries)
        except DeviceError as error:
            raise NoAnswerError(f"{error} (cycle {self.line.cycle})") from error

    async def send_ahead(self, numbers: range) -> None:
        """Sends images without waiting for answers, as many as the receive buffer holds."""
        unanswered: deque[tuple[int, int]] = deque()
        for number in numbers:
            if len(unanswered) > self.ahead:
                await self.answer_is_right(*unanswered.popleft())
            sequence = await self.request(Command.INFER, self.images[number].tobytes())
            unanswered.append((sequence, number))
        while unanswered:
            await self.answer_is_right(*unanswered.popleft())

    async def request(self, command: int, payload: bytes = b"") -> int:
        """Sends a request; its sequence number."""
        self.sequence = (self.sequence + 1) % 256
        await self.line.send(encode_frame(Frame(self.sequence, command, payload)))
        return self.sequence

    async def answer(self, sequence: int, command: int) -> bytes:
        """Payload of the next answer, which must be the one to that request; raises NoAnswerError otherwise."""
        name = Command(command).name
        while not self.waiting:
            data = await self.line.receive(self.patience)
            if not data:
                raise NoAnswerError(
                    f"no answer to {name} (sequence {sequence}) for {self.patience} cycles, until cycle {self.line.cycle}"
                )
            self.waiting += self.reader.feed(data)
        frame = self.waiting.pop(0)
        if (frame.sequence, frame.command) != (sequence, command | ANSWER):
            raise NoAnswerError(
                f"{name} (sequence {sequence}) is answered with command 0x{frame.command:02X}, "
                f"sequence {frame.sequence}, payload {frame.payload[:16].hex()}"
            )
        return frame.payload

    async def info_is_right(self) -> None:
        """INFO says byte for byte what it should."""
        payload = await self.answer(await self.request(Command.INFO), Command.INFO)
        self._compare("link.info_bytes", 0, 0, len(self.info_payload), len(payload))
        for place, (want, got) in enumerate(zip(self.info_payload, payload, strict=False)):
            self._compare("link.info", 0, place, want, got)

    async def answer_is_right(self, sequence: int, number: int) -> None:
        """The answer to an image has its scores and its label."""
        payload = await self.answer(sequence, Command.INFER)
        self._judge(number, decode_answer(payload, self.info.n_classes))

    def _judge(self, number: int, answer: Answer) -> None:
        for place, (want, got) in enumerate(zip(self.scores[number], answer.scores, strict=True)):
            self._compare("link.score", number, place, int(want), int(got))
        self._compare("link.label", number, 0, int(self.labels[number]), answer.label)
        self.core_cycles.append(answer.cycles)
        self.answered += 1
        total = len(self.images)
        print(f"{PROGRESS} {min(self.answered, total)} {total} link", flush=True)

    async def damage_is_noticed(self) -> None:
        """A request with one wrong bit is answered with an error and leaves nothing behind."""
        self.sequence = (self.sequence + 1) % 256
        encoded = bytearray(
            encode_frame(Frame(self.sequence, Command.INFER, self.images[0].tobytes()))
        )
        middle = next(k for k in range(len(encoded) // 2, len(encoded)) if encoded[k] not in (0, 1))
        encoded[middle] ^= 1
        await self.line.send(bytes(encoded))
        while not self.waiting:
            data = await self.line.receive(self.patience)
            if not data:
                raise NoAnswerError(f"no answer to a damaged request for {self.patience} cycles")
            self.waiting += self.reader.feed(data)
        frame = self.waiting.pop(0)
        self._compare("link.damaged_request.command", 0, 0, ERROR, frame.command)
        code = int.from_bytes(frame.payload, "little")
        self._compare("link.damaged_request.code", 0, 0, int(ErrorCode.DAMAGED), code)

    def _compare(self, layer: str, image: int, place: int, want: int, got: int | None) -> None:
        self.compared += 1
        if want != got:
            self.mismatches.append(Mismatch(layer, image, 0, 0, place, want, got))
