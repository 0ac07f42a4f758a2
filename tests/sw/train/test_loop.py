"""The training loop on a tiny network: learns, resumes to the bit from any step, and stops with a reason."""

import dataclasses
import json
import math

import pytest
import safetensors.torch
import torch
from rbonn.sw.errors import CheckpointError, ExperimentError
from rbonn.sw.train import training_record
from rbonn.sw.train.augmentation import AugmentationConfig
from rbonn.sw.train.checkpoint import (
    CheckpointFile,
    load_checkpoint,
    network_tensors,
    new_network,
    read_checkpoint,
    save_checkpoint,
)
from rbonn.sw.train.evaluation import accuracy, pixels
from rbonn.sw.train.experiment import Experiment, StageConfig, TrainingConfig
from rbonn.sw.train.history import History
from rbonn.sw.train.labelled_images import LabelledImages
from rbonn.sw.train.loop import Training, TrainingError
from rbonn.sw.train.networks import CnnConfig, ConvConfig, MlpConfig, RecurrentConfig

EXPERIMENT = Experiment(
    name="tiny",
    title="tiny",
    dataset="mnist",
    network=CnnConfig(
        convolutions=(ConvConfig(channels=4, pool=2), ConvConfig(channels=4, stride=2)), hidden=(8,)
    ),
    training=TrainingConfig(stages=(StageConfig(epochs=3),), batch=16, held_out=10, selection=10),
    augmentation=AugmentationConfig(shift_pixels=1, elastic_pixels=0.5),
)
TWO_STAGES = (
    StageConfig(epochs=1, weights="real", weight_decay=1e-4),
    StageConfig(epochs=2, learning_rate=2e-3, decay="linear"),
)


