"""Child processes of a simulation: they end with their parent, and their output goes to a log file."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


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
            [*_with_parent(), *command],
            cwd=folder,
            env=dict(environment) if environment is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
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


def _with_parent() -> list[str]:
    """Begin of a command that the kernel kills when its parent is killed and can no longer do it; empty where there is no `setpriv`."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def reason(log: Path) -> str:
    """The line of `log` that says why a program failed: the first with the word "error", else the last that is not empty."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
    errors = (line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE))
    return next(errors, lines[-1] if lines else "no output")
