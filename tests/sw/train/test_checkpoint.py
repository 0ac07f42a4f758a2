"""Checkpoint files: what is written comes back, and damaged or foreign files are refused by name."""

import json

import pytest
import safetensors.torch
import torch
from rbonn.sw.errors import CheckpointError
from rbonn.sw.train.checkpoint import (
    CheckpointFile,
    load_checkpoint,
    network_tensors,
    new_network,
    save_checkpoint,
)
from rbonn.sw.train.experiment import Experiment, StageConfig, TrainingConfig
from rbonn.sw.train.networks import MlpConfig


def experiment(*hidden):
    return Experiment(
        name="tiny",
        title="tiny",
        dataset="mnist",
        network=MlpConfig(hidden=hidden),
        training=TrainingConfig(stages=(StageConfig(epochs=1),)),
    )


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    tensors = network_tensors(new_network(experiment(5, 4)))
    save_checkpoint(path, CheckpointFile(experiment(5, 4), {"epoch": 1}, tensors))
    return path


def rewrite(path, **metadata):
    """The same tensors with some metadata changed, or left out where None."""
    with safetensors.safe_open(str(path), framework="pt") as file:
        old = file.metadata()
    tensors = safetensors.torch.load_file(path)
    new = {k: v for k, v in (old | metadata).items() if v is not None}
    safetensors.torch.save_file(tensors, path, metadata=new)


def test_the_network_comes_back_in_eval_mode_with_its_experiment(path):
    network, loaded = load_checkpoint(path)
    assert loaded == experiment(5, 4)
    assert not network.training
    with safetensors.safe_open(str(path), framework="pt") as file:
        for name, tensor in network.state_dict().items():
            assert torch.equal(file.get_tensor(f"network.{name}"), tensor)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"absent\.safetensors: no such checkpoint"):
        load_checkpoint(tmp_path / "absent.safetensors")


@pytest.mark.parametrize("n_bytes", [0, 5, 200, -1])
def test_a_truncated_file_is_refused(path, n_bytes):
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"format": "rbonn.network"}, "a safetensors file, but not a checkpoint"),
        ({"format": None}, "a safetensors file, but not a checkpoint"),
        ({"schema": "1"}, "schema 1, this program reads 2"),
        ({"experiment": "{"}, "damaged metadata"),
        ({"experiment": "{}"}, "damaged metadata"),
        ({"results": None}, "damaged metadata"),
        ({"experiment": experiment(5).to_json()}, "has no layer in the experiment's network"),
        ({"experiment": experiment(5, 6).to_json()}, r"\(4,\), the experiment's .* \(6,\)"),
    ],
)
def test_a_file_of_another_format_or_network_is_refused(path, metadata, message):
    rewrite(path, **metadata)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


def test_a_file_without_one_of_the_tensors_is_refused(path):
    tensors = network_tensors(new_network(experiment(5, 4)))
    del tensors["network.layers.5.weight"]
    save_checkpoint(path, CheckpointFile(experiment(5, 4), {"epoch": 1}, tensors))
    with pytest.raises(CheckpointError, match=r"tensor 'layers.5.weight' is missing"):
        load_checkpoint(path)


def test_the_state_of_a_training_is_not_taken_for_its_result(tmp_path):
    tensors = network_tensors(new_network(experiment(5, 4)))
    path = tmp_path / "last.safetensors"
    contents = CheckpointFile(experiment(5, 4), {}, tensors | {"random_state": torch.zeros(1)})
    save_checkpoint(path, contents)
    with pytest.raises(CheckpointError, match="the state of a training") as caught:
        load_checkpoint(path)
    assert "Name checkpoint.safetensors" in caught.value.hint


def test_the_metadata_is_json(path):
    with safetensors.safe_open(str(path), framework="pt") as file:
        metadata = file.metadata()
    assert json.loads(metadata["experiment"])["network"]["hidden"] == [5, 4]
    assert json.loads(metadata["results"]) == {"epoch": 1}
