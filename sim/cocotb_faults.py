"""The cocotb test of a top level at the end of a bad line: requests of every command suffer every fault on their way.

What must come back follows from the bytes that were sent: what lies between two delimiters is an intact request, which must be answered right, or it is not, and must be
refused. Behind each fault go a delimiter and an image; its answer must be right, and not later than without the fault but for what the board sends meanwhile and the time
of one image in the core. Runs inside the simulator, in the folder that has ``link.json`` and ``link.npz``; writes ``result.json``.
"""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cocotb
import numpy as np

from ..sw.host.protocol import (
    ANSWER,
    DELIMITER,
    ERROR,
    Command,
    ErrorCode,
    Frame,
    FrameError,
    FrameReader,
    Info,
    decode_answer,
    decode_frame,
    encode_frame,
)
from .cocotb_link import NoAnswerError
from .line import SimulatedLine
from .line_faults import FAULTS, Fault
from .plan import PROGRESS
from .scoreboard import Mismatch

DAMAGE = (ErrorCode.DAMAGED, ErrorCode.OVERRUN)
"""With what a request is refused that is not as it was sent."""

SLACK_BYTES = 4
"""Times of a byte by which an answer may be later than expected: delimiters, and phases of the line."""


@cocotb.test()
async def every_fault_is_survived(dut: Any) -> None:
    """Every command with every fault; fails at any wrong answer, at one too many or too few, and at one that is late."""
    trial = Trial(dut, Path.cwd())
    failure = None
    try:
        await trial.run()
    except NoAnswerError as error:
        failure = str(error)
    first = asdict(trial.mismatches[0]) if trial.mismatches else None
    result = {
        "failure": failure,
        "mismatches": len(trial.mismatches),
        "first_mismatch": first,
        "answers_compared": trial.compared,
        "faults": trial.faults,
        "overruns": trial.overruns,
        "latest_cycles": trial.latest_cycles,
        "cycles": trial.line.cycle,
    }
    Path("result.json").write_text(json.dumps(result), encoding="utf-8")
    assert failure is None, failure
    assert not trial.mismatches, trial.mismatches[0]
    assert trial.compared


