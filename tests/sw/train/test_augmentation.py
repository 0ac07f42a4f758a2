"""Augmentation: a pure function of (seed, epoch, index), and the deformations it says."""

import math

import torch
from rbonn.sw.train.augmentation import AugmentationConfig, augment, hash_integers, uniform

MASK = (1 << 64) - 1


def mix(x):
    """SplitMix64 in Python's integers."""
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def test_the_draws_are_those_of_splitmix64():
    base = mix((mix(5) + 2) & MASK)
    expected = [
        [
            (mix((mix((base + index) & MASK) + draw) & MASK) >> 40) / (1 << 23) - 1
            for draw in range(3)
        ]
        for index in (0, 59_999)
    ]
    assert uniform(5, 2, torch.tensor([0, 59_999]), 3).tolist() == expected


def test_the_draws_fill_the_range_evenly_and_independently():
    draws = uniform(1, 1, torch.arange(20_000), 4)
    assert draws.min() >= -1
    assert draws.max() < 1
    assert draws.mean(0).abs().max() < 0.02
    assert (draws.std(0) - 1 / math.sqrt(3)).abs().max() < 0.01
    assert (torch.corrcoef(draws.T) - torch.eye(4)).abs().max() < 0.03


def test_hashes_depend_on_every_value_and_their_order():
    hashes = {hash_integers(a, b) for a in range(30) for b in range(30)}
    assert len(hashes) == 900
    assert min(hashes) >= 0


def pictures(n):
    return torch.randint(0, 256, (n, 1, 28, 28)).float()


def test_an_image_is_deformed_alike_in_every_batch():
    config = AugmentationConfig(shift_pixels=2, rotation_degrees=9, scale=0.1, elastic_pixels=1)
    images, indices = pictures(6), torch.arange(100, 106)
    whole = augment(images, indices, config=config, seed=3, epoch=4)
    order = torch.tensor([4, 1])
    torch.manual_seed(99)
    part = augment(images[order], indices[order], config=config, seed=3, epoch=4)
    assert torch.equal(part, whole[order])
    for seed, epoch in ((3, 5), (4, 4)):
        other = augment(images, indices, config=config, seed=seed, epoch=epoch)
        assert not torch.equal(other, whole)


def test_deformed_images_hold_pixel_integers():
    config = AugmentationConfig(shift_pixels=2, rotation_degrees=9, scale=0.1, elastic_pixels=1)
    deformed = augment(pictures(5), torch.arange(5), config=config, seed=0, epoch=0)
    assert torch.equal(deformed, deformed.round())
    assert deformed.min() >= 0
    assert deformed.max() <= 255


def test_no_deformation_returns_the_images():
    images = pictures(2)
    nothing = augment(images, torch.arange(2), config=AugmentationConfig(), seed=0, epoch=0)
    assert torch.equal(nothing, images)


def centre(image):
    """Centre of mass, (row, column)."""
    rows = torch.arange(28.0)
    weight = image / image.sum()
    return (weight.sum(1) * rows).sum().item(), (weight.sum(0) * rows).sum().item()


def test_a_shift_moves_by_at_most_its_limit_along_both_axes():
    images = torch.zeros(64, 1, 28, 28)
    images[:, :, 12:16, 12:16] = 255
    config = AugmentationConfig(shift_pixels=3)
    moved = augment(images, torch.arange(64), config=config, seed=0, epoch=0)
    moves = torch.tensor([[a - 13.5 for a in centre(image[0])] for image in moved])
    assert moves.abs().max() <= 3.1
    assert moves.amax(0).min() > 2  # both axes, both directions
    assert moves.amin(0).max() < -2


def test_a_rotation_turns_a_line_by_at_most_its_limit():
    images = torch.zeros(64, 1, 28, 28)
    images[:, :, 13:15, 4:24] = 255
    config = AugmentationConfig(rotation_degrees=20)
    turned = augment(images, torch.arange(64), config=config, seed=0, epoch=0)
    axis = torch.arange(28.0) - 13.5
    slopes = []
    for image in turned[:, 0]:
        weight = image / image.sum()
        rows_by_column = (weight * axis[:, None] * axis[None, :]).sum()
        slopes.append(math.degrees(math.atan(rows_by_column / (weight.sum(0) * axis**2).sum())))
    assert max(map(abs, slopes)) <= 21
    assert max(slopes) > 15
    assert min(slopes) < -15
