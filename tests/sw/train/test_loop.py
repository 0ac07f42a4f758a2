"""The training loop on a tiny network: learns, resumes to the bit, and stops with a reason."""

import dataclasses

import pytest
import safetensors.torch
import torch
from rbonn.sw.errors import CheckpointError, ExperimentError
from rbonn.sw.train.augmentation import AugmentationConfig
from rbonn.sw.train.checkpoint import (
    CheckpointFile,
    load_checkpoint,
    network_tensors,
    new_network,
    read_checkpoint,
    save_checkpoint,
)
from rbonn.sw.train.evaluation import accuracy, pixels, recalibrate
from rbonn.sw.train.experiment import Experiment, TrainingConfig
from rbonn.sw.train.loop import LabelledImages, Training, TrainingError
from rbonn.sw.train.networks import CnnConfig, ConvConfig, MlpConfig

EXPERIMENT = Experiment(
    name="tiny",
    title="tiny",
    dataset="mnist",
    network=CnnConfig(
        convolutions=(ConvConfig(channels=4, pool=2), ConvConfig(channels=4, stride=2)), hidden=(8,)
    ),
    training=TrainingConfig(epochs=3, batch=16, held_out=20),
    augmentation=AugmentationConfig(shift_pixels=1, elastic_pixels=0.5),
)


def labelled(n, seed=0):
    """Images whose label is the row of a bright bar."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 10, (n,), generator=generator)
    images = torch.randint(0, 100, (n, 28, 28, 1), generator=generator, dtype=torch.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label + 4 : 2 * label + 6, 6:22] = 255
    return LabelledImages(images, labels)


def changed(experiment, **training):
    return dataclasses.replace(
        experiment, training=dataclasses.replace(experiment.training, **training)
    )


def test_a_resumed_training_has_the_bits_of_an_uninterrupted_one(tmp_path):
    images = labelled(120)
    whole = Training(EXPERIMENT, tmp_path / "whole", images)
    whole.run(3, quiet=True)
    Training(EXPERIMENT, tmp_path / "parts", images).run(1, quiet=True)
    torch.manual_seed(12345)
    for epoch in (2, 3):
        part = Training(EXPERIMENT, tmp_path / "parts", images)
        part.resume()
        assert part.epoch == epoch - 1
        part.run(epoch, quiet=True)
    expected, found = (
        read_checkpoint(tmp_path / f / "last.safetensors") for f in ("whole", "parts")
    )
    assert expected.tensors.keys() == found.tensors.keys()
    assert any(name.endswith("exp_avg_sq") for name in found.tensors)
    for name, tensor in expected.tensors.items():
        assert torch.equal(tensor, found.tensors[name]), name
    del expected.results["seconds"], found.results["seconds"]
    assert expected.results == found.results


def test_a_training_learns_and_reports_the_accuracy_of_its_checkpoint(tmp_path):
    experiment = dataclasses.replace(
        changed(EXPERIMENT, epochs=4, learning_rate=0.01, held_out=100),
        network=MlpConfig(hidden=(32,)),
        augmentation=AugmentationConfig(),
    )
    training = Training(experiment, tmp_path, labelled(900))
    training.run(4, quiet=True)
    test_set = labelled(200, seed=1)
    result = training.finish(test_set)
    assert result.test_accuracy > 0.9
    network, loaded = load_checkpoint(result.checkpoint)
    assert loaded == experiment
    assert not network.training
    assert accuracy(network, test_set.images, test_set.labels) == result.test_accuracy
    results = read_checkpoint(result.checkpoint).results
    assert results["test_accuracy"] == result.test_accuracy
    assert results["epoch"] == result.best_epoch


def test_the_seed_decides_the_result(tmp_path):
    images = labelled(100)
    states = []
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        training = Training(changed(EXPERIMENT, seed=seed), tmp_path / folder, images)
        training.run(1, quiet=True)
        states.append(training.network.state_dict())
    first, second, third = states
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], third[name]) for name in first)


def test_a_loss_that_is_no_number_stops_the_training_and_writes_nothing(tmp_path):
    training = Training(EXPERIMENT, tmp_path, labelled(100))
    training.network.layers[1].scale.data.fill_(float("nan"))
    with pytest.raises(TrainingError, match="loss is nan in step 1 of epoch 1") as caught:
        training.run(1, quiet=True)
    assert "learning_rate" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_too_few_images_are_refused(tmp_path):
    with pytest.raises(ExperimentError, match="30 images are too few for 20 held out"):
        Training(EXPERIMENT, tmp_path, labelled(30))


def test_resuming_nothing_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="nothing to resume, no epoch was finished there"):
        Training(EXPERIMENT, tmp_path, labelled(100)).resume()


def test_resuming_another_experiment_names_the_difference(tmp_path):
    Training(EXPERIMENT, tmp_path, labelled(100)).run(1, quiet=True)
    other = Training(changed(EXPERIMENT, learning_rate=0.25), tmp_path, labelled(100))
    with pytest.raises(CheckpointError, match=r"training.learning_rate \(0.005, not 0.25\)"):
        other.resume()


def test_resuming_from_a_file_without_the_optimiser_is_refused(tmp_path):
    contents = CheckpointFile(EXPERIMENT, {"epoch": 1}, network_tensors(new_network(EXPERIMENT)))
    save_checkpoint(tmp_path / "last.safetensors", contents)
    with pytest.raises(CheckpointError, match="not the state of a training"):
        Training(EXPERIMENT, tmp_path, labelled(100)).resume()


def test_recalibration_averages_the_statistics_of_the_batches(monkeypatch):
    monkeypatch.setattr("rbonn.sw.train.evaluation._BATCH", 5)
    network = new_network(EXPERIMENT)
    images = labelled(15).images
    recalibrate(network, images)
    with torch.no_grad():
        product = network.layers[1](network.layers[0](pixels(images)))  # (15, 4, height, width)
    batches = product.unflatten(0, (3, 5)).transpose(1, 2).flatten(2)  # (3, 4, values)
    norm = network.layers[2]
    torch.testing.assert_close(norm.running_mean, batches.mean(2).mean(0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(norm.running_var, batches.var(2).mean(0), rtol=1e-4, atol=1e-4)
    assert norm.momentum == 0.1


def test_the_lowest_class_counts_on_a_tie():
    class Tie(torch.nn.Module):
        def forward(self, x):
            return torch.tensor([[1.0, 3, 3, 0]]).repeat(len(x), 1)

    images = torch.zeros(10, 28, 28, 1, dtype=torch.uint8)
    assert accuracy(Tie(), images, torch.full((10,), 1)) == 1
    assert accuracy(Tie(), images, torch.full((10,), 2)) == 0


def test_safetensors_is_what_is_written(tmp_path):
    Training(EXPERIMENT, tmp_path, labelled(100)).run(1, quiet=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "checkpoint.safetensors",
        "last.safetensors",
    ]
    tensors = safetensors.torch.load_file(tmp_path / "checkpoint.safetensors")
    assert {name.split(".")[0] for name in tensors} == {"network"}
