"""Compiled and mixed-precision steps, and what happens without a compiler."""

import dataclasses
import logging

import pytest
import torch
from rbonn.sw.train.checkpoint import read_checkpoint
from rbonn.sw.train.compilation import compiled, mixed_precision
from rbonn.sw.train.experiment import StageConfig, TrainingConfig
from rbonn.sw.train.loop import Training
from torch import nn

from .killed_training import EXPERIMENT, images

CPU = torch.device("cpu")
CONFIG = TrainingConfig(stages=(StageConfig(epochs=1),))


def test_without_a_compiler_compilation_is_left_out_with_a_warning(monkeypatch, caplog):
    monkeypatch.setenv("CXX", "no-such-compiler")
    network = nn.Linear(2, 2)
    with caplog.at_level(logging.WARNING):
        assert compiled(network, dataclasses.replace(CONFIG, compile=True), CPU) is network
    assert "No C++ compiler" in caplog.text


def test_compilation_is_by_request():
    network = nn.Linear(2, 2)
    assert compiled(network, CONFIG, CPU) is network


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_products_have_the_precision_asked_for_and_gradients_are_in_float32(precision):
    network = nn.Linear(3, 2)
    with mixed_precision(dataclasses.replace(CONFIG, precision=precision), CPU):
        y = network(torch.ones(1, 3))
    assert y.dtype == getattr(torch, precision)
    y.float().sum().backward()
    assert network.weight.grad is not None
    assert network.weight.grad.dtype == torch.float32


def test_mixed_precision_trains_near_to_what_full_precision_does(tmp_path):
    losses = []
    for precision in ("float32", "bfloat16"):
        training = dataclasses.replace(EXPERIMENT.training, precision=precision)
        run = Training(
            dataclasses.replace(EXPERIMENT, training=training), tmp_path / precision, images()
        )
        run.run(1, quiet=True)
        losses.append(run.history[0].loss)
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch uses what it deprecates
def test_a_compiled_training_goes_through_both_stages_as_a_plain_one_does(tmp_path):
    losses, tensors = [], []
    for compile in (False, True):
        training = dataclasses.replace(EXPERIMENT.training, compile=compile)
        folder = tmp_path / str(compile)
        run = Training(dataclasses.replace(EXPERIMENT, training=training), folder, images())
        run.run(quiet=True)
        losses.append([record.loss for record in run.history])
        tensors.append(read_checkpoint(folder / "checkpoint.safetensors").tensors)
    assert losses[1][:1] == pytest.approx(losses[0][:1], rel=1e-3)
    assert losses[1] == pytest.approx(losses[0], rel=0.1)  # roundings move binary weights
    assert tensors[0].keys() == tensors[1].keys()
