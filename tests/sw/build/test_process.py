import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rbonn.sw.build.process import last_error, run_tool
from rbonn.sw.errors import BuildFailedError


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] == "Z")


def test_the_status_is_returned_and_the_output_is_kept(tmp_path: Path):
    command = [sys.executable, "-c", "import os; print(os.getcwd()); raise SystemExit(3)"]
    assert run_tool(command, tmp_path, tmp_path / "out") == 3
    assert (tmp_path / "out").read_text().strip() == str(tmp_path.resolve())


def test_a_command_that_takes_too_long_is_ended_with_its_children(tmp_path: Path):
    script = "import os, subprocess, sys, time; print(os.getpid(), subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"
    start = time.monotonic()
    with pytest.raises(BuildFailedError, match=r"not finished after 0\.5 seconds"):
        run_tool([sys.executable, "-c", script], tmp_path, tmp_path / "out", timeout_seconds=0.5)
    assert time.monotonic() - start < 10
    pids = [int(word) for word in (tmp_path / "out").read_text().split()]
    assert len(pids) == 2
    time.sleep(0.1)
    assert not any(alive(pid) for pid in pids)


def test_the_watcher_is_called_while_the_command_runs(tmp_path: Path):
    calls = []
    run_tool(["sleep", "0.4"], tmp_path, tmp_path / "out", watch=lambda: calls.append(1))
    assert len(calls) >= 2


def test_an_interrupt_ends_the_command(tmp_path: Path):
    script = (
        "from pathlib import Path\n"
        "from rbonn.sw.build.process import run_tool\n"
        "print('ready', flush=True)\n"
        "run_tool(['sh', '-c', 'echo $$; exec sleep 60'], Path('.'), Path('out'))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + 30
        while not ((tmp_path / "out").exists() and (tmp_path / "out").read_text().strip()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert b"KeyboardInterrupt" in errors
    assert not alive(int((tmp_path / "out").read_text()))


def test_the_error_line_is_the_first_error_else_the_last_line(tmp_path: Path):
    log, empty = tmp_path / "log", tmp_path / "empty"
    empty.write_text("\n\n")
    log.write_text("Info: fine\nERROR: cannot place\nmore\nERROR: later\n")
    assert last_error(log) == "ERROR: cannot place"
    log.write_text("top.v:12: ERROR: syntax error\nend\n")
    assert last_error(log) == "top.v:12: ERROR: syntax error"
    log.write_text("starting\nwasm trap: out of memory\n\n")
    assert last_error(empty, log) == "wasm trap: out of memory"
    assert last_error(empty) == "no output"
    assert last_error(tmp_path / "missing") == "no output"
