"""Experiment files: what they mean, and what is said about wrong ones."""

import dataclasses
import json
import tomllib

import pytest
import torch
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
PICTURES = """
[pictures]
height = 28
width = 28
channels = 1
classes = ["a", "b"]
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
    assert experiment.training.stages[0].decay == "linear"  # as published
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


def test_every_shipped_experiment_states_how_its_learning_rates_fall():
    for name, path in shipped_experiments().items():
        stages = tomllib.loads(path.read_text(encoding="utf-8"))["training"]["stages"]
        assert [stage["decay"] for stage in stages] == ["cosine"] * len(stages), name


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
            r"training.stages\[0\].epochs: must be at least 1, not 0",
            "Correct",
        ),
        ("epochs = 3", "", r"training.stages\[0\].epochs: is missing", "Correct"),
        ("[[training.stages]]\nepochs = 3", "", "training.stages: is missing", "Correct"),
        (
            "[[training.stages]]\nepochs = 3",
            "stages = []",
            "training.stages: must be a list of at least 1, not of 0",
            "Correct",
        ),
        (
            "epochs = 3",
            'epochs = 3\nweights = "real"',
            "training: stages .*the last stage is binary",
            "Correct",
        ),
        (
            "epochs = 3",
            'epochs = 3\n[[training.stages]]\nepochs = 1\nweights = "real"',
            "training: stages with real weights come first",
            "Correct",
        ),
        (
            "batch = 16",
            "batch = 16\naccumulation = 3",
            "training: a batch of 16 does not split into 3",
            "Correct",
        ),
        (
            "batch = 16",
            "betas = [0.9, 1.0]",
            r"training.betas\[1\]: must be below 1.0, not 1.0",
            "Correct",
        ),
        (
            "batch = 16",
            'precision = "float16"',
            'training.precision: must be .*bfloat16\', not "float16"',
            "Did you mean 'bfloat16'",
        ),
        (
            "[training]",
            "[distillation]\nteacherr = 'x'\n[training]",
            "unknown key 'distillation.teacherr'",
            "Did you mean 'teacher'?",
        ),
        (
            '"mnist"',
            '"mnits"',
            r"dataset: there is no 'mnits', nor a table \[pictures\]",
            "Did you mean 'mnist'",
        ),
        (
            '"mnist"',
            '"mnist"' + PICTURES,
            "pictures: mnist is a published data set",
            "another name",
        ),
        (
            '"mnist"',
            '"own"' + PICTURES.replace("height", "hight"),
            "unknown key 'pictures.hight'",
            "Did you mean 'height'?",
        ),
        (
            '"mnist"',
            '"own"' + PICTURES.replace("28", "1025", 1),
            "pictures.height: must be at most 1024, not 1025",
            "Correct",
        ),
        (
            '"mnist"',
            '"own"' + PICTURES.replace("= 1", "= 2"),
            "pictures.channels: must be 1 or 3, not 2",
            "Correct",
        ),
        (
            '"mnist"',
            '"own"' + PICTURES.replace('"b"', '"a"'),
            "pictures: classes must be different",
            "Correct",
        ),
        (
            "batch = 16",
            "batch = 16\n[augmentation]\ncrop_pixels = 28",
            "augmentation.crop_pixels: must be below 28, the images' size, not 28",
            "fewer",
        ),
        ('"cnn"', '"rnn"', 'network.kind: "rnn" is no kind of network', "Did you mean 'cnn'?"),
        ('"cnn"', '"ncv"', 'network.kind: "ncv" is no kind of network', "Did you mean 'cnv'?"),
        ('"cnn"', "5", "network.kind: 5 is no kind of network", "Known are mlp, cnn,"),
        ('kind = "cnn"', "", "network.kind: is missing", "Known are mlp, cnn, "),
        (
            "[[training.stages]]",
            "[training.stages]",
            "training.stages: must be a list, not a table",
            "Write [[training.stages]] with double brackets",
        ),
        (
            "[training]",
            "[[training]]",
            "training: must be a table, not a list",
            "Write [training] with single brackets",
        ),
        ('title = "small"', "title = 1", "title: must be a text in quotes, not 1", "Correct"),
        ('name = "small"', 'name = "Sm all"', 'name: must match .*, not "Sm all"', "Correct"),
        ("batch = 16", "batch = true", "training.batch: must be a whole number, not true", ""),
        ("batch = 16", 'batch = "16"', 'training.batch: must be a whole number, not "16"', ""),
        ("batch = 16", "batch = 16.0", "training.batch: must be a whole number, not 16.0", ""),
        ("batch = 16", "compile = 1", "training.compile: must be true or false, not 1", ""),
        ("batch = 16", "betas = 0.9", "training.betas: must be a list, not 0.9", ""),
        ("batch = 16", "betas = [0.9]", r"training.betas\[1\]: is missing", ""),
        ("batch = 16", "batch = 1979-05-27", "a value is a date", "remove"),
        (
            "epochs = 3",
            "epochs = 3\nlearning_rate = nan",
            r"training.stages\[0\].learning_rate: must be (a finite number|above 0)",
            "",
        ),
        (
            'kind = "cnn"',
            'kind = "cnn"\nhidden = ["16"]',
            r"network.hidden\[0\]: must be a whole number, not \"16\"",
            "Correct",
        ),
        (
            'title = "small"',
            f"title = {['x' * 300]}",
            "title: must be a text in quotes, not a list$",
            "Correct",
        ),
        (
            "batch = 16",
            f"batch = '{'x' * 300}'",
            r"training.batch: must be a whole number, not \"x{39}\.\.\.$",
            "Correct",
        ),
        (
            'kind = "cnn"',
            'kind = "cnn"\nhidden = [1_000_000_000]',
            "network: .* parameters are more than 1,073,741,824",
            "Change",
        ),
        ('kind = "cnn"', f'kind = "cnn"\nhidden = [{10**25}]', "network: ", "Change"),
        ("batch = 16", f"batch = {'9' * 5000}", "not TOML", "Correct the file"),
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


def test_a_key_that_is_near_to_none_gets_no_suggestion_but_the_known_ones(tmp_path):
    with pytest.raises(ExperimentError, match="unknown key 'foo'") as caught:
        load_experiment(write(tmp_path, SMALL + "[foo]\n"))
    assert caught.value.hint.startswith("Known are augmentation, dataset, ")


def test_whole_numbers_do_where_a_number_is_wanted_and_lists_for_tuples(tmp_path):
    text = SMALL.replace("epochs = 3", "epochs = 3\nlearning_rate = 1")
    text = text.replace("batch = 16", "batch = 16\nbetas = [0, 0.5]")
    training = load_experiment(write(tmp_path, text)).training
    assert training.stages[0].learning_rate == 1.0
    assert training.betas == (0.0, 0.5)
    assert isinstance(training.stages[0].learning_rate, float)


@pytest.mark.parametrize("values", [5, [], None, [5], "text"])
def test_values_that_are_no_table_are_refused(values):
    with pytest.raises(ExperimentError, match="json: must be a table"):
        parse_experiment(values, "json")


def test_a_codebook_is_tried_with_its_weights_but_not_before_their_size_is_known(tmp_path):
    text = SMALL.replace("pool = 2", "pool = 2\ncodewords = 8")
    network = load_experiment(write(tmp_path, text)).network
    assert network.convolutions[0].codewords == 8
    with pytest.raises(ExperimentError, match=r"network: .*odewords"):
        load_experiment(write(tmp_path, text.replace("codewords = 8", "codewords = 9000")))
    huge = text.replace('kind = "cnn"', 'kind = "cnn"\nhidden = [1_000_000_000]')
    with pytest.raises(ExperimentError, match=r"network: .* parameters are more than"):
        load_experiment(write(tmp_path, huge))


def test_reading_an_experiment_draws_no_random_numbers(tmp_path):
    path = write(tmp_path, SMALL)
    before = torch.get_rng_state()
    load_experiment(path)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ExperimentError, match=r"absent\.toml: cannot be read"):
        load_experiment(tmp_path / "absent.toml")


def test_an_unknown_experiment_name_lists_the_known_ones():
    with pytest.raises(UnknownNameError, match="'mnist_rnn_1w1a' does not exist") as caught:
        find_experiment("mnist_rnn_1w1a")
    assert "mnist_cnn_1w1a" in caught.value.hint


def test_a_folder_is_no_experiment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.toml").mkdir()
    for name in (".", str(tmp_path), "folder.toml"):
        with pytest.raises(UnknownNameError, match="is a folder, not an experiment") as caught:
            find_experiment(name)
        assert name in caught.value.message
        assert "mnist_cnn_1w1a" in caught.value.hint


def test_a_shipped_experiment_goes_before_a_folder_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist_mlp_1w1a").mkdir()
    assert find_experiment("mnist_mlp_1w1a") == shipped_experiments()["mnist_mlp_1w1a"]


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
