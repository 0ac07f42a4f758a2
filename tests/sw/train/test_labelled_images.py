"""A training set is shared out once and for all by the seed."""

import dataclasses

import numpy as np
import pytest
import torch
from rbonn.sw.datasets import Split
from rbonn.sw.errors import ExperimentError
from rbonn.sw.train.experiment import StageConfig, TrainingConfig
from rbonn.sw.train.labelled_images import LabelledImages, epoch_order, share_out

CONFIG = TrainingConfig(stages=(StageConfig(epochs=1),), batch=8, held_out=10, selection=5)


def numbered(n=40):
    return LabelledImages(torch.zeros(n, 1, 1, 1, dtype=torch.uint8), torch.arange(n))


def test_the_parts_are_disjoint_and_complete():
    parts = share_out(numbered(), CONFIG)
    sizes = [len(p) for p in (parts.held_out, parts.selection, parts.training)]
    assert sizes == [10, 5, 25]
    labels = torch.cat([p.labels for p in (parts.held_out, parts.selection, parts.training)])
    assert torch.equal(labels.sort().values, torch.arange(40))


def test_the_held_out_images_do_not_depend_on_the_selection_or_the_batch():
    one = share_out(numbered(), CONFIG)
    other = share_out(numbered(), dataclasses.replace(CONFIG, selection=9, batch=4))
    assert torch.equal(one.held_out.labels, other.held_out.labels)
    assert not set(other.selection.labels.tolist()) & set(one.held_out.labels.tolist())
    third = share_out(numbered(), dataclasses.replace(CONFIG, seed=2))
    assert not torch.equal(one.held_out.labels, third.held_out.labels)


def test_too_few_images_are_refused():
    share_out(numbered(23), CONFIG)
    with pytest.raises(ExperimentError, match="22 images are too few for 10 held out, 5 for sel"):
        share_out(numbered(22), CONFIG)


def test_a_data_sets_arrays_are_copied():
    split = Split(np.full((2, 3, 3, 1), 7, np.uint8), np.array([1, 2], np.uint8))
    images = LabelledImages.of(split)
    images.images.fill_(0)
    assert split.images.min() == 7
    assert images.labels.tolist() == [1, 2]
    assert images.labels.dtype == torch.int64


def test_each_epoch_has_an_order_of_its_own():
    orders = {tuple(epoch_order(9, seed, epoch).tolist()) for seed in (1, 2) for epoch in range(3)}
    assert len(orders) == 6
    assert all(sorted(order) == list(range(9)) for order in orders)


def test_no_epoch_has_the_order_in_which_the_images_were_shared_out():
    images = numbered()
    parts = share_out(images, CONFIG)
    shared = torch.cat([p.labels for p in (parts.held_out, parts.selection, parts.training)])
    for epoch in range(3):
        assert not torch.equal(epoch_order(len(images), CONFIG.seed, epoch), shared)


def test_the_fingerprint_is_that_of_every_pixel_label_and_of_the_shape():
    images = torch.arange(24, dtype=torch.uint8).reshape(2, 3, 4, 1)
    labels = torch.tensor([3, 1])
    found = LabelledImages(images, labels).fingerprint()
    assert LabelledImages(images.clone(), labels.clone()).fingerprint() == found
    changed = images.clone()
    changed[1, 2, 3, 0] += 1
    others = [
        LabelledImages(changed, labels),
        LabelledImages(images, labels.flip(0)),
        LabelledImages(images.reshape(2, 4, 3, 1), labels),
    ]
    assert len({found, *(other.fingerprint() for other in others)}) == 4
