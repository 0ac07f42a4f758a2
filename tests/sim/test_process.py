"""`rbonn.sim.process`: children are logged, and end with their parent."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rbonn.sim.process import reason, run_logged


def is_running(process: int) -> bool:
    try:
        return (Path("/proc") / str(process) / "stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_what_a_command_prints_is_appended_to_the_log_and_seen_line_by_line(tmp_path: Path) -> None:
    lines: list[str] = []
    log = tmp_path / "log"
    log.write_text("before\n")
    command = ["sh", "-c", "echo one; echo two >&2; echo $NAME; exit 3"]
    assert run_logged(command, tmp_path, log, os.environ | {"NAME": "x"}, lines.append) == 3
    assert lines == ["one\n", "two\n", "x\n"]
    assert log.read_text() == "before\none\ntwo\nx\n"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_an_interrupt_kills_the_command_and_its_children(tmp_path: Path) -> None:
    def interrupt(line: str) -> None:
        processes.append(int(line))
        if len(processes) == 2:
            raise KeyboardInterrupt

    processes: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        run_logged(
            ["sh", "-c", "sleep 60 & echo $!; echo $$; wait"],
            tmp_path,
            tmp_path / "log",
            on_line=interrupt,
        )
    deadline = time.monotonic() + 5
    while any(map(is_running, processes)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(processes) == 2
    assert not any(map(is_running, processes))


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv of util-linux")
def test_a_command_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; from rbonn.sim.process import run_logged; "
        "run_logged(['sh', '-c', 'echo $$; exec sleep 60'], Path(), Path('log'), on_line=lambda line: print(line, flush=True))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 5
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(child)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("start\n%Error: no module\nmore\n", "%Error: no module"),
        ("a.cpp:1: fatal error: x.h\nmake: *** Error 1\n", "a.cpp:1: fatal error: x.h"),
        ("first\nlast\n\n", "last"),
        ("", "no output"),
    ],
)
def test_the_reason_of_a_failure_is_its_first_error(text: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(text)
    assert reason(tmp_path / "log") == line
