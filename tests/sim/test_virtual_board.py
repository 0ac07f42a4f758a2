# amaranth: UnusedElaboratable=no
"""`rbonn.sim.virtual_board`: the host library talks to a simulated top level through a pseudo-terminal, whatever happens to the line."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from rbonn.hw.top import Top, TopConfig
from rbonn.hw.trace import TraceConfig
from rbonn.sim.virtual_board import VirtualBoard, virtual_top
from rbonn.sw.cli import app
from rbonn.sw.errors import DeviceError
from rbonn.sw.host.device import Answer, Device
from rbonn.sw.host.protocol import ANSWER, Command, Frame, FrameReader, encode_frame
from rbonn.sw.host.transport import SerialTransport
from rbonn.sw.network.file import save_network
from rbonn.sw.network.golden import GoldenModel
from rbonn.sw.project import Project
from typer.testing import CliRunner, Result

from ..hw.serial_bench import DIVISOR, INFO, FakeCore, scores_of
from ..random_networks import ConvShape, random_network
from .bad_line import FAULTS, BadLine

pytestmark = pytest.mark.cosim

BAUD = 1_000_000
BOARD_INFO = replace(
    INFO, shape=(1, 48, 1), interval_cycles=60, receive_buffer_bytes=256, trace_bytes=48
)
IMAGES = [bytes((7 * k + place * place) % 256 for place in range(48)) for k in range(41)]


INTERVAL_CYCLES = 51
"""The core takes 48 bytes, then gives three scores."""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> VirtualBoard:
    traces = (TraceConfig("taken", 8, BOARD_INFO.trace_bytes),)
    config = TopConfig(BOARD_INFO, INFO.clock_hz // DIVISOR, traces=traces)
    top = Top(config, FakeCore(0, image_bytes=48))
    return VirtualBoard(top, tmp_path_factory.mktemp("board"))


@pytest.fixture
def board(compiled: VirtualBoard) -> Iterator[VirtualBoard]:
    with compiled:
        yield compiled


def right(answers: list[Answer], images: list[bytes]) -> bool:
    return [answer.scores.tolist() for answer in answers] == [scores_of(x) for x in images]


def test_every_command_of_the_host_works(board: VirtualBoard) -> None:
    with Device.open(board.port, BAUD) as device:
        assert device.info == BOARD_INFO
        assert right([device.infer(IMAGES[0])], IMAGES[:1])
        assert right(list(device.infer_many(IMAGES)), IMAGES)
        assert device.trace() == IMAGES[-1]
        assert device.benchmark().interval_cycles == INTERVAL_CYCLES
        device.reset()
        assert device.retries == 0
    # Another program may open the port afterwards.
    with Device.open(board.port, BAUD) as device:
        assert right(list(device.infer_many(iter(IMAGES[:5]))), IMAGES[:5])


def test_batches_without_a_gap_between_them_are_answered(board: VirtualBoard) -> None:
    n_batches, size = 10, BOARD_INFO.batch_images
    with Device.open(board.port, BAUD) as device:
        groups = [IMAGES[k : k + size] for k in range(n_batches)]
        frames = [
            Frame(k, Command.BATCH, b"".join(images)) for k, images in enumerate(groups, start=1)
        ]
        device.transport.write(b"".join(map(encode_frame, frames)))
        reader, answers = FrameReader(), []
        while len(answers) < n_batches and (received := device.transport.read(20)):
            answers += reader.feed(received)
    assert reader.damaged == 0
    for frame, answer, images in zip(frames, answers, groups, strict=True):
        assert (answer.sequence, answer.command) == (frame.sequence, Command.BATCH | ANSWER)
        scores = np.frombuffer(answer.payload, "<i4").reshape(size, -1)[:, :3]
        assert scores.tolist() == [scores_of(image) for image in images]


@pytest.mark.parametrize("fault", FAULTS)
def test_over_a_bad_line_no_answer_is_wrong_and_none_is_missing(
    fault: str, board: VirtualBoard
) -> None:
    with Device.open(board.port, BAUD) as device:
        device.infer(IMAGES[0])
    line = BadLine(SerialTransport(board.port, BAUD), FAULTS[fault], seed=3, every=6)
    with Device(line, timeout_s=0.3, attempts=30) as device:
        assert right(list(device.infer_many(IMAGES)), IMAGES)
        assert right([device.infer(image) for image in IMAGES[:30]], IMAGES[:30])
    assert line.faults > 3


@pytest.mark.parametrize("fault", FAULTS)
def test_over_a_bad_line_benchmarks_and_traces_are_right(fault: str, board: VirtualBoard) -> None:
    line = BadLine(SerialTransport(board.port, BAUD), FAULTS[fault], seed=5, every=3)
    with Device(line, timeout_s=0.3, attempts=30) as device:
        for image in IMAGES[:5]:
            assert right([device.infer(image)], [image])
            assert device.trace() == image
            assert device.benchmark().interval_cycles == INTERVAL_CYCLES
    assert line.faults > 3


def test_late_answers_are_no_wrong_ones(board: VirtualBoard) -> None:
    line = BadLine(SerialTransport(board.port, BAUD), FAULTS["flip"], 1, 10**9, delay=True)
    with Device(line, timeout_s=0.3, attempts=30) as device:
        assert right(list(device.infer_many(IMAGES)), IMAGES)


def test_an_unplugged_board_is_reported_and_the_next_run_works(compiled: VirtualBoard) -> None:
    images = IMAGES * 100
    with compiled, Device.open(compiled.port, BAUD) as device:
        answers = device.infer_many(images)
        assert right(list(islice(answers, 10)), images[:10])
        compiled.unplug()
        with pytest.raises(DeviceError, match="has vanished") as caught:
            list(answers)
    assert "unplugged" in caught.value.hint
    with compiled, Device.open(compiled.port, BAUD) as device:
        assert right(list(device.infer_many(IMAGES)), IMAGES)


def test_a_host_that_ends_in_the_middle_of_a_batch_leaves_nothing_behind(
    board: VirtualBoard,
) -> None:
    with Device.open(board.port, BAUD) as device:
        next(device.infer_many(IMAGES))
    line = SerialTransport(board.port, BAUD)
    line.write(b"\x30 begun and left")
    line.close()
    with Device.open(board.port, BAUD) as device:
        assert right(list(device.infer_many(IMAGES)), IMAGES)
        assert device.retries == 0


def test_the_board_ends_when_its_parent_is_killed(compiled: VirtualBoard) -> None:
    command = [str(part) for part in compiled._command]
    program = f"""
