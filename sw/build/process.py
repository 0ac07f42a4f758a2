"""Runs one tool of a build: output in a log, a time limit, and nothing left running when the build is interrupted."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..errors import BuildFailedError

_POLL_SECONDS = 0.05


def run_tool(
    command: Sequence[str | Path],
    folder: Path,
    output: Path,
    *,
    timeout_seconds: float | None = None,
    watch: Callable[[], None] | None = None,
) -> int:
    """Runs `command` in `folder` until it ends.

    Parameters
    ----------
    command : Sequence - program and arguments; paths relative to `folder`, because YoWASP replaces ``/tmp`` by its own
    output : Path - file that receives what it prints
    timeout_seconds : float | None - the command is ended after this time
    watch : Callable | None - called every so often while it runs

    Returns
    -------
    int - exit status

    Raises
    ------
    BuildFailedError - it took longer than `timeout_seconds`
    Whatever interrupts it (KeyboardInterrupt among others), after the command and its children have been ended.
    """
    start = time.monotonic()
    with output.open("wb") as file:
        # A session of its own: Ctrl-C reaches this program only, which then ends the command.
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.wait(_POLL_SECONDS)
                if watch is not None:
                    watch()
                if timeout_seconds is not None and time.monotonic() - start > timeout_seconds:
                    raise BuildFailedError(
                        f"{Path(command[0]).name}: not finished after {timeout_seconds:g} seconds ({output})",
                        "Allow more time, or ask for a lower clock or a smaller design.",
                    )
        finally:
            _end(process)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Lets SIGTERM end the block as SystemExit does, so that what it started and wrote is cleaned up.

    Does nothing outside the main thread, and where the program handles the signal itself.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def last_error(*logs: Path) -> str:
    """The line that says why a tool failed: the first ``ERROR`` of the logs, else their last line that is not empty."""
    last = ""
    for log in logs:
        if not log.is_file():
            continue
        for line in log.read_text(errors="replace").splitlines():
            if re.match(r"(\S+: )?ERROR\b", line):
                return line.strip()
            last = line.strip() or last
    return last or "no output"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process that still runs, together with its children."""
    if process.poll() is not None:
        return
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
