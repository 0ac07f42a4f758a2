"""Whatever ends a training, it goes on from its last checkpoint to the same bits: SIGKILL, Ctrl-C, a polite kill, a full disk."""

import dataclasses
import os
import random
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from rbonn.sw.errors import OutputError
from rbonn.sw.train import loop, training_record
from rbonn.sw.train.checkpoint import read_checkpoint
from rbonn.sw.train.history import History

from . import killed_training
from .killed_training import STEPS_PER_EPOCH, Clock, start

CHILD = Path(killed_training.__file__)
N_STEPS = 3 * STEPS_PER_EPOCH


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(loop, "time", Clock())
    return loop.time


@pytest.fixture(autouse=True, scope="module")
def _no_drawing():
    """Plots take longer than these trainings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            training_record, "plot_history", lambda history, path, title: path.write_text(title)
        )
        yield


@pytest.fixture(autouse=True)
def _deterministic():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Folder of an uninterrupted training."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "time", Clock())
        start(folder, loop.time).run(quiet=True)
    return folder


def killed(folder, where, step):
    """Runs a training in a process of its own, which SIGKILL ends; whether anything was printed is its own affair."""
    command = [sys.executable, str(CHILD), str(folder), where, str(step)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def position(folder):
    """Steps done when the last checkpoint was written."""
    results = read_checkpoint(folder / "last.safetensors").results
    return results["epoch"] * STEPS_PER_EPOCH + results["step"]


def assert_same_end(whole, parts):
    expected, found = (read_checkpoint(folder / "last.safetensors") for folder in (whole, parts))
    assert expected.tensors.keys() == found.tensors.keys()
    for name, tensor in expected.tensors.items():
        assert torch.equal(tensor, found.tensors[name]), name
    for name in ("epoch", "step", "loss_sum", "n_right", "best_epoch", "selection_accuracy"):
        assert expected.results[name] == found.results[name], name
    histories = [History.from_json(contents.results["history"]) for contents in (expected, found)]
    first, second = ([dataclasses.replace(r, seconds=0) for r in h] for h in histories)
    assert first == second
    best = [read_checkpoint(folder / "checkpoint.safetensors").tensors for folder in (whole, parts)]
    assert all(torch.equal(tensor, best[1][name]) for name, tensor in best[0].items())


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_after_sigkill_at_a_random_step_a_resumed_training_has_the_same_bits(
    tmp_path, whole, clock, seed
):
    step = random.Random(seed).randrange(4, N_STEPS - 6)
    killed(tmp_path, "step", step)
    before = position(tmp_path)
    assert step - 3 <= before < step
    killed(tmp_path, "write", 4)  # while a checkpoint is half on the disk, but never in its place
    assert before < position(tmp_path) <= before + 4
    assert list(tmp_path.glob(".last.safetensors.*"))
    start(tmp_path, clock).run(quiet=True)
    assert_same_end(whole, tmp_path)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_a_signal_is_obeyed_at_the_end_of_the_step_and_loses_nothing(
    tmp_path, whole, clock, number, error, caplog
):
    handler = signal.getsignal(number)
    step = STEPS_PER_EPOCH + 2
    training = start(tmp_path, clock, lambda n: os.kill(os.getpid(), number) if n == step else None)
    with pytest.raises(error) as caught:
        training.run(quiet=True)
    if error is SystemExit:
        assert caught.value.code == 143
    assert signal.getsignal(number) == handler
    assert position(tmp_path) == step
    last = tmp_path / "last.safetensors"
    assert caplog.messages == [
        f"stopped in step 2 of epoch 2; the state is in {last}; go on with --resume"
    ]
    assert (tmp_path / "history.svg").exists()
    start(tmp_path, clock).run(quiet=True)
    assert_same_end(whole, tmp_path)


def test_a_second_ctrl_c_does_not_wait(tmp_path, clock, caplog):
    def twice(n):
        if n == 5:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            raise AssertionError("the second one was kept waiting")

    with pytest.raises(KeyboardInterrupt):
        start(tmp_path, clock, twice).run(quiet=True)
    assert position(tmp_path) == 3
    assert "stopped in step 3 of epoch 1;" in caplog.text  # where it goes on


def test_a_training_stopped_in_its_first_epoch_has_no_history_yet(tmp_path, clock):
    training = start(tmp_path, clock, lambda n: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        training.run(quiet=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events", "last.safetensors"]


def test_a_full_disk_leaves_the_previous_checkpoint_and_a_line_that_says_so(tmp_path, whole, clock):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_the_disk(n):
        if n == 8:
            size = (tmp_path / "last.safetensors").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, hard))

    training = start(tmp_path, clock, fill_the_disk)
    try:
        with pytest.raises(OutputError, match=r"last\.safetensors: cannot be written") as caught:
            training.run(quiet=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "too large" in caught.value.message
    assert "--resume" in caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint
    assert position(tmp_path) == 6
    assert not [p.name for p in tmp_path.iterdir() if p.name.startswith(".")]
    start(tmp_path, clock).run(quiet=True)
    assert_same_end(whole, tmp_path)