@pytest.fixture(autouse=True)
def _no_drawing(monkeypatch):
    """Plots take longer than these trainings; `test_fit.py` has them drawn."""
    monkeypatch.setattr(
        training_record, "plot_history", lambda history, path, title: path.write_text(title)
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


def with_mode(mode):
    network = dataclasses.replace(EXPERIMENT.network, recurrent=RecurrentConfig(mode=mode, u0=0.5))
    return dataclasses.replace(EXPERIMENT, network=network)


class Stop(BaseException):
    """Ends a training in the middle of a step, as a kill would."""


def run_until(training, n_steps):
    """Trains, and stops when the optimiser has changed the weights in the step after `n_steps` of this run, before anything notices."""
    left = n_steps

    def stop(*_):
        nonlocal left
        left -= 1
        if left < 0:
            raise Stop

    begin_stage = training._begin_stage

    def begin(index):
        begin_stage(index)
        training.optimiser.register_step_post_hook(stop)

    training._begin_stage = begin
    training.optimiser.register_step_post_hook(stop)
    with pytest.raises(Stop):
        training.run(quiet=True)


def assert_same_end(whole, parts):
    """Both folders hold the same state to the bit, but for times."""
    expected, found = (read_checkpoint(f / "last.safetensors") for f in (whole, parts))
    assert expected.tensors.keys() == found.tensors.keys()
    for name, tensor in expected.tensors.items():
        assert torch.equal(tensor, found.tensors[name]), name
    histories = [
        [
            dataclasses.replace(record, seconds=0)
            for record in History.from_json(contents.results.pop("history"))
        ]
        for contents in (expected, found)
    ]
    assert histories[0] == histories[1]
    for contents in (expected, found):
        del contents.results["seconds"], contents.results["epoch_seconds"]
    assert expected.results == found.results
    best = [safetensors.torch.load_file(f / "checkpoint.safetensors") for f in (whole, parts)]
    assert all(torch.equal(best[0][name], best[1][name]) for name in best[0])


@pytest.mark.parametrize(
    ("mode", "averaging"), [("paper", None), ("paper", 0.7), ("official", None), ("off", None)]
)
def test_a_training_that_was_stopped_within_epochs_has_the_bits_of_an_uninterrupted_one(
    tmp_path, mode, averaging
):
    experiment = changed(
        with_mode(mode), stages=TWO_STAGES, checkpoint_minutes=0, averaging=averaging
    )
    images = labelled(120)  # 6 steps per epoch, 18 in all
    Training(experiment, tmp_path / "whole", images).run(quiet=True)
    run_until(Training(experiment, tmp_path / "parts", images), 4)
    for done, more in ((4, 2), (6, 7), (13, 3)):  # the second one stops between the two stages
        torch.manual_seed(12345)
        part = Training(experiment, tmp_path / "parts", images)
        part.resume()
        assert part.position.epoch * 6 + part.position.step == done
        run_until(part, more)
    part = Training(experiment, tmp_path / "parts", images)
    part.resume()
    part.run(quiet=True)
    assert_same_end(tmp_path / "whole", tmp_path / "parts")
    tensors = read_checkpoint(tmp_path / "parts" / "last.safetensors").tensors
    assert any(name.endswith("exp_avg_sq") for name in tensors)
    kind = {"paper": "previous_weight", "official": "previous_gradient", "off": "signs"}[mode]
    assert any(name.startswith("recurrent.") and name.endswith(kind) for name in tensors)
    assert ("average.layers.1.weight" in tensors) == (averaging is not None)


def test_a_checkpoint_within_an_epoch_comes_when_its_time_has_come(tmp_path, monkeypatch):
    minutes = 0.0
    monkeypatch.setattr("rbonn.sw.train.loop.time.monotonic", lambda: 60 * minutes)
    training = Training(changed(EXPERIMENT, checkpoint_minutes=5), tmp_path, labelled(120))
    steps = []
    save = training._save_last

    def noted_save():
        steps.append((training.position.epoch, training.position.step))
        save()

    def a_minute_and_a_half(*_):
        nonlocal minutes
        minutes += 1.5

    training._save_last = noted_save
    training.optimiser.register_step_post_hook(a_minute_and_a_half)
    training.run(1, quiet=True)
    assert steps == [(0, 4), (1, 0)]
    assert training.position.seconds == 60 * 9


def test_only_binary_weights_are_a_result(tmp_path):
    stages = (StageConfig(epochs=2, weights="real"), StageConfig(epochs=1))
    training = Training(changed(EXPERIMENT, stages=stages), tmp_path, labelled(120))
    training.run(2, quiet=True)
    assert training.position.best_epoch == 0
    assert not training.best_path.exists()
    training.run(quiet=True)
    assert training.position.best_epoch == 3
    assert training.best_path.exists()
    assert [record.stage for record in training.history] == [0, 0, 1]


def test_a_training_learns_and_reports_the_accuracy_of_its_checkpoint(tmp_path):
    experiment = dataclasses.replace(
        changed(
            EXPERIMENT,
            stages=(StageConfig(epochs=4, learning_rate=0.01),),
            held_out=100,
            selection=60,
        ),
        network=MlpConfig(hidden=(32,)),
        augmentation=AugmentationConfig(),
    )
    training = Training(experiment, tmp_path, labelled(900))
    training.run(4, quiet=True)
    test_set = labelled(200, seed=1)
    result = training.finish(test_set)
    assert result.test_accuracy > 0.9
    assert result.test_interval[0] < result.test_accuracy <= result.test_interval[1]
    assert (result.held_out_images, result.test_images) == (100, 200)
    network, loaded = load_checkpoint(result.checkpoint)
    assert loaded == experiment
    assert not network.training
    assert accuracy(network, test_set.images, test_set.labels) == result.test_accuracy
    held_out = training.parts.held_out
    assert accuracy(network, held_out.images, held_out.labels) == result.held_out_accuracy
    results = read_checkpoint(result.checkpoint).results
    assert results["test_accuracy"] == result.test_accuracy
    assert results["held_out_accuracy"] == result.held_out_accuracy
    assert results["epoch"] == result.best_epoch


def test_the_average_is_judged_and_kept_with_statistics_of_its_own(tmp_path):
    decay, images = 0.9, labelled(120)
    experiment = changed(EXPERIMENT, averaging=decay, stages=(StageConfig(epochs=2),))
    training = Training(experiment, tmp_path, images)
    steps = []
    training.optimiser.register_step_post_hook(
        lambda *_: steps.append(training.network.layers[1].weight.detach().double())
    )
    training.run(1, quiet=True)
    training.position.selection_accuracy = 0.0  # the second epoch is the best one
    training.run(quiet=True)
    expected = steps[0]
    for weight in steps[1:]:
        expected = decay * expected + (1 - decay) * weight
    test_set = labelled(200, seed=1)
    result = training.finish(test_set)
    network, _ = load_checkpoint(result.checkpoint)
    torch.testing.assert_close(network.layers[1].weight.double(), expected, rtol=1e-5, atol=1e-7)
    assert not torch.allclose(
        network.layers[1].weight, training.network.layers[1].weight, rtol=0.01
    )
    judged, latest = (
        n.layers[1](n.layers[0](pixels(training.parts.training.images))).double().mean((0, 2, 3))
        for n in (network, training.network)
    )
    # Batch norm sums a hundred thousand numbers in float32.
    torch.testing.assert_close(network.layers[2].running_mean.double(), judged, rtol=0, atol=1e-4)
    assert (judged - latest).abs().max() > 1e-2
    assert accuracy(network, test_set.images, test_set.labels) == result.test_accuracy


def test_an_average_leaves_the_training_itself_as_it_is(tmp_path):
    weights = []
    for folder, decay in (("with", 0.9), ("without", None)):
        training = Training(changed(EXPERIMENT, averaging=decay), tmp_path / folder, labelled(120))
        training.run(quiet=True)
        weights.append(list(training.network.parameters()))
    assert all(torch.equal(first, second) for first, second in zip(*weights, strict=True))


def test_a_training_from_before_an_experiment_could_average_resumes(tmp_path):
    images = labelled(120)
    Training(EXPERIMENT, tmp_path / "whole", images).run(quiet=True)
    training = Training(EXPERIMENT, tmp_path / "parts", images)
    training.run(2, quiet=True)
    path = training.last_path
    with safetensors.safe_open(str(path), framework="pt") as file:
        metadata = file.metadata()
    old = json.loads(metadata["experiment"])
    del old["training"]["averaging"], old["network"]["recurrent"]["weight_limit"]
    tensors = safetensors.torch.load_file(path)
    safetensors.torch.save_file(tensors, path, metadata | {"experiment": json.dumps(old)})
    training = Training(EXPERIMENT, tmp_path / "parts", images)
    training.resume()
    training.run(quiet=True)
    assert_same_end(tmp_path / "whole", tmp_path / "parts")


def test_held_out_images_choose_nothing(tmp_path):
    images = labelled(150)
    first = Training(changed(EXPERIMENT, held_out=50), tmp_path / "a", images)
    first.run(quiet=True)
    second = Training(changed(EXPERIMENT, held_out=50), tmp_path / "b", images)
    second.parts.held_out.images.fill_(0)
    second.parts.held_out.labels.fill_(9)
    second.run(quiet=True)
    assert_same_end(tmp_path / "a", tmp_path / "b")


def test_the_epoch_with_the_best_selection_is_kept_the_latest_of_equals(tmp_path, monkeypatch):
    training = Training(EXPERIMENT, tmp_path, labelled(120))
    shares = iter([0.5, 0.5, 0.25])
    weights = []

    def share_right(images):
        assert images is training.parts.selection
        weights.append(training.network.layers[1].weight.detach().clone())
        return next(shares)

    monkeypatch.setattr(training, "share_right", share_right)
    training.run(quiet=True)
    assert training.position.best_epoch == 2
    kept = read_checkpoint(training.best_path).tensors["network.layers.1.weight"]
    assert torch.equal(kept, weights[1])
    assert not torch.equal(kept, weights[2])


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


def test_a_batch_in_parts_gives_the_gradients_of_the_whole(tmp_path):
    images = labelled(100)
    network = MlpConfig(hidden=())  # without batch norm, whose statistics are those of a part
    experiment = dataclasses.replace(EXPERIMENT, network=network)
    gradients = []
    for folder, n_parts in (("whole", 1), ("parts", 4)):
        training = Training(changed(experiment, accumulation=n_parts), tmp_path / folder, images)
        run_until(training, 0)
        gradients.append([p.grad for p in training.network.parameters()])
    for whole, parts in zip(*gradients, strict=True):
        torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-7)
    assert any(g.abs().max() > 1e-3 for g in gradients[0])


