"""Loading by name: which folder counts, and what the constants say of each data set."""

from pathlib import Path

import numpy as np
import pytest
from rbonn.sw.datasets import (
    DATASET_CLASSES,
    DATASET_SHAPES,
    DATASETS,
    Dataset,
    Split,
    load_dataset,
    loading,
)
from rbonn.sw.errors import UnknownNameError


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """What was read and downloaded for ``cifar10``, in place of doing so."""
    calls = []
    split = Split(np.zeros((0, 32, 32, 3), np.uint8), np.zeros(0, np.uint8))
    dataset = Dataset("cifar10", DATASET_CLASSES["cifar10"], split, split)
    monkeypatch.setitem(loading._DOWNLOAD, "cifar10", lambda path: calls.append(("fetch", path)))
    monkeypatch.setitem(
        loading._READ, "cifar10", lambda path: (calls.append(("read", path)), dataset)[1]
    )
    monkeypatch.delenv("RBONN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return calls


def test_the_folder_given_counts_before_the_environment_and_nothing_is_fetched(calls, monkeypatch):
    monkeypatch.setenv("RBONN_DATA", "environment")
    load_dataset("cifar10", Path("given"))
    load_dataset("cifar10")
    assert calls == [("read", Path("given")), ("read", Path("environment"))]


def test_without_a_folder_the_cache_is_filled_and_read(calls, monkeypatch, tmp_path):
    monkeypatch.setenv("RBONN_DATA", "")
    load_dataset("cifar10")
    folder = tmp_path / "rbonn" / "cifar10"
    assert calls == [("fetch", folder), ("read", folder)]


def test_an_unknown_data_set_lists_the_known_ones():
    with pytest.raises(UnknownNameError, match="'imagenet' does not exist") as caught:
        load_dataset("imagenet")
    assert all(name in caught.value.hint for name in DATASETS)


def test_every_data_set_states_the_shape_of_its_images_and_its_classes():
    assert set(DATASET_SHAPES) == set(DATASET_CLASSES) == set(DATASETS)
    assert DATASET_SHAPES["cifar10"] == (32, 32, 3)
    assert DATASET_CLASSES["cifar10"][0] == "airplane"
    assert DATASET_CLASSES["cifar10"][9] == "truck"
    assert len(DATASET_CLASSES["mnist"]) == len(DATASET_CLASSES["cifar10"]) == 10
