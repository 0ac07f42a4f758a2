"""Distillation: the loss against its definition, a teacher that only gives, and where its checkpoint is found."""

import dataclasses
import os

import pytest
import torch
from rbonn.sw.datasets import PicturesConfig
from rbonn.sw.errors import CheckpointError, ExperimentError
from rbonn.sw.train.checkpoint import CheckpointFile, network_tensors, new_network, save_checkpoint
from rbonn.sw.train.distillation import (
    Distillation,
    DistillationConfig,
    load_distillation,
    soft_cross_entropy,
    teacher_path,
)
from rbonn.sw.train.experiment import Experiment, StageConfig, TrainingConfig, parse_experiment
from rbonn.sw.train.networks import FloatResNetConfig, MlpConfig
from torch import nn
from torch.nn import functional

BATCH, CLASSES = 6, 10
LABELS = torch.tensor([0, 3, 3, 9, 1, 5])


def scores(scale=3.0, dtype=torch.float64):
    return scale * torch.randn(BATCH, CLASSES, dtype=dtype)


def distribution(logits):
    return torch.distributions.Categorical(logits=logits)


class Fixed(nn.Module):
    """A teacher that answers with the same scores, from a parameter."""

    def __init__(self, answer):
        super().__init__()
        self.answer = nn.Parameter(answer)

    def forward(self, images):
        return self.answer


def loss_of(student, teacher, smoothing=0.0, **config):
    distillation = Distillation(DistillationConfig(teacher="x", **config), Fixed(teacher))
    return distillation.loss(student, torch.zeros(BATCH, 1, 4, 4), LABELS, smoothing)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_soft_cross_entropy_is_the_divergence_from_the_teacher_and_its_entropy(temperature):
    student, teacher = scores(), scores()
    p, q = distribution(teacher / temperature), distribution(student / temperature)
    expected = (torch.distributions.kl_divergence(p, q) + p.entropy()).mean()
    torch.testing.assert_close(soft_cross_entropy(student, teacher, temperature), expected)


def test_the_published_loss_is_the_soft_cross_entropy_alone():
    student, teacher = scores(), scores()
    expected = -(teacher.softmax(1) * student.log_softmax(1)).sum() / BATCH
    torch.testing.assert_close(loss_of(student, teacher), expected)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("constant", [0.0, 7.0, -100.0])
def test_the_gradient_is_zero_where_the_scores_are_the_teachers_but_for_a_constant(
    constant, temperature
):
    teacher = scores()
    student = (teacher + constant).requires_grad_()
    loss_of(student, teacher, temperature=temperature).backward()
    torch.testing.assert_close(student.grad, torch.zeros_like(student), rtol=0, atol=1e-12)


def test_elsewhere_the_gradient_is_the_difference_of_the_distributions():
    student, teacher = scores().requires_grad_(), scores()
    loss_of(student, teacher, temperature=2.0).backward()
    difference = (student.detach() / 2).softmax(1) - (teacher / 2).softmax(1)
    torch.testing.assert_close(student.grad, 2.0 * difference / BATCH)  # T^2 / T
    assert student.grad.abs().max() > 0.01


def test_gradients_keep_their_size_at_high_temperatures():
    """After Hinton, section 2: for T large and scores of mean 0, (s - t) / classes."""
    student, teacher = scores(1.0), scores(1.0)
    student -= student.mean(1, keepdim=True)
    teacher -= teacher.mean(1, keepdim=True)
    student.requires_grad_()
    loss_of(student, teacher, temperature=1000.0).backward()
    expected = (student - teacher).detach() / CLASSES / BATCH
    torch.testing.assert_close(student.grad, expected, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_the_label_share_weighs_the_labels_cross_entropy(share):
    student, teacher = scores(dtype=torch.float32), scores(dtype=torch.float32)
    soft = loss_of(student, teacher, temperature=2.0)
    hard = functional.cross_entropy(student, LABELS, label_smoothing=0.1)
    found = loss_of(student, teacher, 0.1, temperature=2.0, label_share=share)
    torch.testing.assert_close(found, (1 - share) * soft + share * hard)


def test_label_smoothing_leaves_the_teachers_part_alone():
    student, teacher = scores(), scores()
    assert loss_of(student, teacher, 0.3) == loss_of(student, teacher)


def test_scores_of_half_precision_give_a_loss_of_float32():
    student, teacher = scores(dtype=torch.float32), scores(dtype=torch.float32)
    found = loss_of(student.bfloat16(), teacher.bfloat16(), label_share=0.5)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, loss_of(student, teacher, label_share=0.5), rtol=0.02, atol=0)