@pytest.mark.parametrize("mode", ["paper", "official"])
def test_a_gradient_that_is_no_number_stops_the_training_and_names_the_layer(tmp_path, mode):
    experiment = changed(with_mode(mode), checkpoint_minutes=0)
    training = Training(experiment, tmp_path, labelled(120))
    weight = training.network.layers[5].weight
    before = {}
    calls = 0

    def plant(gradient):
        nonlocal calls
        calls += 1
        planted = gradient.clone()
        if calls == 9:
            planted[0, 0, 0, 0] = math.nan
            before.update({n: p.detach().clone() for n, p in training.network.named_parameters()})
        return planted

    weight.register_hook(plant)
    with pytest.raises(
        TrainingError,
        match=r"gradients are not finite in step 3 of epoch 2, first in the gradient of layer 'layers.5'$",
    ) as caught:
        training.run(quiet=True)
    for name, parameter in training.network.named_parameters():
        assert torch.equal(parameter, before[name]), name
    assert "learning_rate" in caught.value.hint
    assert caught.value.hint.endswith("last.safetensors is from before.")
    assert "\n" not in caught.value.message + caught.value.hint
    last = read_checkpoint(tmp_path / "last.safetensors")
    assert (last.results["epoch"], last.results["step"]) == (1, 2)
    for name, tensor in last.tensors.items():
        assert torch.isfinite(tensor).all(), name


