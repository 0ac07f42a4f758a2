"""Augmentation: a pure function of (seed, epoch, index), and the crops, flips and deformations it says."""

import itertools
import math

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from rbonn.sw.train.augmentation import (
    AugmentationConfig,
    _elastic_field,
    augment,
    hash_integers,
    random_bits,
    uniform,
)
from torch.nn import functional

MASK = (1 << 64) - 1


def mix(x):
    """SplitMix64 in Python's integers."""
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def drawn(seed, epoch, index, draw):
    """24 bits, by Python's integers."""
    base = mix((mix(seed) + epoch) & MASK)
    return mix((mix((base + index) & MASK) + draw) & MASK) >> 40


@pytest.mark.parametrize("first", [0, 55])
def test_the_draws_are_those_of_splitmix64(first):
    expected = [[drawn(5, 2, index, first + draw) for draw in range(3)] for index in (0, 59_999)]
    indices = torch.tensor([0, 59_999])
    assert random_bits(5, 2, indices, 3, first).tolist() == expected
    as_numbers = [[bits / (1 << 23) - 1 for bits in row] for row in expected]
    assert uniform(5, 2, indices, 3, first).tolist() == as_numbers


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


def photographs(n, height=32, width=32):
    """uint8, channels last in memory, as a data set has them."""
    generator = torch.Generator().manual_seed(height)
    shape = (n, height, width, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator).permute(0, 3, 1, 2)


DEFORM = {"shift_pixels": 2, "rotation_degrees": 9, "scale": 0.1, "elastic_pixels": 1}
CROP = {"crop_pixels": 4, "flip": True}


@pytest.mark.parametrize("changes", [DEFORM, CROP, DEFORM | CROP])
def test_an_image_is_changed_alike_in_every_batch(changes):
    config = AugmentationConfig(**changes)
    images, indices = pictures(6), torch.arange(100, 106)
    whole = augment(images, indices, config=config, seed=3, epoch=4)
    order = torch.tensor([4, 2])
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


def cropped(image, index, limit, *, flip, seed, epoch):
    """One image (height, width, channels) by NumPy's padding, a slice and a reversal."""
    down, right = (drawn(seed, epoch, index, 55 + i) * (2 * limit + 1) >> 24 for i in range(2))
    padded = np.pad(image, ((limit, limit), (limit, limit), (0, 0)), mode="reflect")
    crop = padded[down : down + image.shape[0], right : right + image.shape[1]]
    return crop[:, ::-1] if flip and drawn(seed, epoch, index, 57) >> 23 else crop


@pytest.mark.parametrize("size", [(32, 32), (28, 28), (5, 9)])
@pytest.mark.parametrize(("limit", "flip"), [(4, True), (4, False), (0, True), (1, True)])
def test_a_crop_is_that_of_the_reflected_image_and_a_flip_mirrors_it(size, limit, flip):
    images, indices = photographs(40, *size), torch.arange(1000, 1040)
    config = AugmentationConfig(crop_pixels=limit, flip=flip)
    changed = augment(images, indices, config=config, seed=7, epoch=3)
    assert changed.dtype == torch.uint8
    for image, got, index in zip(images, changed, indices.tolist(), strict=True):
        plain = image.permute(1, 2, 0).numpy()
        expected = cropped(plain, index, limit, flip=flip, seed=7, epoch=3)
        assert np.array_equal(got.permute(1, 2, 0).numpy(), expected)


def test_crops_are_the_same_for_every_type_and_order_in_memory():
    images, indices = photographs(12), torch.arange(12)
    config = AugmentationConfig(**CROP)
    expected = augment(images, indices, config=config, seed=0, epoch=0)
    for same in (images.float(), images.contiguous(), images.float().contiguous()):
        changed = augment(same, indices, config=config, seed=0, epoch=0)
        assert changed.dtype == same.dtype
        assert changed.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(changed, expected.to(same.dtype))