class Trial:
    """Requests that suffer, their answers and what differed.

    Parameters
    ----------
    dut : handle of the bench
    folder : Path - where ``link.json`` and ``link.npz`` are
    """

    def __init__(self, dut: Any, folder: Path) -> None:
        self.plan = json.loads((folder / "link.json").read_text(encoding="utf-8"))
        with np.load(folder / "link.npz", allow_pickle=False) as arrays:
            self.images = [image.tobytes() for image in arrays["images"]]
            self.traces = [trace.tobytes() for trace in arrays["traces"]]
            self.answers = list(zip(arrays["scores"].tolist(), arrays["labels"].tolist(), strict=True))  # fmt: skip
            self.info_payload = arrays["info"].tobytes()
        self.info = Info.decode(self.info_payload)
        self.line = SimulatedLine(dut, self.plan["bit_cycles"])
        self.rng = random.Random(self.plan["seed"])
        self.reader = FrameReader()
        self.received_bytes = 0
        self.sequence = 0
        self.last_image = self.traced_image = 0  # the last one that was answered; that of a TRACE
        self.benchmark = b""
        self.what = "nothing"
        self.alone_cycles = 0.0
        self.latest_cycles = 0
        self.compared = self.faults = self.overruns = 0
        self.mismatches: list[Mismatch] = []

    async def run(self) -> None:
        """Everything without a fault, then with each."""
        await self.line.wait(self.plan["power_on_cycles"])
        commands = [command for command in Command if command in self.info.commands]
        await self.measure()
        for command in commands:
            await self.suffer("none", command, lambda rng, request, buffer: [request])
        rounds, done = self.plan["rounds"], 0
        for _ in range(rounds):
            for command in commands:
                for name, fault in FAULTS.items():
                    await self.suffer(name, command, fault)
                    done += 1
                    total = rounds * len(commands) * len(FAULTS)
                    print(f"{PROGRESS} {done} {total} faults", flush=True)
        self.faults = done

    async def measure(self) -> None:
        """How long an answer takes after its request, and what BENCHMARK says, undisturbed."""
        for number in range(len(self.images)):
            request = self._image_request(number)
            frames, cycles = await self.ask(request)
            self._judge("none.INFER", [request], frames)
            self.alone_cycles = max(self.alone_cycles, cycles)
        if Command.BENCHMARK in self.info.commands:
            frames, _ = await self.ask(Frame(self.sequence, Command.BENCHMARK))
            self.benchmark = frames[-1].payload
        await self.ask(self._image_request(self.last_image))

    async def suffer(self, name: str, command: Command, fault: Fault) -> None:
        """A request of `command` with that fault, and an image behind it."""
        self.what = what = f"{name}.{command.name}"
        self.traced_image = self.last_image
        before = self.received_bytes
        sent = b""
        for piece in fault(self.rng, encode_frame(self._request(command)), self.info.receive_buffer_bytes):  # fmt: skip
            if isinstance(piece, bytes):
                await self.line.send(piece)
                sent += piece
            elif piece is not None:
                await self.line.wait(piece * self.line.bit_cycles)
            else:
                await self.line.send_break()
                sent = b""
        expected = _requests_in(sent)
        if name in ("noise", "flood"):
            # What the buffer cannot take is lost, so a host waits until nothing comes any more.
            frames = await self.until_silent()
            self._check_all(what, [request for request in expected if request], frames)
            expected, before = [], self.received_bytes
        probe = self._image_request(self.rng.randrange(len(self.images)))
        frames, cycles = await self.ask(probe)
        if name == "reset" and len(frames) == len(expected):
            expected = expected[1:]  # the refusal was not finished when the reset came
        self._judge(what, [*expected, probe], frames)
        if not any(expected):
            others = self.received_bytes - before - len(encode_frame(frames[-1]))
            line_cycles = 10 * self.line.bit_cycles * (others + SLACK_BYTES)
            late = cycles - self.alone_cycles - line_cycles
            self.latest_cycles = max(self.latest_cycles, round(late))
            bound = self.info.interval_cycles
            self._compare(f"{what}.cycles_late", bound, max(bound, round(late)))

    async def ask(self, request: Frame) -> tuple[list[Frame], float]:
        """Sends a delimiter and `request`: what comes up to its answer, and how long after its last bit that was. Raises NoAnswerError."""
        await self.line.send(DELIMITER + encode_frame(request))
        started = self.line.cycle
        frames: list[Frame] = []
        while not frames or frames[-1].sequence != request.sequence or frames[-1].command == ERROR:
            new = await self._receive(self.plan["patience_cycles"])
            if new is None:
                raise NoAnswerError(
                    f"no answer to {Command(request.command).name} (sequence {request.sequence}) behind {self.what} "
                    f"for {self.plan['patience_cycles']} cycles, until cycle {self.line.cycle}"
                )
            frames += new
        if request.command == Command.INFER:
            self.last_image = self.images.index(request.payload)
        return frames, self.line.cycle - started

    async def until_silent(self) -> list[Frame]:
        """Ends what is begun on the line, with a second delimiter because a full buffer loses the first; the frames that come until none does."""
        frames: list[Frame] = []
        for _ in range(2):
            await self.line.send(DELIMITER)
            while (new := await self._receive(self.plan["patience_cycles"])) is not None:
                frames += new
        return frames

    async def _receive(self, cycles: float) -> list[Frame] | None:
        """Intact frames, perhaps none, of what comes next; None if nothing comes."""
        data = await self.line.receive(cycles)
        self.received_bytes += len(data)
        frames = list(self.reader.feed(data))
        self.overruns += sum(_refusal(frame) == ErrorCode.OVERRUN for frame in frames)
        return frames if data else None

    def _request(self, command: Command) -> Frame:
        self.sequence = (self.sequence + 1) % 256
        count = {Command.INFER: 1, Command.BATCH: self.info.batch_images}.get(command, 0)
        return Frame(self.sequence, command, b"".join(self.rng.choices(self.images, k=count)))

    def _image_request(self, number: int) -> Frame:
        self.sequence = (self.sequence + 1) % 256
        return Frame(self.sequence, Command.INFER, self.images[number])

    def _judge(self, what: str, expected: list[Frame | None], frames: list[Frame]) -> None:
        """Compares what came with the requests that were sent, in their order; None is one that must be refused."""
        self._compare(f"{what}.answers", len(expected), len(frames))
        for request, frame in zip(expected, frames, strict=False):
            if request is None:
                self._compare(f"{what}.refused", 1, int(_refusal(frame) in DAMAGE))
            else:
                self._compare(f"{what}.right", 1, int(self._is_right(request, frame)))

    def _check_all(self, what: str, requests: list[Frame], frames: list[Frame]) -> None:
        """Each frame is a refusal, or the right answer to one of `requests`."""
        for frame in frames:
            is_right = any(self._is_right(request, frame) for request in requests)
            self._compare(f"{what}.right", 1, int(is_right or _refusal(frame) in DAMAGE))
        self._compare(f"{what}.answers", 1, int(len(frames) > 0))

    def _is_right(self, request: Frame, frame: Frame) -> bool:
        """Whether `frame` answers `request` with what is right."""
        if (frame.sequence, frame.command) != (request.sequence, request.command | ANSWER):
            return False
        if request.command in (Command.INFER, Command.BATCH):
            size, image_bytes = self.info.answer_bytes, self.info.image_bytes
            count = len(request.payload) // image_bytes
            if len(frame.payload) != count * size:
                return False
            parts = [frame.payload[k * size : (k + 1) * size] for k in range(count)]
            got = [decode_answer(part, self.info.n_classes) for part in parts]
            images = [request.payload[k * image_bytes : (k + 1) * image_bytes] for k in range(count)]  # fmt: skip
            want = [self.answers[self.images.index(image)] for image in images]
            return [(answer.scores.tolist(), answer.label) for answer in got] == want
        payloads = {
            Command.INFO: self.info_payload,
            Command.BENCHMARK: self.benchmark,
            Command.TRACE: self.traces[self.traced_image] if self.traces else b"",
            Command.RESET: b"",
        }
        return frame.payload == payloads[Command(request.command)]

    def _compare(self, what: str, want: int, got: int) -> None:
        self.compared += 1
        if want != got:
            self.mismatches.append(Mismatch(f"link.{what}", self.compared, 0, 0, 0, want, got))


def _requests_in(sent: bytes) -> list[Frame | None]:
    """What `sent` is to the board, which gets a delimiter behind it: intact requests, and None for all else between delimiters."""
    found: list[Frame | None] = []
    for encoded in filter(None, sent.split(DELIMITER)):
        try:
            found.append(decode_frame(encoded))
        except FrameError:
            found.append(None)
    return found


def _refusal(frame: Frame) -> int | None:
    """The code of an error; None of an answer."""
    return int.from_bytes(frame.payload, "little") if frame.command == ERROR else None