def test_a_gradient_that_overflows_on_its_way_is_named_where_it_began(tmp_path):
    training = Training(EXPERIMENT, tmp_path, labelled(120))
    training.network.layers[5].register_full_backward_hook(
        lambda _module, inputs, _outputs: (inputs[0] * math.inf,)
    )
    # What layer 5 hands on is not finite: the layers before it are hit, it is not.
    with pytest.raises(TrainingError, match=r"first in the gradient of layer '(.*)'") as caught:
        training.run(quiet=True)
    hit = caught.value.message.split("'")[1]
    owners = [name for name, _ in training.network.named_parameters()]
    order = list(dict.fromkeys(name.rpartition(".")[0] for name in owners))
    assert order.index(hit) == order.index("layers.5") - 1


def test_weights_that_the_optimisers_step_makes_no_numbers_are_named(tmp_path):
    training = Training(EXPERIMENT, tmp_path, labelled(120))
    layers = training.network.layers

    def overflow(*_):
        for index in (5, 12):
            next(layers[index].parameters()).data.fill_(math.inf)

    training.optimiser.register_step_post_hook(overflow)
    with pytest.raises(
        TrainingError,
        match=r"weights are not finite in step 1 of epoch 1, in the optimiser's step: layers 'layers.5', 'layers.12'$",
    ):
        training.run(quiet=True)


def test_a_loss_that_is_no_number_stops_the_training_and_writes_no_checkpoint(tmp_path):
    training = Training(EXPERIMENT, tmp_path, labelled(100))
    training.network.layers[-1].bias.data.fill_(math.nan)
    with pytest.raises(
        TrainingError,
        match=r"loss is nan in step 1 of epoch 1, first in the weights of layer 'layers.12'",
    ) as caught:
        training.run(1, quiet=True)
    assert "learning_rate" in caught.value.hint
    assert caught.value.hint.endswith("; no checkpoint had been written yet.")
    assert not list(tmp_path.glob("*.safetensors"))


