"""Compiled and mixed-precision steps, and what happens without a compiler."""

import dataclasses
import logging

import pytest
import torch
from rbonn.sw.train import step
from rbonn.sw.train.checkpoint import new_network, read_checkpoint
from rbonn.sw.train.compilation import compiled, has_compiler, mixed_precision
from rbonn.sw.train.distillation import Distillation, DistillationConfig
from rbonn.sw.train.experiment import StageConfig, TrainingConfig
from rbonn.sw.train.loop import Training
from torch import nn

from .killed_training import EXPERIMENT, STEPS_PER_EPOCH, images

CPU = torch.device("cpu")
CONFIG = TrainingConfig(stages=(StageConfig(epochs=1),))
# PyTorch's compiler uses what PyTorch deprecates.
TRACING = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_without_a_compiler_compilation_is_left_out_with_a_warning(monkeypatch, caplog):
    monkeypatch.setenv("CXX", "no-such-compiler")
    network = nn.Linear(2, 2)
    with caplog.at_level(logging.WARNING):
        assert compiled(network, dataclasses.replace(CONFIG, compile=True), CPU) is network
    assert "No C++ compiler" in caplog.text


def test_compilation_is_by_request():
    network = nn.Linear(2, 2)
    assert compiled(network, CONFIG, CPU) is network


@TRACING
@pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")
def test_what_is_compiled_shares_the_networks_parameters():
    network = nn.Linear(2, 2)
    found = compiled(network, dataclasses.replace(CONFIG, compile=True), CPU)
    assert found is not network
    assert [id(p) for p in found.parameters()] == [id(p) for p in network.parameters()]


class Counted(nn.Module):
    """Computes as the network and counts how often, in place of its compiled form."""

    def __init__(self, network, *_):
        super().__init__()
        self.network = network
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.network(x)


def test_every_step_of_both_stages_runs_what_was_compiled_of_student_and_teacher(
    tmp_path, monkeypatch
):
    made = []
    monkeypatch.setattr(step, "compiled", lambda *parts: made.append(Counted(*parts)) or made[-1])
    teacher = Distillation(DistillationConfig(teacher="t"), new_network(EXPERIMENT))
    Training(EXPERIMENT, tmp_path, images(), distillation=teacher).run(quiet=True)
    assert [counted.calls for counted in made] == [3 * STEPS_PER_EPOCH] * 2


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
@TRACING
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
