"""The sample images that ship: what they are, and what a damaged file of them gives."""

import numpy as np
import pytest
from rbonn.sw.datasets import DATASET_SHAPES, load_samples, samples
from rbonn.sw.errors import DatasetError, UnknownNameError


def test_the_samples_of_mnist_are_a_hundred_labelled_images():
    images = samples("mnist")
    assert images.images.shape == (100, 28, 28, 1)
    assert images.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


def test_the_samples_of_cifar10_are_fifty_labelled_images_of_all_classes():
    images = samples("cifar10")
    assert images.images.shape == (50, *DATASET_SHAPES["cifar10"])
    assert images.labels[:10].tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]
    assert set(images.labels.tolist()) == set(range(10))


def test_samples_of_an_unknown_data_set_are_an_error_that_lists_the_known_ones():
    with pytest.raises(UnknownNameError, match=r"'\.\./mnist'") as caught:
        samples("../mnist")
    assert "cifar10, mnist" in caught.value.hint


def test_damaged_samples_are_refused(tmp_path):
    path = tmp_path / "samples.npz"
    good = {"images": np.zeros((2, 4, 4, 1), np.uint8), "labels": np.zeros(2, np.uint8)}
    np.savez(path, **good)
    assert len(load_samples(path)) == 2
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DatasetError, match="not a readable sample file"):
        load_samples(path)
    np.savez(path, images=good["images"])
    with pytest.raises(DatasetError, match="labels"):
        load_samples(path)
    np.savez(path, images=good["images"], labels=np.array([object(), None]))
    with pytest.raises(DatasetError, match="not a readable sample file"):
        load_samples(path)
    np.savez(path, **(good | {"labels": np.zeros(3, np.uint8)}))
    with pytest.raises(DatasetError, match="do not belong together"):
        load_samples(path)
    with pytest.raises(DatasetError, match="gone"):
        load_samples(tmp_path / "gone")