def test_an_output_that_overflows_is_named_where_the_weights_are_sound(tmp_path):
    training = Training(EXPERIMENT, tmp_path, labelled(100))
    training.network.layers[2].register_forward_hook(lambda _m, _i, output: output * math.inf)
    head = training.network.layers[-1]
    head.register_forward_pre_hook(lambda _m, inputs: (inputs[0] * math.inf,))
    with pytest.raises(TrainingError, match=r"first in the output of layer 'layers.2', with"):
        training.run(1, quiet=True)


def test_too_few_images_are_refused(tmp_path):
    with pytest.raises(ExperimentError, match="30 images are too few for 10 held out, 10 for sel"):
        Training(EXPERIMENT, tmp_path, labelled(30))


def test_resuming_nothing_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="nothing to resume, no checkpoint was written there"):
        Training(EXPERIMENT, tmp_path, labelled(100)).resume()


def test_resuming_another_experiment_names_the_difference(tmp_path):
    Training(EXPERIMENT, tmp_path, labelled(100)).run(1, quiet=True)
    stages = (StageConfig(epochs=3, learning_rate=0.25),)
    other = Training(changed(EXPERIMENT, stages=stages), tmp_path, labelled(100))
    with pytest.raises(
        CheckpointError, match=r"training.stages\[0\].learning_rate \(0.005, not 0.25\)"
    ):
        other.resume()


def test_a_resumed_training_may_have_another_time_between_checkpoints(tmp_path):
    Training(EXPERIMENT, tmp_path, labelled(100)).run(1, quiet=True)
    other = Training(changed(EXPERIMENT, checkpoint_minutes=77), tmp_path, labelled(100))
    other.resume()
    assert other.position.epoch == 1


def test_resuming_from_a_file_without_the_optimiser_is_refused(tmp_path):
    contents = CheckpointFile(EXPERIMENT, {"epoch": 1}, network_tensors(new_network(EXPERIMENT)))
    save_checkpoint(tmp_path / "last.safetensors", contents)
    with pytest.raises(CheckpointError, match="not the state of a training"):
        Training(EXPERIMENT, tmp_path, labelled(100)).resume()


@pytest.mark.parametrize(
    "damage", ["missing", "truncated", "another experiment", "another network"]
)
def test_the_best_epochs_network_is_looked_at_when_a_training_is_resumed(tmp_path, damage):
    training = Training(EXPERIMENT, tmp_path, labelled(100))
    training.run(1, quiet=True)
    best = training.best_path
    contents = read_checkpoint(best)
    if damage == "missing":
        best.unlink()
    elif damage == "truncated":
        best.write_bytes(best.read_bytes()[:-1])
    elif damage == "another experiment":
        save_checkpoint(best, dataclasses.replace(contents, experiment=changed(EXPERIMENT, seed=9)))
    else:
        del contents.tensors["network.layers.5.weight"]
        save_checkpoint(best, contents)
    with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors: ") as caught:
        Training(EXPERIMENT, tmp_path, labelled(100)).resume()
    assert "\n" not in caught.value.message + caught.value.hint
    if damage in ("missing", "truncated"):
        assert "best epoch's network" in caught.value.message
        assert "Put the file back" in caught.value.hint


def test_a_training_leaves_checkpoints_records_and_a_plot(tmp_path):
    Training(EXPERIMENT, tmp_path, labelled(100)).run(1, quiet=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "checkpoint.safetensors",
        "events",
        "history.json",
        "history.svg",
        "last.safetensors",
    ]
    tensors = safetensors.torch.load_file(tmp_path / "checkpoint.safetensors")
    assert {name.split(".")[0] for name in tensors} == {"network"}
