"""A training goes on only where it can go on to the same bits, and says how to get there."""

import dataclasses
import json
import logging

import pytest
import safetensors
import safetensors.torch
import torch
from rbonn.sw.errors import CheckpointError
from rbonn.sw.train.checkpoint import read_checkpoint
from rbonn.sw.train.distributed import Ranks
from rbonn.sw.train.loop import Training

from .killed_training import EXPERIMENT, images


@pytest.fixture
def training(tmp_path):
    """A training of which an epoch is done, resumed by nobody yet."""
    done = Training(EXPERIMENT, tmp_path, images())
    done._clock = 0.0
    done._save_last()
    return done


def rewrite(path, **results):
    """The file with other results; None: without them."""
    with safetensors.safe_open(str(path), framework="pt") as file:
        metadata = file.metadata()
    new = json.loads(metadata["results"]) | results
    new = {name: value for name, value in new.items() if value is not None}
    tensors = safetensors.torch.load_file(path)
    safetensors.torch.save_file(
        tensors, path, metadata=metadata | {"results": json.dumps(new, sort_keys=True)}
    )


def test_the_state_says_where_it_was_made(training):
    results = read_checkpoint(training.last_path).results
    assert (results["processes"], results["device"]) == (1, "cpu")
    assert results["torch"] == torch.__version__


@pytest.mark.parametrize(
    ("results", "message", "hint"),
    [
        ({"processes": 4}, "by 4 processes, not by 1", "torchrun --nproc-per-node 4"),
        ({"device": "cuda"}, "on cuda, not on cpu", "on a machine with a CUDA device"),
    ],
)
def test_other_processes_and_another_kind_of_device_are_refused(training, results, message, hint):
    rewrite(training.last_path, **results)
    with pytest.raises(CheckpointError, match=message) as caught:
        training.resume()
    assert hint in caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint


def test_a_training_by_one_process_is_not_resumed_by_two(training):
    two = Training(EXPERIMENT, training.output, images())
    two.ranks = Ranks(0, 2)
    with pytest.raises(CheckpointError, match="by 1 process, not by 2") as caught:
        two.resume()
    assert "without torchrun" in caught.value.hint


def test_a_training_on_a_cpu_is_not_resumed_on_a_gpu(training):
    other = Training(EXPERIMENT, training.output, images())
    other.ranks = dataclasses.replace(other.ranks, device=torch.device("cuda", 0))
    with pytest.raises(CheckpointError, match="on cpu, not on cuda") as caught:
        other.resume()
    assert "CUDA_VISIBLE_DEVICES" in caught.value.hint


def test_another_pytorch_is_a_warning_by_the_first_process(training, caplog):
    rewrite(training.last_path, torch="1.0.0")
    training.resume()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"PyTorch 1.0.0, goes on with {torch.__version__}" in record.message
    caplog.clear()
    rewrite(training.last_path, processes=2)
    training.ranks = Ranks(1, 2)
    training.resume()
    assert not caplog.records


def test_a_state_that_does_not_say_where_it_was_made_is_taken_up(training, caplog):
    rewrite(training.last_path, processes=None, device=None, torch=None)
    assert "torch" not in read_checkpoint(training.last_path).results
    training.resume()
    assert not caplog.records
