"""Batches: every image once, the same in whatever order they are asked for, a slice for each process."""

import torch
from rbonn.sw.train.augmentation import AugmentationConfig, augment
from rbonn.sw.train.batches import Batches
from rbonn.sw.train.distributed import Ranks
from rbonn.sw.train.evaluation import pixels
from rbonn.sw.train.labelled_images import LabelledImages

FLIP = AugmentationConfig(flip=True, crop_pixels=1)


def numbered(n=23):
    """Images whose every pixel is their number, which is the label, too."""
    labels = torch.arange(n)
    images = labels.to(torch.uint8)[:, None, None, None].expand(n, 5, 4, 3).contiguous()
    return LabelledImages(images, labels)


def batches(images, augmentation=FLIP, ranks=None, batch=6):
    return Batches(images, augmentation, batch=batch, seed=4, ranks=ranks or Ranks())


def test_an_epoch_has_every_image_once_but_for_what_is_left_over():
    made = batches(numbered())
    assert made.per_epoch == 3
    epoch = list(made.epoch(0))
    assert [images.shape for images, _ in epoch] == [(6, 3, 5, 4)] * 3
    labels = torch.cat([labels for _, labels in epoch])
    assert len(labels.unique()) == 18
    for images, batch_labels in epoch:  # neither crop nor flip changes an even image
        assert torch.equal(images, batch_labels.float()[:, None, None, None].expand_as(images))
        assert images.is_contiguous(memory_format=torch.channels_last)


def test_epochs_differ_in_order():
    made = batches(numbered())
    orders = [torch.cat([labels for _, labels in made.epoch(epoch)]) for epoch in (0, 1, 0)]
    assert torch.equal(orders[0], orders[2])
    assert not torch.equal(orders[0], orders[1])


def test_an_epoch_that_is_taken_up_in_the_middle_goes_on_as_it_would_have():
    generator = torch.Generator().manual_seed(1)
    noise = torch.randint(0, 256, (23, 5, 4, 3), generator=generator, dtype=torch.uint8)
    made = batches(LabelledImages(noise, torch.arange(23)))
    whole, rest = list(made.epoch(3)), list(made.epoch(3, first_step=1))
    assert len(rest) == 2
    for (images, labels), (again, same) in zip(whole[1:], rest, strict=True):
        assert torch.equal(images, again)
        assert torch.equal(labels, same)
    images, labels = whole[0]
    expected = augment(pixels(noise[labels]), labels, config=FLIP, seed=4, epoch=3)
    assert torch.equal(images, expected)
    assert not torch.equal(images, pixels(noise[labels]))


def test_the_slices_of_the_processes_make_up_the_batch():
    images = numbered()
    whole = list(batches(images).epoch(0))
    parts = [list(batches(images, ranks=Ranks(rank, 2)).epoch(0)) for rank in (0, 1)]
    for step, (_, labels) in enumerate(whole):
        assert torch.equal(torch.cat([part[step][1] for part in parts]), labels)
        assert len(parts[0][step][1]) == 3
