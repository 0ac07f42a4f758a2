"""What a training records of its epochs and keeps of them: losses, rates, times, statistics, accuracies."""

import copy
import dataclasses
import math

import pytest
import torch
from rbonn.sw.errors import CheckpointError
from rbonn.sw.train import training_record
from rbonn.sw.train.checkpoint import load_checkpoint, read_checkpoint, save_checkpoint
from rbonn.sw.train.distributed import Ranks
from rbonn.sw.train.evaluation import accuracy, first_largest, pixels, recalibrate
from rbonn.sw.train.experiment import Experiment, StageConfig, TrainingConfig
from rbonn.sw.train.labelled_images import LabelledImages
from rbonn.sw.train.loop import Training
from rbonn.sw.train.networks import MlpConfig
from rbonn.sw.train.step import TrainingStep

STEPS = 6
EPOCHS = 3
RATE = 0.01
EXPERIMENT = Experiment(
    name="tiny",
    title="tiny",
    dataset="mnist",
    network=MlpConfig(hidden=(8,)),
    training=TrainingConfig(
        stages=(StageConfig(epochs=EPOCHS, learning_rate=RATE, decay="cosine"),),
        batch=16,
        held_out=10,
        selection=10,
    ),
)


@pytest.fixture(autouse=True)
def _no_drawing(monkeypatch):
    """Plots take longer than these trainings; `test_fit.py` has them drawn."""
    monkeypatch.setattr(
        training_record, "plot_history", lambda history, path, title: path.write_text(title)
    )


def noise(n=120):
    """120 images are 6 steps per epoch."""
    images = torch.randint(0, 256, (n, 28, 28, 1), dtype=torch.uint8)
    return LabelledImages(images, torch.randint(0, 10, (n,)))


@pytest.fixture
def steps(monkeypatch):
    """(rate, loss, images classified rightly) of every step that is made."""
    made = []
    step = TrainingStep.__call__

    def noted(self, batch, optimiser):
        loss, n_right = step(self, batch, optimiser)
        made.append((optimiser.param_groups[0]["lr"], loss, n_right))
        return loss, n_right

    monkeypatch.setattr(TrainingStep, "__call__", noted)
    return made


def test_every_step_has_its_rate_and_an_epoch_records_that_of_its_first(tmp_path, steps):
    training = Training(EXPERIMENT, tmp_path, noise())
    training.run(quiet=True)
    n_steps = EPOCHS * STEPS
    cosine = [RATE * (1 + math.cos(math.pi * step / n_steps)) / 2 for step in range(n_steps)]
    assert [rate for rate, _, _ in steps] == pytest.approx(cosine)
    assert [r.learning_rate for r in training.history] == pytest.approx(cosine[::STEPS])


def test_each_stage_begins_with_a_fresh_optimiser_of_its_own(tmp_path):
    stages = (
        StageConfig(epochs=1, weights="real", weight_decay=1e-3),
        StageConfig(epochs=1, weight_decay=0.0),
    )
    config = dataclasses.replace(EXPERIMENT.training, stages=stages)
    training = Training(dataclasses.replace(EXPERIMENT, training=config), tmp_path, noise())
    first = training.optimiser
    assert {group["weight_decay"] for group in first.param_groups} == {0.0, 1e-3}
    training.run(1, quiet=True)
    assert first.state
    assert training.optimiser is not first
    assert not training.optimiser.state
    assert {group["weight_decay"] for group in training.optimiser.param_groups} == {0.0}


def test_an_epochs_loss_and_accuracy_are_the_means_over_its_own_steps(tmp_path, steps):
    training = Training(EXPERIMENT, tmp_path, noise())
    training.run(quiet=True)
    for index, record in enumerate(training.history):
        _, losses, n_right = zip(*steps[index * STEPS : (index + 1) * STEPS], strict=True)
        assert record.loss == pytest.approx(sum(losses) / STEPS)
        assert record.train_accuracy == sum(n_right) / (STEPS * 16)


def test_an_epochs_time_is_its_own(tmp_path, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("rbonn.sw.train.loop.time.monotonic", lambda: now)
    training = Training(EXPERIMENT, tmp_path, noise())

    def two_seconds(*_):
        nonlocal now
        now += 2

    training.optimiser.register_step_post_hook(two_seconds)
    training.run(quiet=True)
    assert [record.seconds for record in training.history] == [2 * STEPS] * EPOCHS
    assert training.position.seconds == 2 * STEPS * EPOCHS


def test_the_checkpoint_holds_recalibrated_statistics_and_the_epochs_selection_accuracy(tmp_path):
    training = Training(EXPERIMENT, tmp_path, noise())
    training.run(1, quiet=True)
    network, _ = load_checkpoint(training.best_path)
    expected = copy.deepcopy(network)
    recalibrate(expected, training.parts.training.images)
    kept = network.state_dict()
    statistics = [name for name in kept if name.endswith(("running_mean", "running_var"))]
    assert len(statistics) == 2
    for name in statistics:
        torch.testing.assert_close(kept[name], expected.state_dict()[name])
    selection = training.parts.selection
    (record,) = training.history
    assert accuracy(network, selection.images, selection.labels) == record.selection_accuracy


def label(images, network, n_right):
    """Labels the images so that the network has the first `n_right` of them right."""
    with torch.no_grad():
        right = first_largest(network.eval()(pixels(images.images)))
    right[n_right:] += 1
    images.labels.copy_(right % 10)


def test_the_result_has_the_accuracy_of_each_part_of_the_images(tmp_path):
    training = Training(EXPERIMENT, tmp_path, noise())
    training.run(1, quiet=True)
    network, _ = load_checkpoint(training.best_path)
    test_set = noise(20)
    label(training.parts.selection, network, 0)
    label(training.parts.held_out, network, 7)
    label(test_set, network, 5)
    result = training.finish(test_set)
    assert result.held_out_accuracy == 0.7
    assert result.test_accuracy == 0.25
    assert result.selection_accuracy == training.history[0].selection_accuracy


class OneOfTwo(Ranks):
    """A process whose sums are its own: what it adds to those of both."""

    def sums(self, values):
        return list(values)


def test_two_processes_count_every_second_image_each(tmp_path):
    training = Training(EXPERIMENT, tmp_path, noise())
    images = noise(7)
    label(images, training.network, 6)
    shares = []
    for rank in (0, 1):
        training.ranks = OneOfTwo(rank, 2)
        shares.append(training.share_right(images))
    assert shares == [3 / 7, 3 / 7]  # of images 0, 2, 4, 6 and 1, 3, 5


def test_a_checkpoint_of_another_precision_is_refused(tmp_path):
    training = Training(EXPERIMENT, tmp_path, noise())
    training.run(1, quiet=True)
    contents = read_checkpoint(training.best_path)
    name = "network.layers.2.weight"
    tensors = contents.tensors | {name: contents.tensors[name].double()}
    save_checkpoint(training.best_path, dataclasses.replace(contents, tensors=tensors))
    with pytest.raises(
        CheckpointError, match=r"layers.2.weight' is torch.float64 .* torch.float32"
    ):
        load_checkpoint(training.best_path)
