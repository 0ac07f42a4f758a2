"""Two processes train as one: the recurrent step fires in both, and gives what one process gives."""

import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from rbonn.sw.errors import ExperimentError, RbonnError
from rbonn.sw.train import distributed, loop
from rbonn.sw.train.checkpoint import read_checkpoint
from rbonn.sw.train.distributed import Ranks, is_main_process

from . import two_processes

WORKER = Path(two_processes.__file__)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Folder with what two processes, started by torchrun, hold at the end."""
    folder = tmp_path_factory.mktemp("two")
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *command, str(WORKER), str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def one(tmp_path, monkeypatch):
    """Trains as `two` did, in this process alone."""
    monkeypatch.setattr(loop, "new_network", None)  # restored afterwards
    return lambda mode, u0=0.05: two_processes.state(
        two_processes.trained(mode, tmp_path / f"{mode}{u0}", u0=u0)
    )


def ends(folder, mode):
    return [safetensors.torch.load_file(folder / f"{mode}{rank}.safetensors") for rank in (0, 1)]


@pytest.mark.parametrize("mode", ["paper", "official"])
def test_all_processes_hold_the_same_bits(two, mode):
    first, second = ends(two, mode)
    assert {"2.weight", "2.gain", "2.scale"} <= first.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


@pytest.mark.parametrize("mode", ["paper", "official"])
def test_the_recurrent_step_fires_in_every_process(two, one, mode):
    without = one(mode, u0=0.0)
    for end in ends(two, mode):
        assert end["active_share"].tolist()[0] == 0  # stage one, real weights
        assert end["active_share"].max() > 0
        assert not torch.equal(end["2.gain"], torch.full_like(end["2.gain"], 0.05))
        kind = "previous_weight" if mode == "paper" else "previous_gradient"
        assert end[f"recurrent.2.{kind}"].any()
        assert (end["2.weight"] - without["2.weight"]).abs().max() > 1e-3


@pytest.mark.parametrize("mode", ["paper", "official"])
def test_two_processes_with_half_a_batch_each_equal_one_with_the_whole(two, one, mode):
    # In mode official the two take their halves in two parts each.
    whole = one(mode)
    for end in ends(two, mode):
        assert end.keys() == whole.keys()
        for name, tensor in whole.items():
            torch.testing.assert_close(end[name], tensor, rtol=1e-9, atol=1e-12, msg=name)


@pytest.mark.parametrize("mode", ["paper", "official"])
def test_only_the_first_process_writes(two, mode):
    events = list((two / mode / "events").iterdir())
    assert len(events) == 1
    assert sorted(p.name for p in (two / mode).iterdir()) == [
        "checkpoint.safetensors",
        "events",
        "history.json",
        "history.svg",
        "last.safetensors",
    ]


def test_all_processes_stop_at_the_same_step_where_one_is_told_to(two):
    folder = two / "signal"
    assert {path.name for path in folder.glob("stopped*")} == {"stopped0", "stopped1"}
    results = read_checkpoint(folder / "last.safetensors").results
    assert (results["epoch"], results["step"]) == (0, 5)


def test_all_processes_are_told_the_cause_that_one_of_them_found(two):
    told = [(two / "overflow" / f"told{rank}").read_text() for rank in (0, 1)]
    place = "in step 1 of epoch 1, first in the output of layer '3', with finite weights"
    assert told == [f"two: the loss is nan {place}"] * 2


def test_a_slice_of_a_batch_belongs_to_each_process():
    values = torch.arange(12)
    slices = [Ranks(rank, 3).slice(values) for rank in range(3)]
    assert torch.equal(torch.cat(slices), values)
    assert {len(part) for part in slices} == {4}


def test_a_batch_that_does_not_split_over_the_processes_is_refused(tmp_path):
    with pytest.raises(ExperimentError, match="16 images do not split over 3 processes") as caught:
        loop.Training(two_processes.EXPERIMENT, tmp_path, two_processes.images(), ranks=Ranks(0, 3))
    assert "multiple" in caught.value.hint


@pytest.fixture
def store(monkeypatch):
    monkeypatch.setattr(distributed, "_PATIENCE_SECONDS", 0.1)
    return torch.distributed.HashStore()


def fails(store, rank, error):
    """What leaves the block in that process."""
    with pytest.raises((RbonnError, SystemExit)) as caught, distributed._said_once(store, rank):
        raise error
    return caught.value


def test_an_error_of_all_processes_is_left_to_the_first(store):
    assert fails(store, 0, RbonnError("no room", "")).message == "no room"
    end = fails(store, 1, RbonnError("no room", ""))
    assert isinstance(end, SystemExit)
    assert end.code == 1


def test_an_error_of_one_process_is_not_lost(store):
    assert fails(store, 1, RbonnError("no room", "")).message == "no room"
    fails(store, 0, RbonnError("another", ""))
    assert fails(store, 1, RbonnError("no room", "")).message == "no room"


def test_what_the_user_reads_is_said_once(tmp_path):
    (tmp_path / "last.safetensors").touch()
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "rbonn.sw", "train", "mnist_mlp_1w1a", "--output", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("error: ") == 1, done.stderr
    assert done.stderr.count("a training lies here already") == 1


def test_the_first_process_is_the_main_one(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    assert is_main_process()
    monkeypatch.setenv("RANK", "1")
    assert not is_main_process()