def small_teacher():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(16, CLASSES), nn.BatchNorm1d(CLASSES), nn.Dropout(0.5)
    )


def test_the_teacher_gets_no_gradient_and_keeps_its_statistics():
    teacher = small_teacher()
    state = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    distillation = Distillation(DistillationConfig(teacher="x"), teacher)
    student = nn.Sequential(nn.Flatten(), nn.Linear(16, CLASSES))
    images = torch.randn(BATCH, 1, 4, 4, requires_grad=True)
    distillation.loss(student(images), images.detach(), LABELS).backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert all(torch.equal(state[name], t) for name, t in teacher.state_dict().items())
    assert student[1].weight.grad.abs().sum() > 0


def test_the_teacher_stays_in_eval_mode_whatever_module_holds_it():
    distillation = Distillation(DistillationConfig(teacher="x"), small_teacher())
    images = torch.randn(BATCH, 1, 4, 4)
    assert not distillation.teacher.training
    first = distillation.teacher_scores(images)
    nn.ModuleList([distillation.teacher]).train()
    assert torch.equal(distillation.teacher_scores(images), first)
    assert not any(module.training for module in distillation.teacher.modules())


def test_the_teacher_sees_the_images_that_the_student_saw():
    seen = []
    teacher = small_teacher()
    teacher.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    distillation = Distillation(DistillationConfig(teacher="x"), teacher)
    images = torch.randn(BATCH, 1, 4, 4)
    distillation.loss(scores(), images, LABELS)
    assert len(seen) == 1
    assert torch.equal(seen[0], images)


def test_without_a_soft_part_the_teacher_is_not_asked():
    teacher = Fixed(torch.full((BATCH, CLASSES), float("nan")))
    distillation = Distillation(DistillationConfig(teacher="x", label_share=1.0), teacher)
    assert distillation.loss(scores(), torch.zeros(BATCH, 1, 4, 4), LABELS).isfinite()


def experiment(name, dataset="mnist", teacher=None):
    return Experiment(
        name=name,
        title=name,
        dataset=dataset,
        network=FloatResNetConfig(depth=8, width=2) if teacher is None else MlpConfig(hidden=(4,)),
        training=TrainingConfig(stages=(StageConfig(epochs=1),)),
        distillation=None if teacher is None else DistillationConfig(teacher=teacher),
    )


def save_teacher(folder, dataset="mnist"):
    made_by = experiment("old_master", dataset)
    network = new_network(made_by)
    contents = CheckpointFile(made_by, {"epoch": 1}, network_tensors(network))
    save_checkpoint(folder / "checkpoint.safetensors", contents)
    return network.eval()


def test_a_named_teacher_is_found_beside_the_students_folder(tmp_path):
    network = save_teacher(tmp_path / "old_master")
    distillation = load_distillation(experiment("s", teacher="old_master"), tmp_path / "s")
    assert distillation is not None
    images = torch.randint(0, 256, (2, 1, 28, 28)).float()
    assert torch.equal(distillation.teacher_scores(images), network(images))


def test_a_teacher_is_found_by_the_path_of_its_file_or_folder(tmp_path):
    save_teacher(tmp_path / "far" / "away")
    folder = tmp_path / "far" / "away"
    for teacher in (folder, folder / "checkpoint.safetensors"):
        assert teacher_path(str(teacher), tmp_path / "s") == folder / "checkpoint.safetensors"


