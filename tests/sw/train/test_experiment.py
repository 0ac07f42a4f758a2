"""Experiment files: what they mean, and what is said about wrong ones."""

import dataclasses
import json
import tomllib

import pytest
from rbonn.sw.errors import ExperimentError, UnknownNameError
from rbonn.sw.train.experiment import (
    StageConfig,
    find_experiment,
    load_experiment,
    parse_experiment,
    shipped_experiments,
)
from rbonn.sw.train.networks import CnnConfig, ConvConfig, MlpConfig

SMALL = """
name = "small"
title = "small"
dataset = "mnist"
[network]
kind = "cnn"
[[network.convolutions]]
channels = 4
pool = 2
[training]
batch = 16
[[training.stages]]
epochs = 3
"""


def write(tmp_path, text):
    path = tmp_path / "small.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_becomes_frozen_dataclasses_with_defaults(tmp_path):
    experiment = load_experiment(write(tmp_path, SMALL))
    assert experiment.network == CnnConfig(convolutions=(ConvConfig(channels=4, pool=2),))
    assert experiment.training.epochs == 3
    assert experiment.training.stages == (StageConfig(epochs=3),)
    assert experiment.training.stages[0].decay == "cosine"
    assert not experiment.augmentation.active
    with pytest.raises(dataclasses.FrozenInstanceError):
        experiment.name = "other"


def test_an_experiment_survives_its_own_json(tmp_path):
    experiment = load_experiment(write(tmp_path, SMALL))
    assert parse_experiment(json.loads(experiment.to_json()), "json") == experiment


def test_every_shipped_experiment_can_be_read_and_has_the_name_of_its_file():
    shipped = shipped_experiments()
    assert {"mnist_mlp_1w1a", "mnist_cnn_1w1a"} <= set(shipped)
    for name, path in shipped.items():
        assert load_experiment(path).name == name
        assert find_experiment(name) == path


def test_the_shipped_mlp_is_an_mlp():
    assert isinstance(load_experiment(find_experiment("mnist_mlp_1w1a")).network, MlpConfig)


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        (
            "epochs",
            "epochz",
            r"unknown key 'training.stages\[0\].epochz'",
            "Did you mean 'epochs'?",
        ),
        ("batch", "bach", "unknown key 'training.bach'", "Did you mean 'batch'?"),
        ("dataset", "data_set", "unknown key 'data_set'", "Did you mean 'dataset'?"),
        (
            "channels",
            "chanels",
            r"unknown key 'network.convolutions\[0\].chanels'",
            "Did you mean 'channels'?",
        ),
        ('kind = "cnn"', 'kind = "cnn"\nhiden = [3]', "'network.hiden'", "Did you mean 'hidden'?"),
        (
            "epochs = 3",
            "epochs = 0",
            r"training.stages.0.epochs: .*greater than or equal to 1",
            "Correct",
        ),
        ("epochs = 3", "", r"training.stages.0.epochs: Field required", "Correct"),
        ("[[training.stages]]\nepochs = 3", "", "training.stages: Field required", "Correct"),
        (
            "[[training.stages]]\nepochs = 3",
            "stages = []",
            "training.stages: .*at least 1",
            "Correct",
        ),
        (
            "epochs = 3",
            'epochs = 3\nweights = "real"',
            "training: .*the last stage is binary",
            "Correct",
        ),
        (
            "epochs = 3",
            'epochs = 3\n[[training.stages]]\nepochs = 1\nweights = "real"',
            "training: .*real weights come first",
            "Correct",
        ),
        (
            "batch = 16",
            "batch = 16\naccumulation = 3",
            "training: .*a batch of 16 does not split into 3",
            "Correct",
        ),
        ("batch = 16", "betas = [0.9, 1.0]", "training.betas.1: .*less than 1", "Correct"),
        ("batch = 16", 'precision = "float16"', "training.precision: .*bfloat16", "Correct"),
        (
            "[training]",
            "[distillation]\nteacherr = 'x'\n[training]",
            "unknown key 'distillation.teacherr'",
            "Did you mean 'teacher'?",
        ),
        ('"mnist"', '"mnits"', "dataset: .*mnist", "Correct"),
        ('"cnn"', '"rnn"', "network: .*rnn", "Correct"),
        ("[training]", "[training", "not TOML .*line", "Correct the file"),
        ("pool = 2", "pool = 27", "network: Kernel 3 with pool 27 does not fit", "Change"),
        ("pool = 2", "padding = 3", "network: Padding must be 0 to kernel size - 1", "Change"),
        ("pool = 2", "pad_value = 2", "network: Pad value must be -1, 0 or 1", "Change"),
    ],
)
def test_a_wrong_file_is_refused_with_the_key_and_a_way_out(tmp_path, old, new, message, hint):
    with pytest.raises(ExperimentError, match=message) as caught:
        load_experiment(write(tmp_path, SMALL.replace(old, new, 1)))
    assert hint in caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ExperimentError, match=r"absent\.toml: cannot be read"):
        load_experiment(tmp_path / "absent.toml")


def test_an_unknown_experiment_name_lists_the_known_ones():
    with pytest.raises(UnknownNameError, match="'mnist_rnn_1w1a' does not exist") as caught:
        find_experiment("mnist_rnn_1w1a")
    assert "mnist_cnn_1w1a" in caught.value.hint


def test_the_example_itself_is_toml():
    assert tomllib.loads(SMALL)["name"] == "small"


def test_stages_are_read_in_order_and_their_epochs_add_up(tmp_path):
    first = '[[training.stages]]\nepochs = 2\nweights = "real"\nweight_decay = 1e-5\n'
    text = SMALL.replace("[[training.stages]]", first + "[[training.stages]]")
    training = load_experiment(write(tmp_path, text)).training
    assert training.stages == (
        StageConfig(epochs=2, weights="real", weight_decay=1e-5),
        StageConfig(epochs=3),
    )
    assert training.epochs == 5


def test_experiments_that_differ_in_the_time_between_checkpoints_alone_are_equal(tmp_path):
    one = load_experiment(write(tmp_path, SMALL))
    other = load_experiment(
        write(tmp_path, SMALL.replace("batch = 16", "batch = 16\ncheckpoint_minutes = 1"))
    )
    assert one == other
    assert other.training.checkpoint_minutes == 1
