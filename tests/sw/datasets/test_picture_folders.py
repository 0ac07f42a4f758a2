"""Pictures in folders as a data set: which picture gets which label, and what is said where a folder is not as it should be."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter, ValidationError
from rbonn.sw.datasets import PicturesConfig, load_dataset
from rbonn.sw.errors import DatasetError

CONFIG = PicturesConfig(height=4, width=6, channels=3, classes=("oak", "maple"))


def save(folder, name, pixels):
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / name)


@pytest.fixture
def folder(tmp_path):
    """Per split and class as many pictures, each of one colour of its own: 3 and 2 to learn from, 1 and 1 to test."""
    for split, counts in (("train", {"oak": 3, "maple": 2}), ("test", {"oak": 1, "maple": 1})):
        for name, count in counts.items():
            for k in range(count):
                colour = (10 * k, 50 if split == "test" else 0, len(name))
                pixels = np.broadcast_to(np.uint8(colour), (4, 6, 3))
                save(tmp_path / split / name, f"{k}.png", np.ascontiguousarray(pixels))
    return tmp_path


def test_labels_are_the_classes_places_in_the_experiment_not_in_the_alphabet(folder):
    dataset = load_dataset("trees", folder, CONFIG)
    assert dataset.name == "trees"
    assert dataset.class_names == ("oak", "maple")
    assert dataset.train.labels.tolist() == [0, 0, 0, 1, 1]
    assert dataset.test.labels.tolist() == [0, 1]
    for split, green in ((dataset.train, 0), (dataset.test, 50)):
        assert split.images.dtype == split.labels.dtype == np.uint8
        assert split.images.shape == (len(split), 4, 6, 3)
        # The blue value is the length of the class's name, red the number of the picture.
        assert split.images[:, 0, 0, 2].tolist() == [(3, 5)[label] for label in split.labels]
        assert (split.images[..., 1] == green).all()
    assert dataset.train.images[:, 3, 5, 0].tolist() == [0, 10, 20, 0, 10]


def test_pictures_are_scaled_and_made_grey_as_asked_for(folder):
    pixels = np.zeros((8, 12, 3), np.uint8)
    pixels[:, 6:] = 255
    save(folder / "train" / "oak", "9.png", pixels)
    grey = load_dataset("trees", folder, replace(CONFIG, channels=1)).train
    assert grey.images.shape == (6, 4, 6, 1)
    assert (grey.images[3, :, :2] == 0).all()
    assert (grey.images[3, :, 4:] == 255).all()


def test_what_is_hidden_or_no_picture_is_left_out(folder):
    expected = load_dataset("trees", folder, CONFIG)
    (folder / "train" / ".checkpoints").mkdir()
    (folder / "train" / "readme.txt").write_text("collected in autumn")
    for name in ("._0.png", "notes.txt"):
        (folder / "test" / "oak" / name).write_text("no picture")
    found = load_dataset("trees", folder, CONFIG)
    for split, before in ((found.train, expected.train), (found.test, expected.test)):
        assert np.array_equal(split.images, before.images)
        assert np.array_equal(split.labels, before.labels)


def test_the_environment_names_the_folder_where_no_option_does(folder, monkeypatch):
    monkeypatch.setenv("RBONN_DATA", str(folder))
    assert len(load_dataset("trees", None, CONFIG).train) == 5
    monkeypatch.delenv("RBONN_DATA")
    with pytest.raises(DatasetError, match="trees is a data set of your own") as caught:
        load_dataset("trees", None, CONFIG)
    assert "--data" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        (lambda f: (f / "test").rename(f / "tests"), "test: no such folder of the data set trees", "FOLDER/train/CLASS"),
        (lambda f: (f / "train" / "oak").rename(f / "train" / "oaks"), "oaks: not a class of trees", "oak, maple"),
        (lambda f: (f / "test" / "oak").rename(f / "oak"), "oak: no folder of this class", "FOLDER/test/CLASS"),
        (lambda f: (f / "test" / "oak" / "0.png").unlink(), "oak: no picture in this folder", ".jpg"),
        (lambda f: (f / "train" / "oak" / "1.png").write_bytes(b"none"), "1.png: not a readable picture", "Remove the file"),
    ],
)  # fmt: skip
def test_a_folder_that_is_not_as_it_should_be_is_named(folder, change, message, hint):
    change(folder)
    with pytest.raises(DatasetError) as caught:
        load_dataset("trees", folder, CONFIG)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("height", 0, "greater than or equal to 1"),
        ("width", 1025, "less than or equal to 1024"),
        ("channels", 4, "1 or 3"),
        ("classes", ["oak"], "at least 2 items"),
        ("classes", ["oak", "oak"], "different from each other"),
        ("classes", [str(k) for k in range(257)], "at most 256 items"),
    ],
)
def test_what_pictures_cannot_be_is_refused(key, value, message):
    values = {"height": 4, "width": 6, "channels": 3, "classes": ["oak", "maple"]}
    adapter = TypeAdapter(PicturesConfig)
    assert adapter.validate_python(values) == CONFIG
    with pytest.raises(ValidationError, match=message):
        adapter.validate_python(values | {key: value})
