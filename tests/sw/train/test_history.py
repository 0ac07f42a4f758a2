"""A training's history: one record per epoch, to JSON and back."""

import dataclasses
import json

import pytest
from rbonn.sw.errors import InputFileError
from rbonn.sw.train.history import COLUMNS, EpochRecord, History

RECORD = EpochRecord(
    epoch=1, stage=0, loss=0.1 + 0.2, train_accuracy=1 / 3, selection_accuracy=2 / 3,
    learning_rate=1e-3, sign_flip_ratio=1e-9, active_channel_ratio=0.4, seconds=12.5,
)  # fmt: skip


def records(stages=(0, 0, 1, 1, 2)):
    return [
        dataclasses.replace(RECORD, epoch=epoch, stage=stage, loss=1 / epoch)
        for epoch, stage in enumerate(stages, start=1)
    ]


def changed(**values):
    return json.dumps(json.loads(History(records()).to_json()) | values)


def test_a_history_comes_back_from_json_to_the_bit():
    history = History(records())
    found = History.from_json(history.to_json())
    assert list(found) == records()
    assert found == history
    assert found != History(records()[:-1])
    assert type(found[0].epoch) is type(found[0].stage) is int


def test_an_empty_history_comes_back_from_json():
    assert History.from_json(History().to_json()) == History()


def test_a_history_comes_back_from_its_file(tmp_path):
    path = tmp_path / "folder" / "history.json"
    History(records()).save(path)
    assert History.load(path) == History(records())


def test_a_column_has_the_value_of_every_epoch():
    history = History(records())
    assert history.column("loss") == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]
    assert history.column("epoch") == [1, 2, 3, 4, 5]
    assert history[-1].epoch == len(history) == 5


def test_stages_start_where_the_stage_changes():
    assert History(records()).stage_starts() == [3, 5]
    assert History(records()[1:]).stage_starts() == [3, 5]
    assert History(records()[:2]).stage_starts() == []
    assert History().stage_starts() == []


@pytest.mark.parametrize("epoch", [0, 1, 2, 4])
def test_an_epoch_that_does_not_follow_is_refused(epoch):
    history = History(records()[:2])
    with pytest.raises(ValueError, match=f"Epoch must be 3, not {epoch}"):
        history.append(dataclasses.replace(RECORD, epoch=epoch))
    assert len(history) == 2


def test_epochs_are_counted_from_1():
    with pytest.raises(ValueError, match="Epoch must be 1, not 0"):
        History([dataclasses.replace(RECORD, epoch=0)])


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_not_written(loss):
    with pytest.raises(ValueError, match="not JSON compliant"):
        History([dataclasses.replace(RECORD, loss=loss)]).to_json()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "x: not a training's history"),
        ("[]", "x: not a training's history"),
        ("{}", "x: not a training's history"),
        (changed(schema=2), "x: schema 2, this program reads 1"),
        (changed(more=[1.0]), "x: missing or unknown columns: more"),
        (changed(loss=[1.0]), r"x: not a training's history \(zip"),
        (changed(loss=["1", 1, 1, 1, 1]), "x: not a training's history"),
        (changed(loss=[1, 1, 1, 1, float("nan")]), "x: not a training's history"),
        (changed(epoch=[1, 2, 4, 5, 6]), r"\(Epoch must be 3, not 4\)"),
        (changed(stage=[0, 0, 0.5, 1, 1]), r"\(stage is 0.5, not an integer\)"),
    ],
)  # fmt: skip
def test_what_is_no_history_is_refused_by_name(text, message):
    with pytest.raises(InputFileError, match=message) as caught:
        History.from_json(text, "x")
    assert "\n" not in caught.value.message + caught.value.hint


def test_a_missing_column_is_named():
    values = json.loads(History(records()).to_json())
    del values["seconds"]
    with pytest.raises(InputFileError, match="missing or unknown columns: seconds"):
        History.from_json(json.dumps(values))


def test_a_missing_or_binary_file_is_refused_by_name(tmp_path):
    with pytest.raises(InputFileError, match=r"history\.json: cannot be read"):
        History.load(tmp_path / "history.json")
    (tmp_path / "history.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputFileError, match=r"history\.json: cannot be read"):
        History.load(tmp_path / "history.json")


def test_every_field_is_a_column():
    assert set(COLUMNS) == set(dataclasses.asdict(RECORD))
