"""From an experiment file and a data set to checkpoints and records, with a teacher, and what is refused before any work."""

import json
import logging

import numpy as np
import pytest
import torch
from rbonn.sw.datasets import Dataset, Split
from rbonn.sw.errors import CheckpointError, OutputError
from rbonn.sw.train import fit
from rbonn.sw.train.checkpoint import load_checkpoint, read_checkpoint
from rbonn.sw.train.history import History

EXPERIMENT = """
name = "{name}"
title = "Bars"
dataset = "mnist"
[network]
kind = "mlp"
hidden = [24]
[training]
batch = 16
held_out = 40
selection = 30
[[training.stages]]
epochs = 2
learning_rate = 0.01
"""


def bars(n, seed):
    """Images whose label is the row of a bright bar."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 10, n).astype(np.uint8)
    images = generator.integers(0, 100, (n, 28, 28, 1)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label + 4 : 2 * label + 6, 6:22] = 255
    return Split(images, labels)


@pytest.fixture(autouse=True)
def data(monkeypatch):
    dataset = Dataset("mnist", tuple("0123456789"), bars(300, 0), bars(50, 1))
    monkeypatch.setattr(fit, "load_dataset", lambda name, folder, pictures: dataset)
    yield dataset
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = True
    logging.getLogger("rbonn.sw.train").setLevel(logging.NOTSET)


def write(folder, name="bars", more=""):
    path = folder / f"{name}.toml"
    path.write_text(EXPERIMENT.format(name=name) + more, encoding="utf-8")
    return path


def test_a_training_leaves_its_result_in_its_folder(tmp_path, caplog):
    output = tmp_path / "runs" / "bars"
    with caplog.at_level(logging.INFO, "rbonn.sw.train"):
        result = fit.train(write(tmp_path), output)
    assert result.checkpoint == output / "checkpoint.safetensors"
    assert (result.held_out_images, result.test_images) == (40, 50)
    assert result.test_interval[0] < result.test_accuracy <= result.test_interval[1]
    assert 0 < result.seconds < 60
    network, experiment = load_checkpoint(result.checkpoint)
    assert experiment.name == "bars"
    assert {p.device.type for p in network.parameters()} == {"cpu"}
    assert (output / "history.svg").read_text(encoding="utf-8").startswith("<?xml")
    history = History.load(output / "history.json")
    assert [record.epoch for record in history] == [1, 2]
    assert history[1].train_accuracy > history[0].train_accuracy
    assert max(r.selection_accuracy for r in history) == result.selection_accuracy
    lines = [record.message for record in caplog.records if "epoch" in record.message]
    assert len(lines) == 2
    assert lines[1].startswith(f"epoch 2/2: loss {history[1].loss:.4f}, training ")


def test_what_a_checkpoint_says_is_json_without_paths(tmp_path):
    fit.train(write(tmp_path), tmp_path / "out", quiet=True)
    results = read_checkpoint(tmp_path / "out" / "checkpoint.safetensors").results
    assert str(tmp_path) not in json.dumps(results)
    assert results["epochs"] == 2
    assert results["held_out_images"] == 40
    assert len(results["held_out_interval"]) == 2


def test_a_finished_training_is_not_lost_by_starting_again_but_may_be_resumed(tmp_path):
    path, output = write(tmp_path), tmp_path / "out"
    first = fit.train(path, output, quiet=True)
    before = (output / "last.safetensors").read_bytes()
    with pytest.raises(CheckpointError, match="a training lies here already") as caught:
        fit.train(path, output, quiet=True)
    assert "--resume" in caught.value.hint
    assert (output / "last.safetensors").read_bytes() == before
    assert fit.train(path, output, resume=True, quiet=True) == first


def test_a_trained_network_without_the_state_of_its_training_is_not_lost(tmp_path):
    path, output = write(tmp_path), tmp_path / "out"
    fit.train(path, output, quiet=True)
    (output / "last.safetensors").unlink()
    before = (output / "checkpoint.safetensors").read_bytes()
    with pytest.raises(CheckpointError, match="a trained network lies here already") as caught:
        fit.train(path, output, quiet=True)
    assert "another output folder" in caught.value.hint
    assert (output / "checkpoint.safetensors").read_bytes() == before


def test_nothing_to_resume_is_said(tmp_path):
    with pytest.raises(CheckpointError, match="nothing to resume"):
        fit.train(write(tmp_path), tmp_path / "out", resume=True, quiet=True)


def test_an_output_that_is_a_file_is_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(fit, "load_dataset", None)
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        fit.train(write(tmp_path), tmp_path / "out", quiet=True)


def test_a_teacher_is_found_beside_the_output_and_takes_part_in_the_loss(tmp_path):
    fit.train(write(tmp_path, "teacher"), tmp_path / "teacher", quiet=True)
    distillation = '[distillation]\nteacher = "teacher"\nlabel_share = {}\n'
    losses = []
    for share in (0.5, 1.0):
        path = write(tmp_path, f"student{share:.0f}", distillation.format(share))
        fit.train(path, tmp_path / path.stem, quiet=True)
        losses.append(History.load(tmp_path / path.stem / "history.json")[0].loss)
    plain = History.load(tmp_path / "teacher" / "history.json")[0].loss
    assert losses[1] == pytest.approx(plain, rel=1e-6)
    assert losses[0] != pytest.approx(plain, rel=1e-3)


def test_a_missing_teacher_is_said_before_the_first_step(tmp_path):
    path = write(tmp_path, more='[distillation]\nteacher = "nobody"\n')
    with pytest.raises(CheckpointError, match="teacher 'nobody'"):
        fit.train(path, tmp_path / "out", quiet=True)
    assert not (tmp_path / "out" / "last.safetensors").exists()


def test_a_resumed_training_needs_the_same_teacher(tmp_path):
    fit.train(write(tmp_path, "teacher"), tmp_path / "teacher", quiet=True)
    path = write(tmp_path, "student", '[distillation]\nteacher = "teacher"\n')
    fit.train(path, tmp_path / "student", quiet=True)
    fit.train(path, tmp_path / "student", resume=True, quiet=True)
    other = write(tmp_path, "other", "[augmentation]\nshift_pixels = 1.0\n")
    fit.train(other, tmp_path / "other", quiet=True)
    (tmp_path / "other" / "checkpoint.safetensors").replace(
        tmp_path / "teacher" / "checkpoint.safetensors"
    )
    with pytest.raises(CheckpointError, match="the teacher was another network"):
        fit.train(path, tmp_path / "student", resume=True, quiet=True)