import subprocess, time
board = subprocess.Popen({command!r}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
print(board.stdout.readline().decode().strip(), flush=True)
time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent, parent.stdout:
        port = Path(parent.stdout.readline().strip())
        assert port.exists()
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    for _ in range(200):
        if not port.exists():
            return
        time.sleep(0.05)
    raise AssertionError("the board is still there")


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> tuple[VirtualBoard, Path, list[str]]:
    """A board that records every edge it can of a small network, the network's file, and the edges."""
    folder = tmp_path_factory.mktemp("traced")
    path = folder / "net.safetensors"
    save_network(random_network((6, 6, 1), [ConvShape(4)], [5], seed=2), path)
    edges = list(Project.find(str(path), "icebreaker").traceable)
    project = Project.find(str(path), "icebreaker", traced=edges)
    return VirtualBoard(virtual_top(project, "portable"), folder / "board"), path, edges


@pytest.mark.slow
def test_what_a_board_records_is_what_the_golden_model_says(
    traced: tuple[VirtualBoard, Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled, network, edges = traced
    assert len(edges) > 3
    np.save(tmp_path / "images.npy", np.random.default_rng(3).integers(0, 256, (3, 6, 6, 1), np.uint8))  # fmt: skip
    runner = CliRunner()

    def run(*named: str, clock: tuple[str, ...] = ()) -> Result:
        options = [option for edge in named for option in ("--trace", edge)]
        arguments = ["run", str(network), str(tmp_path / "images.npy"), "-p", compiled.port]
        return runner.invoke(app, [*arguments, *options, *clock])

    with compiled:
        found = run(*edges)
        assert found.exit_code == 0, found.output
        for edge in edges:
            assert f"{edge}: 0 of " in found.stderr
        # Other edges, another order, another clock: another circuit.
        for other in (run(*edges[1:]), run(*edges[::-1]), run(*edges, clock=("--clock", "24"))):
            assert isinstance(other.exception, DeviceError)
            assert "built for another plan, clock or other edges" in other.exception.message
        assert run().exit_code == 0
        # A golden model that says something else of one value.
        edges_of = GoldenModel.edges

        def wrong(model: GoldenModel, images: np.ndarray, keep: list[str]) -> dict:
            values = edges_of(model, images, keep=keep)
            values[keep[-1]].reshape(-1)[1] += 1
            return values

        monkeypatch.setattr(GoldenModel, "edges", wrong)
        found = run(*edges)
        assert found.exit_code == 1
        assert f"{edges[-1]}: 1 of " in found.stderr
