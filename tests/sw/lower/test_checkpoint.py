import dataclasses
import sys

import pytest
import safetensors.torch
import torch
from rbonn.sw.errors import CheckpointError, UnknownNameError, UnsupportedLayerError
from rbonn.sw.lower import lower_checkpoint, read_trained
from rbonn.sw.network import EdgeType, UInt
from rbonn.sw.train.checkpoint import CheckpointFile, network_tensors, new_network, save_checkpoint
from rbonn.sw.train.experiment import Experiment, StageConfig, TrainingConfig
from rbonn.sw.train.networks import MlpConfig

SOURCE = """
from torch import nn
from rbonn.sw.train.layers import BinaryHead, InputBinarise

class Mine(nn.Sequential):
    image_shape = (3, 2, 1)
    def __init__(self, n_classes=4):
        super().__init__(InputBinarise(), nn.Flatten(), BinaryHead(6, n_classes))

class Needs(nn.Module):
    def __init__(self, size):
        super().__init__()

def without_shape():
    return nn.Sequential(*Mine())

def odd_shape():
    module = Mine()
    module.image_shape = (3, 2)
    return module

def number():
    return 3

constant = 3
"""


@pytest.fixture
def experiment():
    return Experiment(
        name="tiny_mlp_1w1a",
        title="Tiny",
        dataset="mnist",
        network=MlpConfig(hidden=(5,)),
        training=TrainingConfig(stages=(StageConfig(epochs=1),)),
    )


@pytest.fixture
def checkpoint(experiment, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    tensors = network_tensors(new_network(experiment))
    save_checkpoint(path, CheckpointFile(experiment, {}, tensors))
    return path


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A user's folder with a module and its tensors, as the working folder."""
    (tmp_path / "mine_network.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "mine_network", raising=False)
    namespace = {}
    exec(SOURCE, namespace)
    module = namespace["Mine"]()
    safetensors.torch.save_file(module.state_dict(), tmp_path / "mine.safetensors")
    yield module
    sys.modules.pop("mine_network", None)


@pytest.mark.parametrize("module", [None, "mine_network:Mine"])
def test_the_state_of_a_training_is_refused_with_the_name_of_its_result(
    experiment, mine, tmp_path, module
):
    path = tmp_path / "last.safetensors"
    network = new_network(experiment) if module is None else mine
    tensors = network_tensors(network) | {"random_state": torch.zeros(1)}
    save_checkpoint(path, CheckpointFile(experiment, {}, tensors))
    with pytest.raises(CheckpointError, match="the state of a training") as caught:
        read_trained(path, module=module)
    assert "Name checkpoint.safetensors" in caught.value.hint


def test_a_checkpoint_of_a_training_becomes_its_network(checkpoint):
    network = lower_checkpoint(checkpoint)
    assert network.name == "tiny_mlp_1w1a"
    assert network.input_type == EdgeType(UInt(8), (28, 28, 1))
    assert list(network.edges) == [
        "image", "binarise", "dense1", "dense1_bits", "head", "scores", "label",
    ]  # fmt: skip
    assert network.metadata == {"dataset": "mnist", "title": "Tiny"}
    assert not read_trained(checkpoint).module.training
    assert lower_checkpoint(checkpoint, name="other").name == "other"


def test_a_checkpoint_of_another_network_is_refused(checkpoint, experiment):
    tensors = network_tensors(new_network(experiment))
    other = dataclasses.replace(experiment, network=MlpConfig(hidden=(6,)))
    save_checkpoint(checkpoint, CheckpointFile(other, {}, tensors))
    with pytest.raises(CheckpointError, match="the experiment's network has"):
        lower_checkpoint(checkpoint)


@pytest.mark.parametrize("spec", ["mine_network:Mine", "mine_network.py:Mine"])
@pytest.mark.parametrize("prefix", ["", "network."])
def test_a_users_own_module_becomes_a_network(mine, tmp_path, spec, prefix):
    path = tmp_path / "mine.safetensors"
    tensors = {prefix + name: tensor for name, tensor in mine.state_dict().items()}
    safetensors.torch.save_file(tensors, path)
    before = list(sys.path)
    trained = read_trained(path, module=spec)
    assert sys.path == before
    assert torch.equal(trained.module[2].weight, mine[2].weight)
    network = trained.lowered()
    assert (network.name, network.input_type.shape) == ("mine", (3, 2, 1))
    assert lower_checkpoint(path, module=spec, image_shape=(2, 3, 1)).input_type.shape == (2, 3, 1)


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("Mine", UnknownNameError, "'Mine' does not name a class"),
        ("mine_network:", UnknownNameError, "'mine_network:' does not name a class"),
        ("no_such_module_here:Mine", UnknownNameError, "Module 'no_such_module_here' does not exist"),
        ("mine_network:Yours", UnknownNameError, "mine_network has no class 'Yours'"),
        ("mine_network:constant", UnknownNameError, "mine_network has no class 'constant'"),
        ("no_such_file.py:Mine", UnknownNameError, "no_such_file.py: no such file"),
        ("mine_network:Needs", UnsupportedLayerError, "mine_network:Needs cannot be called without arguments"),
        ("mine_network:number", UnsupportedLayerError, "mine_network:number gives a int, not a torch module"),
        ("mine_network:without_shape", UnsupportedLayerError, "does not say which images it takes"),
        ("mine_network:odd_shape", UnsupportedLayerError, r"image shape \(3, 2\) is not"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("mine")
def test_what_is_no_module_is_refused_in_one_line(tmp_path, spec, error, message):
    with pytest.raises(error, match=message) as raised:
        read_trained(tmp_path / "mine.safetensors", module=spec)
    assert "\n" not in raised.value.message + raised.value.hint


@pytest.mark.usefixtures("mine")
def test_tensors_of_another_module_are_refused(tmp_path):
    path = tmp_path / "mine.safetensors"
    safetensors.torch.save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="safetensors: tensor '"):
        read_trained(path, module="mine_network:Mine")
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        read_trained(path, module="mine_network:Mine")
    path.unlink()
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        read_trained(path, module="mine_network:Mine")
