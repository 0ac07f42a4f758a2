import numpy as np
import pytest
import safetensors.torch
from rbonn.sw.datasets import Dataset, Split
from rbonn.sw.errors import InputFileError, UnsupportedLayerError
from rbonn.sw.lower import FixedPoint, ResidualAgreement
from rbonn.sw.lower import export as module_under_test
from rbonn.sw.lower.export import export
from rbonn.sw.network import load_network
from rbonn.sw.train.layers import BinaryHead, InputBinarise
from torch import nn

SOURCE = """
from torch import nn
from rbonn.sw.train.layers import BinaryHead, InputBinarise

class Mine(nn.Sequential):
    image_shape = (3, 2, 1)
    def __init__(self):
        super().__init__(InputBinarise(), nn.Flatten(), BinaryHead(6, 4))
"""


@pytest.fixture
def mine(tmp_path):
    """(checkpoint, module) of a user's own network."""
    (tmp_path / "mine.py").write_text(SOURCE)
    module = nn.Sequential(InputBinarise(), nn.Flatten(), BinaryHead(6, 4))
    safetensors.torch.save_file(module.state_dict(), tmp_path / "mine.safetensors")
    return tmp_path / "mine.safetensors", f"{tmp_path / 'mine.py'}:Mine"


@pytest.fixture
def dataset(monkeypatch):
    """Offers images of a shape and a number of classes as any data set."""

    def offer(shape, n_classes):
        generator = np.random.default_rng(0)
        images = generator.integers(0, 256, (600, *shape), np.uint8)
        split = Split(images, generator.integers(0, n_classes, 600).astype(np.uint8))
        names = tuple(f"class {i}" for i in range(n_classes))
        monkeypatch.setattr(
            module_under_test,
            "load_dataset",
            lambda name, folder, pictures: Dataset(name, names, split, split),
        )

    return offer


def test_a_network_file_states_how_it_agrees_on_the_test_set(mine, dataset, tmp_path):
    dataset((3, 2, 1), 4)
    output = tmp_path / "out" / "network.safetensors"
    steps = []
    agreement = export(
        mine[0], output, module=mine[1], dataset="tiny", command="train it",
        progress=lambda what, done, of: steps.append((done, of)),
    )  # fmt: skip
    assert agreement.exact
    network = load_network(output)
    assert network.metadata == {"command": "train it", "dataset": "tiny", **agreement.metadata()}
    assert network.metadata["test_images"] == 600
    assert network.class_names == ("class 0", "class 1", "class 2", "class 3")
    assert steps[-1] == (600, 600)
    assert steps == sorted(steps)


def test_without_a_data_set_nothing_is_compared(mine, tmp_path):
    output = tmp_path / "network.safetensors"
    assert export(mine[0], output, module=mine[1]) is None
    assert load_network(output).metadata == {"command": ""}


@pytest.mark.parametrize(
    ("shape", "n_classes", "error", "message"),
    [
        ((3, 2, 1), 5, UnsupportedLayerError, "the network has 4 classes, tiny has 5"),
        ((2, 3, 1), 4, InputFileError, r"images have shape \(250, 2, 3, 1\), the network takes"),
    ],
)
def test_a_data_set_of_another_kind_is_refused_and_nothing_is_written(
    mine, dataset, tmp_path, shape, n_classes, error, message
):
    dataset(shape, n_classes)
    output = tmp_path / "network.safetensors"
    with pytest.raises(error, match=message):
        export(mine[0], output, module=mine[1], dataset="tiny")
    assert not output.exists()


RESIDUAL = """
from torch import nn
from rbonn.sw.train.layers import InputThermometer, RBOConv2d
from rbonn.sw.train.networks.block import Block

class Residual(nn.Sequential):
    image_shape = (4, 4, 1)
    def __init__(self):
        super().__init__(
            InputThermometer(4), RBOConv2d(4, 3, 3, padding=1), nn.BatchNorm2d(3), Block(3, 3), Block(3, 6, 2),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4),
        )
"""


@pytest.fixture
def residual(tmp_path):
    """(checkpoint, module) of a user's own residual network."""
    (tmp_path / "residual.py").write_text(RESIDUAL)
    spec = f"{tmp_path / 'residual.py'}:Residual"
    namespace: dict = {}
    exec(RESIDUAL, namespace)
    safetensors.torch.save_file(namespace["Residual"]().state_dict(), tmp_path / "r.safetensors")
    return tmp_path / "r.safetensors", spec


def test_a_residual_network_is_calibrated_on_training_images_and_compared_on_the_test_set(
    residual, dataset, tmp_path
):
    dataset((4, 4, 1), 4)
    output = tmp_path / "network.safetensors"
    numbers = FixedPoint(stream_bits=12, head_bits=6)
    agreement = export(
        residual[0], output, module=residual[1], dataset="tiny", fixed_point=numbers
    )  # fmt: skip
    assert isinstance(agreement, ResidualAgreement)
    network = load_network(output)
    chosen = network.metadata.pop("fixed_point")
    assert chosen["stream_bits"] == 12
    assert chosen["head_bits"] == 6
    assert chosen["calibration_images"] == 600
    assert network.metadata == {"command": "", "dataset": "tiny", **agreement.metadata()}
    assert network.metadata["class_agreement"] > 0.9
    assert network.edges["block2"].datatype.bits == 12


def test_a_residual_network_without_a_data_set_is_refused_and_nothing_is_written(
    residual, tmp_path
):
    output = tmp_path / "network.safetensors"
    with pytest.raises(UnsupportedLayerError, match="whose ranges have to be measured"):
        export(residual[0], output, module=residual[1])
    assert not output.exists()


def test_calibration_images_lie_at_even_distances_over_the_training_set():
    images = np.arange(5000).reshape(5000, 1, 1, 1)
    split = Split(images, np.zeros(5000, np.uint8))
    chosen = module_under_test._calibration_images(Dataset("d", ("a",), split, split))
    assert np.array_equal(chosen.flatten(), np.arange(0, 5000, 5))
    few = Split(images[:1700], np.zeros(1700, np.uint8))
    chosen = module_under_test._calibration_images(Dataset("d", ("a",), few, split))
    assert len(chosen) == 1000
    assert set(np.diff(chosen.flatten())) == {1, 2}
    assert chosen.max() >= 1698
