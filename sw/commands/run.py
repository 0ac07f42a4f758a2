"""The command `rbonn run`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from ..errors import DeviceError, InputFileError
from ..terminal import Terminal
from .arguments import AsJson, BoardName, DataFolder, NetworkName, Quiet, Traced

if TYPE_CHECKING:
    from ...boards import Board
    from ..host.device import Device
    from ..host.evaluation import Evaluation
    from ..host.protocol import Answer
    from ..network import Network
    from ..project import Project


def run(
    network: NetworkName,
    images: Annotated[
        list[Path] | None,
        typer.Argument(help="Pictures (PNG, JPEG, PGM ...), folders of them, .npy files."),
    ] = None,
    port: Annotated[
        str | None,
        typer.Option("--port", "-p", help="Serial port [default: the board's, found by USB]."),
    ] = None,
    board: BoardName = "icebreaker",
    dataset: Annotated[
        str | None, typer.Option(help="Test images of a data set: how many are right, how fast.")
    ] = None,
    count: Annotated[
        int | None,
        typer.Option("--images", "-n", min=1, help="How many of them [default: all]."),
    ] = None,
    data: DataFolder = None,
    clock: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=1000,
            help="Clock in MHz that it was built for [default: the build's, else the board's].",
        ),
    ] = None,
    build: Annotated[
        Path | None,
        typer.Option(help="Folder of the build that it runs [default: build/NETWORK-BOARD]."),
    ] = None,
    trace: Traced = None,
    baud: Annotated[
        int | None, typer.Option(min=300, help="Baud rate [default: the fastest at that clock].")
    ] = None,
    resize: Annotated[
        bool, typer.Option("--resize", help="Scale pictures of another size.")
    ] = False,
    invert: Annotated[
        bool, typer.Option("--invert", help="Take the negative of each picture.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Send images to a board and print its answers; of a data set, how many are right and how fast they come."""
    from ..build.target import find_board
    from ..host.device import Device
    from ..models import find_network
    from ..project import Project, baud_at

    if bool(images) == (dataset is not None):
        raise typer.BadParameter("name images, or a data set with --dataset", param_hint="IMAGES")
    if count is not None and dataset is None:
        raise typer.BadParameter("it is for --dataset", param_hint="--images")
    if trace and dataset is not None:
        raise typer.BadParameter("it is for named images", param_hint="--trace")
    terminal = Terminal(as_json, quiet)
    target, loaded = find_board(board), find_network(network)
    clock_hz = (
        round(clock * 1e6)
        if clock is not None
        else _built_clock_hz(terminal, target, loaded, build)
    )
    rate = baud or baud_at(target, clock_hz)
    traced = Project.find(network, board, clock_mhz=clock_hz / 1e6, traced=trace) if trace else None
    if dataset is not None:
        # What is wrong with the data is said before the board is asked.
        test_images, test_labels = _test_set(loaded, dataset, data, count)
        with Device.open(_port(port, target), rate, loaded) as device:
            _evaluate(terminal, device, loaded, test_images, test_labels)
        return
    named = [
        pair
        for path in images or ()
        for pair in _images(path, loaded, resize=resize, invert=invert)
    ]
    _say_polarity(terminal, named, loaded, invert=invert)
    rows = []
    with Device.open(_port(port, target), rate, loaded) as device:
        if traced:
            _check_records(device, traced)
        answers = device.infer_many(image for _, image in named)
        for (name, _), answer in zip(named, answers, strict=True):
            rows.append(_row(terminal, loaded, name, answer))
        different = _compare(terminal, device, named[-1][1], traced) if traced else 0
    terminal.json(rows)
    if different:
        raise typer.Exit(1)


def _port(named: str | None, board: Board) -> str:
    """The port that is named, or the board's."""
    from ..host.ports import find_port

    if named == "":
        raise typer.BadParameter("name a port, or leave it out", param_hint="--port")
    return named or find_port(board.name, board.uart.usb_ids)


def _built_clock_hz(terminal: Terminal, board: Board, network: Network, build: Path | None) -> int:
    """Clock of the build in a folder, which has to be there if it is named; where there is none, the board's own."""
    from ..build.result import built_clock_hz
    from ..project import default_folder

    folder = build or default_folder(network.name, board.name)
    clock_hz = built_clock_hz(folder, board.name, network.hash())
    if clock_hz is None and build is not None:
        raise InputFileError(
            f"{build}: no build of {network.name} for {board.name} there",
            "Name the folder that 'rbonn build' wrote, or the clock with --clock.",
        )
    if clock_hz not in (None, board.clock_hz):
        terminal.say(f"{folder} was built for {clock_hz / 1e6:g} MHz")
    return clock_hz or board.clock_hz


def _images(
    path: Path, network: Network, *, resize: bool, invert: bool
) -> Iterator[tuple[str, np.ndarray]]:
    """Names and raw images of a picture, of all pictures in a folder by name, or of a .npy file."""
    from ..host.images import read_image
    from ..models import load_images
    from ..pictures import pictures_in

    if path.suffix.lower() == ".npy":
        for k, image in enumerate(load_images(path, network)):
            yield f"{path}[{k}]", 255 - image if invert else image
        return
    for picture in pictures_in(path) if path.is_dir() else [path]:
        yield str(picture), read_image(picture, network, resize=resize, invert=invert)


