"""Bits of pixels, at every pixel value."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rbonn.sw.train.layers import InputBinarise, InputThermometer

PIXELS = torch.arange(256.0)


def test_pixels_at_the_threshold_become_plus_one():
    for threshold in (0, 1, 128, 255):
        expected = [1 if pixel >= threshold else -1 for pixel in range(256)]
        assert InputBinarise(threshold)(PIXELS).tolist() == expected


@given(levels=st.integers(1, 128))
def test_a_thermometer_counts_the_evenly_spread_thresholds_that_a_pixel_reaches(levels):
    encode = InputThermometer(levels)
    thresholds = np.array(encode.thresholds)
    # the middles of equal parts of 0..255, rounded down to pixels
    assert thresholds.tolist() == [int(256 * (k + 0.5) / levels) for k in range(levels)]
    assert (np.diff(thresholds) > 0).all()
    assert thresholds[0] > 0
    assert thresholds[-1] <= 255
    code = encode(PIXELS.reshape(1, 1, 16, 16))[0].flatten(1).T.numpy()  # (256, levels)
    counts = [(thresholds <= pixel).sum() for pixel in range(256)]
    for pixel, count in enumerate(counts):
        assert code[pixel].tolist() == [1.0] * count + [-1.0] * (levels - count)


def test_a_thermometer_of_one_level_is_the_threshold_128():
    x = PIXELS.reshape(1, 1, 16, 16)
    assert InputThermometer(1).thresholds == (128,)
    assert torch.equal(InputThermometer(1)(x), InputBinarise(128)(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_levels_of_a_channel_lie_side_by_side_channels_fastest_in_memory(dtype):
    x = torch.randint(0, 256, (2, 3, 4, 5)).to(dtype)
    encode = InputThermometer(8)
    code = encode(x)
    assert code.shape == (2, 24, 4, 5)
    assert code.dtype == dtype
    for channel in range(3):
        for level, threshold in enumerate(encode.thresholds):
            expected = torch.where(x[:, channel] >= threshold, 1.0, -1.0).to(dtype)
            assert torch.equal(code[:, 8 * channel + level], expected)
    assert code.is_contiguous(memory_format=torch.channels_last)
    assert not encode.state_dict()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: InputBinarise(256), "Threshold must be an integer from 0 to 255, not 256"),
        (lambda: InputBinarise(-1), "Threshold must be an integer from 0 to 255, not -1"),
        (lambda: InputBinarise(0.5), "Threshold must be an integer from 0 to 255, not 0.5"),
        (lambda: InputThermometer(0), "Levels must be an integer from 1 to 128, not 0"),
        (lambda: InputThermometer(129), "Levels must be an integer from 1 to 128, not 129"),
    ],
)
def test_parameters_out_of_range_are_rejected(make, message):
    with pytest.raises(ValueError, match=message):
        make()
