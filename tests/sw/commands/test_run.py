"""`rbonn run`: pictures, folders, arrays and data sets through a board in Python."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rbonn.sw.build.cache import file_digest
from rbonn.sw.datasets import Dataset, Split
from rbonn.sw.network.file import save_network

from ...random_networks import random_network
from ..host.fake_board import FakeBoard, answer_to, info
from ..host.test_device import board_of, network
from ..program import fails

IMAGES = np.random.default_rng(5).integers(0, 256, (12, 2, 2, 1), dtype=np.uint8)
LABELS = np.array([answer_to(image.tobytes()).label for image in IMAGES])


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeBoard:
    """What is on every port; its network lies in the file ``net`` of the folder."""
    given = network()
    board = board_of(given)

    def opened(port: str, baud: int) -> FakeBoard:
        board.closed = False
        board.bytes_per_second = baud / 10
        return board

    monkeypatch.setattr("rbonn.sw.host.device.SerialTransport", opened)
    monkeypatch.setattr("rbonn.sw.host.ports.list_ports.comports", list)
    save_network(given, tmp_path / "net.safetensors")
    return board


def save_picture(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image[..., 0]).save(path)


def test_pictures_folders_and_arrays_are_sent_in_their_order(rbonn, board: FakeBoard) -> None:
    save_picture(Path("one.png"), IMAGES[0])
    for k in (2, 1):
        save_picture(Path(f"folder/{k}.png"), IMAGES[k])
    Path("folder/notes.txt").write_text("no picture")
    np.save("rest.npy", IMAGES[3:])
    arguments = ("run", "net.safetensors", "-p", "x", "one.png", "folder", "rest.npy")
    status, out, _ = rbonn(*arguments, "--json")
    assert status == 0
    rows = json.loads(out)
    names = ["one.png", "folder/1.png", "folder/2.png", *(f"rest.npy[{k}]" for k in range(9))]
    assert [row["image"] for row in rows] == names
    assert [row["label"] for row in rows] == LABELS.tolist()
    _, out, _ = rbonn(*arguments)
    assert len(out.splitlines()) == len(names)
    _, out, _ = rbonn(*arguments, "--json", "--invert")
    inverted = [answer_to((255 - image).tobytes()).label for image in IMAGES]
    assert [row["label"] for row in json.loads(out)] == inverted


def test_a_data_set_gives_accuracy_confusion_and_speeds(
    rbonn, board: FakeBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = LABELS.copy()
    wrong[0] = (wrong[0] + 1) % 3
    dataset = Dataset("drawn", ("a", "b", "c"), Split(IMAGES, wrong), Split(IMAGES, wrong))
    monkeypatch.setattr("rbonn.sw.datasets.load_dataset", lambda name, folder, pictures: dataset)
    arguments = ("run", "net.safetensors", "-p", "x", "--dataset", "drawn", "-q")
    status, out, _ = rbonn(*arguments, "--json", "--images", 10)
    found = json.loads(out)
    assert (status, found["images"], found["accuracy"]) == (0, 10, 0.9)
    assert np.sum(found["confusion"]) == 10
    assert found["core_frames_per_second"] == 240_000
    status, out, _ = rbonn(*arguments)
    assert status == 0
    assert "11 of 12 right: 91.67 %" in out
    fails(rbonn(*arguments, "--images", 13), "13 images asked for, drawn has 12")
    board.writes.clear()
    other = Split(np.zeros((4, 3, 3, 1), np.uint8), np.zeros(4, np.uint8))
    monkeypatch.setattr(
        "rbonn.sw.datasets.load_dataset",
        lambda name, folder, pictures: Dataset("drawn", (), other, other),
    )
    fails(rbonn(*arguments), "images of (3, 3, 1)")
    assert not board.writes


def test_pictures_of_ones_own_are_known_by_their_networks_classes(
    rbonn, board: FakeBoard, tmp_path: Path
) -> None:
    given = network()
    save_network(replace(given, metadata={"dataset": "own"}), tmp_path / "net.safetensors")
    names = given.class_names
    for k, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True)):
        save_picture(Path("own", "test", names[label], f"{k}.png"), image)
        save_picture(Path("own", "train", names[k % len(names)], f"{k}.png"), image)
    arguments = ("run", "net.safetensors", "-p", "x", "--dataset", "own", "--data", "own", "-q")
    status, out, _ = rbonn(*arguments, "--json")
    assert status == 0
    assert json.loads(out)["accuracy"] == 1
    assert len(set(LABELS.tolist())) == len(names)
    fails(rbonn(*arguments[:-2], "a", "-q"), "no such folder of the data set own")
    fails(rbonn("run", "net.safetensors", "-p", "x", "--dataset", "owm"), "'owm' does not exist")


def write_build(folder: Path, clock_hz: float, board: str = "icebreaker", source: str = "") -> None:
    """What `rbonn build` leaves of a network, as far as `rbonn run` reads it."""
    folder.mkdir(parents=True)
    (folder / "top.bin").write_text("bits")
    nothing = dict.fromkeys(
        ("lut4", "carry", "ff", "block_rams", "dsp", "single_port_rams", "logic_cells"), 0
    )
    values = {
        "name": "fake", "source_hash": source or network().hash(), "board": board, "bitstream": "top.bin",
        "bitstream_sha256": file_digest(folder / "top.bin"), "resources": nothing, "capacity": {},
        "fmax_hz": 50e6, "clock_hz": clock_hz, "timing_met": True, "seed": 1, "seconds": 1.0,
        "cached": False, "tools": {},
    }  # fmt: skip
    (folder / "report.json").write_text(json.dumps(values))


def test_the_clock_is_that_of_the_build(rbonn, board: FakeBoard) -> None:
    def baud(*options: object) -> tuple[float, str]:
        status, _, err = rbonn("run", "net.safetensors", "-p", "x", "one.png", *options)
        assert status == 0, err
        return 10 * board.bytes_per_second, err

    save_picture(Path("one.png"), IMAGES[0])
    assert baud() == (3_000_000, "")  # 36 MHz, the board's own
    assert baud("--clock", 40)[0] == 2_000_000
    write_build(Path("build/fake-icebreaker"), 36e6)
    assert baud() == (3_000_000, "")
    write_build(Path("fast"), 40e6)
    assert baud("--build", "fast") == (2_000_000, "fast was built for 40 MHz\n")
    assert baud("--build", "fast", "--clock", 36) == (3_000_000, "")
    assert baud("--build", "fast", "--baud", 115_200)[0] == 115_200
    Path("build/fake-icebreaker").rename("old")
    Path("fast").rename("build/fake-icebreaker")
    assert baud()[0] == 2_000_000
    # Of another network, of another board, damaged.
    one = ("run", "net.safetensors", "-p", "x", "one.png")
    write_build(Path("other"), 40e6, source="00")
    fails(rbonn(*one, "--build", "other"), "other: no build of fake for icebreaker there")
    write_build(Path("board"), 40e6, board="icesugar")
    fails(rbonn(*one, "--build", "board"), "board: no build of fake for icebreaker there")
    Path("build/fake-icebreaker/top.bin").write_text("other bits")
    assert baud() == (3_000_000, "")


def test_a_picture_of_the_wrong_polarity_is_said_with_what_to_do(rbonn, board: FakeBoard) -> None:
    given = replace(network(), metadata={"dataset": "mnist"})
    save_network(given, Path("net.safetensors"))
    board.info = info(given.name, bytes.fromhex(given.hash())[:8])
    save_picture(Path("light.png"), np.full((2, 2, 1), 250, np.uint8))
    save_picture(Path("dark.png"), np.full((2, 2, 1), 5, np.uint8))
    one = ("run", "net.safetensors", "-p", "x")
    told = "light.png is dark on light, MNIST is light on dark: try --invert\n"
    assert rbonn(*one, "light.png", "dark.png")[2] == told
    told = "dark.png is dark on light, MNIST is light on dark: leave out --invert\n"
    assert rbonn(*one, "light.png", "dark.png", "--invert")[2] == told


def test_a_board_that_records_nothing_or_something_else_is_told_before_it_is_asked(
    rbonn, board: FakeBoard
) -> None:
    given = random_network((2, 2, 1), [], [2])
    save_network(given, Path("net.safetensors"))
    board.info = replace(info(given.name, bytes.fromhex(given.hash())[:8]), element_bits=1)
    np.save("one.npy", IMAGES[:1])
    one = ("run", "net.safetensors", "-p", "x", "one.npy")
    assert rbonn(*one)[0] == 0
    for trace_bytes, message, hint in (
        (0, "built without --trace", "Build and flash it with --trace scores."),
        (9, "other edges than --trace scores", "Name the edges"),
    ):
        board.info = replace(board.info, trace_bytes=trace_bytes)
        fails(rbonn(*one, "--trace", "scores"), message, hint)
    board.writes.clear()
    fails(rbonn(*one, "--trace", "score"), "no stage boundary 'score'", "scores")
    assert not board.writes


def test_what_cannot_be_sent_is_refused(rbonn, board: FakeBoard) -> None:
    Path("empty").mkdir()
    fails(rbonn("run", "net.safetensors", "-p", "x", "empty"), "no picture in this folder")
    np.save("wrong.npy", np.zeros((2, 3, 3, 1), np.uint8))
    fails(rbonn("run", "net.safetensors", "-p", "x", "wrong.npy"), "takes uint8 (n, 2, 2, 1)")
    np.save("none.npy", np.zeros((0, 2, 2, 1), np.uint8))
    fails(rbonn("run", "net.safetensors", "-p", "x", "none.npy"), "no image in this array")
    fails(rbonn("run", "net.safetensors", "-p", "x", "away.npy"), "away.npy: no such file")
    assert rbonn("run", "net.safetensors", "-p", "x")[0] == 2
    assert rbonn("run", "net.safetensors", "-p", "x", "a.png", "--dataset", "mnist")[0] == 2
    assert rbonn("run", "net.safetensors", "-p", "x", "a.png", "--images", 3)[0] == 2
    assert rbonn("run", "net.safetensors", "--dataset", "mnist", "--trace", "scores")[0] == 2
    save_picture(Path("one.png"), IMAGES[0])
    assert rbonn("run", "net.safetensors", "-p", "", "one.png")[0] == 2
    fails(rbonn("run", "net.safetensors", "one.png"), "No icebreaker is connected by USB")