def _say_polarity(
    terminal: Terminal, named: list[tuple[str, np.ndarray]], network: Network, *, invert: bool
) -> None:
    from ..host.images import polarity_hint

    for name, image in named:
        if hint := polarity_hint(image, network):
            terminal.say(f"{name} is {hint}: {'leave out' if invert else 'try'} --invert")


def _row(terminal: Terminal, network: Network, name: str, answer: Answer) -> dict[str, object]:
    """Prints an answer; what JSON says of it."""
    label = network.class_names[answer.label]
    scores = " ".join(
        f"{name}:{score}" for name, score in zip(network.class_names, answer.scores, strict=True)
    )
    terminal.result(f"{name}: {label}   ({scores}; {answer.cycles} cycles)")
    return {
        "schema": 1,
        "image": name,
        "label": answer.label,
        "class": label,
        "scores": answer.scores.tolist(),
        "cycles": answer.cycles,
    }


def _check_records(device: Device, project: Project) -> None:
    """Checks that the board is the project's, traced edges included. Raises DeviceError."""
    if device.info.trace_bytes == 0:
        raise DeviceError(
            f"The board on {device.transport.name} was built without --trace",
            f"Build and flash it with {_options(project)}.",
        )
    if device.info.design_hash != project.info.design_hash:
        raise DeviceError(
            f"The board on {device.transport.name} was built for another plan, clock or other edges than {_options(project)} on {project.board.name}",
            "Name the edges that it was built with, in the same order, and its clock; traces of other plans are read by Device.trace.",
        )


def _compare(terminal: Terminal, device: Device, image: np.ndarray, project: Project) -> int:
    """Compares what the board recorded of the last image with the golden model, and says it; how many values differ."""
    from ..host.trace import trace_values
    from ..network.golden import GoldenModel

    golden = GoldenModel(project.network).edges(image[None], keep=project.traced)
    total = 0
    for edge, values in trace_values(device.trace(), project.traces, project.network).items():
        different = int(np.count_nonzero(values != golden[edge][0].numpy()))
        terminal.say(f"{edge}: {different} of {values.size} values differ from the golden model's")
        total += different
    return total


def _options(project: Project) -> str:
    """The edges that are traced, as a user writes them."""
    return " ".join(f"--trace {edge}" for edge in project.traced)


def _test_set(
    network: Network, dataset: str, folder: Path | None, count: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` test images of a data set and their labels."""
    from ..datasets import load_dataset
    from ..models import own_pictures

    own = dataset == network.metadata.get("dataset")
    pictures = own_pictures(network) if own else None
    test = load_dataset(dataset, folder, pictures).test
    if test.images.shape[1:] != network.input_type.shape:
        raise InputFileError(
            f"{dataset} has images of {test.images.shape[1:]}, {network.name} takes {network.input_type.shape}",
            "Name the data set that the network was trained on.",
        )
    if count is not None and count > len(test):
        raise InputFileError(
            f"{count} images asked for, {dataset} has {len(test)} test images",
            "Ask for fewer images.",
        )
    return test.images[:count], test.labels[:count]


def _evaluate(
    terminal: Terminal, device: Device, network: Network, images: np.ndarray, labels: np.ndarray
) -> None:
    from ..host.evaluation import evaluate

    with terminal.progress("run") as bar:
        found = evaluate(device, images, labels, bar.steps)
    terminal.json(
        {
            "schema": 1,
            "network": network.name,
            "images": found.images,
            "accuracy": found.accuracy,
            "confusion": found.confusion.tolist(),
            "seconds": found.seconds,
            "frames_per_second": found.frames_per_second,
            "line_share": found.line_share,
            "core_frames_per_second": found.core_frames_per_second,
            "latency_ms": found.latency_ms,
            "retries": found.retries,
        }
    )
    _print(terminal, found, network)


def _print(terminal: Terminal, found: Evaluation, network: Network) -> None:
    names = network.class_names
    terminal.table(
        "Images by class (rows) and by the board's answer (columns)",
        ["", *names, "right %"],
        (
            [name, *row, f"{100 * row[k] / max(sum(row), 1):.1f}"]
            for k, (name, row) in enumerate(zip(names, found.confusion.tolist(), strict=True))
        ),
    )
    times = ", ".join(f"{name} {value:.2f}" for name, value in found.latency_ms.items())
    terminal.result(
        f"{found.right} of {found.images} right: {100 * found.accuracy:.2f} %\n"
        f"{found.frames_per_second:,.0f} frames per second end to end; the line carried images {100 * found.line_share:.0f} % of the time"
    )
    if found.core_frames_per_second is not None:
        terminal.result(f"{found.core_frames_per_second:,.0f} frames per second in the core")
    terminal.result(
        f"{times} ms from image to answer, one by one; {found.retries} requests repeated"
    )
