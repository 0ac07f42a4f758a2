"""Child processes of a simulation: they end with their parent, and their output goes to a log file."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def run_logged(
    command: Sequence[str],
    folder: Path,
    log: Path,
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> int:
    """Runs `command` in `folder`, appends what it prints to `log` and returns its exit status (negative: the signal that ended it).

    `on_line` sees each line of its output. If anything is raised meanwhile (Ctrl-C), the command and its children are killed first.
    """
    with log.open("a", encoding="utf-8") as file:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=dict(environment) if environment is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        assert process.stdout is not None
        try:
            with process.stdout:
                for line in process.stdout:
                    file.write(line)
                    if on_line:
                        on_line(line)
            return process.wait()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _end_with_parent() -> None:
    """Lets the kernel kill this process when its parent is killed, which then cannot do it (Linux only)."""
    if _LIBC:
        _LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def reason(log: Path) -> str:
    """The line of `log` that says why a program failed: the first with the word "error", else the last that is not empty."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
    errors = (line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE))
    return next(errors, lines[-1] if lines else "no output")