def test_all_crops_and_flips_are_equally_likely():
    n = 20_000
    image = torch.arange(17 * 17, dtype=torch.int16).view(1, 1, 17, 17)
    config = AugmentationConfig(crop_pixels=2, flip=True)
    changed = augment(
        image.float().expand(n, 1, 17, 17), torch.arange(n), config=config, seed=1, epoch=1
    )
    centre, right = changed[:, 0, 8, 8].long(), changed[:, 0, 8, 9].long()
    cases = (centre // 17 - 6) * 10 + (centre % 17 - 6) * 2 + (right < centre)  # 5 x 5 x 2
    counts = torch.bincount(cases, minlength=50)
    assert len(counts) == 50
    assert ((counts - n / 50) ** 2 / (n / 50)).sum() < 86  # chi-squared of 49 degrees, 0.1 %


def test_a_crop_as_large_as_the_image_is_refused():
    images = photographs(1, 9, 5)
    with pytest.raises(ValueError, match="below the image's 9 x 5, not 5"):
        augment(images, torch.arange(1), config=AugmentationConfig(crop_pixels=5), seed=0, epoch=0)


@pytest.mark.parametrize("crop_pixels", [-1, 1.5])
def test_a_crop_out_of_range_is_refused_where_experiments_are_read(crop_pixels):
    adapter = TypeAdapter(AugmentationConfig)
    assert adapter.validate_python({"crop_pixels": 27, "flip": True}).crop_pixels == 27
    with pytest.raises(ValidationError, match="crop_pixels"):
        adapter.validate_python({"crop_pixels": crop_pixels})


def test_a_crop_comes_before_the_deformation():
    images, indices = photographs(8), torch.arange(8)
    both, crop, deform = (AugmentationConfig(**c) for c in (CROP | DEFORM, CROP, DEFORM))
    together = augment(images, indices, config=both, seed=2, epoch=0)
    first = augment(images, indices, config=crop, seed=2, epoch=0)
    then = augment(first, indices, config=deform, seed=2, epoch=0)
    assert together.dtype == torch.float32
    assert together.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(together, then)


@pytest.mark.parametrize("size", [(28, 28), (32, 20)])
def test_the_elastic_distortion_is_bicubic_between_its_control_points(size):
    control = torch.rand(3, 2, 5, 5, generator=torch.Generator().manual_seed(1)) * 2 - 1
    expected = functional.interpolate(control, size=size, mode="bicubic", align_corners=True)
    assert torch.allclose(_elastic_field(control, *size), expected, rtol=0, atol=1e-6)


def bilinear(image, row, column):
    """The value between four pixels of an image (height, width), 0 outside."""
    top, left = math.floor(row), math.floor(column)
    value = 0.0
    for r, c in itertools.product((top, top + 1), (left, left + 1)):
        if 0 <= r < image.shape[0] and 0 <= c < image.shape[1]:
            value += (1 - abs(row - r)) * (1 - abs(column - c)) * image[r, c]
    return value


def deformed(image, index, config, *, seed, epoch):
    """One image (height, width) in float64, pixel by pixel and not rounded: where each output pixel comes from, and what is there."""
    height, width = image.shape
    draws = [drawn(seed, epoch, index, draw) / 2**23 - 1 for draw in range(55)]
    angle = draws[2] * config.rotation_degrees * math.pi / 180
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = np.diag([1 + draw * config.scale for draw in draws[3:5]]) @ turn
    shift = np.array(draws[:2]) * config.shift_pixels
    control = torch.tensor(draws[5:], dtype=torch.float64).view(1, 2, 5, 5) * config.elastic_pixels
    field = functional.interpolate(control, (height, width), mode="bicubic", align_corners=True)
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    result = np.empty_like(image)
    for place in np.ndindex(height, width):
        offset = shift + field[0, :, place[0], place[1]].numpy()
        result[place] = bilinear(image, *(matrix @ (place - centre) + centre + offset))
    return result


@pytest.mark.parametrize(
    "changes",
    [
        {"shift_pixels": 3},
        {"rotation_degrees": 30},
        {"scale": 0.3},
        {"elastic_pixels": 2},
        {"shift_pixels": 2, "rotation_degrees": 9, "scale": 0.1, "elastic_pixels": 1},
    ],
    ids="-".join,
)
def test_a_deformed_pixel_is_what_lies_where_the_draws_say(changes):
    config = AugmentationConfig(**changes)
    images, indices = photographs(3, 14, 11)[:, :1].float(), torch.tensor([0, 7, 59_999])
    found = augment(images, indices, config=config, seed=6, epoch=2)
    for image, got, index in zip(images, found, indices.tolist(), strict=True):
        expected = deformed(image[0].double().numpy(), index, config, seed=6, epoch=2)
        assert np.abs(got[0].numpy() - expected).max() < 0.51  # rounded to integers
        assert np.abs(image[0].numpy() - expected).max() > 10