def test_a_named_teacher_may_ship_and_one_trained_beside_the_student_counts_before_it(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("rbonn.sw.models._folder", lambda: tmp_path / "models")
    save_teacher(tmp_path / "t")
    trained = tmp_path / "t" / "checkpoint.safetensors"
    shipped = tmp_path / "models" / "teachers" / "t.safetensors"
    shipped.parent.mkdir(parents=True)
    shipped.write_bytes(trained.read_bytes())
    assert teacher_path("t", tmp_path / "s") == trained
    assert teacher_path("t", tmp_path / "elsewhere" / "s") == shipped
    with pytest.raises(CheckpointError, match="no checkpoint of the teacher 'u'"):
        teacher_path("u", tmp_path / "s")


def test_an_experiment_without_distillation_has_no_teacher(tmp_path):
    assert load_distillation(experiment("s"), tmp_path / "s") is None


def test_a_missing_named_teacher_tells_the_command_that_trains_it(tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint of the teacher 'old_master'") as error:
        load_distillation(experiment("s", teacher="old_master"), tmp_path / "s")
    folder = tmp_path / "old_master"
    assert error.value.hint == f"Train it first: rbonn train old_master --output {folder}"
    assert str(folder / "checkpoint.safetensors") in error.value.message


def test_in_the_usual_folder_the_command_is_short(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError) as error:
        teacher_path("old_master", tmp_path / "runs" / "s")
    assert error.value.hint == "Train it first: rbonn train old_master"


def test_a_missing_path_of_a_teacher_is_named(tmp_path):
    path = str(tmp_path / "gone.safetensors")
    with pytest.raises(CheckpointError, match=r"gone\.safetensors: no checkpoint") as error:
        teacher_path(path, tmp_path / "s")
    assert "rbonn train" in error.value.hint
    with pytest.raises(CheckpointError, match="no checkpoint of the teacher"):
        teacher_path(str(tmp_path) + os.sep, tmp_path / "s")


def test_a_teacher_of_another_data_set_is_refused(tmp_path):
    save_teacher(tmp_path / "old_master", dataset="cifar10")
    with pytest.raises(ExperimentError, match="old_master knows cifar10, not mnist"):
        load_distillation(experiment("s", teacher="old_master"), tmp_path / "s")


def test_a_teacher_of_the_same_pictures_in_another_size_or_order_is_refused(tmp_path):
    pictures = PicturesConfig(height=8, width=8, channels=1, classes=("a", "b"))
    made_by = dataclasses.replace(experiment("master", "own"), pictures=pictures)
    contents = CheckpointFile(made_by, {"epoch": 1}, network_tensors(new_network(made_by)))
    save_checkpoint(tmp_path / "master" / "checkpoint.safetensors", contents)
    student = dataclasses.replace(experiment("s", "own", teacher="master"), pictures=pictures)
    assert load_distillation(student, tmp_path / "s") is not None
    for change in ({"height": 12}, {"classes": ("b", "a")}):
        other = dataclasses.replace(student, pictures=dataclasses.replace(pictures, **change))
        with pytest.raises(
            ExperimentError, match=r"master knows own with another table \[pictures\]"
        ):
            load_distillation(other, tmp_path / "s")


def test_a_network_is_not_its_own_teacher(tmp_path):
    save_teacher(tmp_path / "old_master")
    student = experiment("old_master", teacher="old_master")
    with pytest.raises(ExperimentError, match="would be its own teacher"):
        load_distillation(student, tmp_path / "old_master")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("temperature", 0.0), ("temperature", float("inf")), ("label_share", -0.1), ("label_share", 1.5), ("teacher", ""),
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused_by_key(key, value):
    values = dataclasses.asdict(experiment("s", teacher="old_master"))
    parse_experiment(values, "x.toml")
    values["distillation"][key] = value
    with pytest.raises(ExperimentError, match=f"x.toml: distillation.{key}"):
        parse_experiment(values, "x.toml")
