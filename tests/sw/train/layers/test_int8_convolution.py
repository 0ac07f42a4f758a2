"""The convolution of pixels with 8-bit weights against integer arithmetic in NumPy."""

import numpy as np
import pytest
import torch
from rbonn.sw.train.layers import Int8Conv2d

from .integer_products import convolution, integers


def layer_and_pixels(stride=1, padding=0, pad_value=0):
    layer = Int8Conv2d(3, 4, 3, stride, padding, pad_value)
    layer.weight.data.uniform_(-1.2, 1.2)  # some of them clamped
    return layer, torch.randint(0, 256, (2, 3, 7, 6)).float()


@pytest.mark.parametrize(("stride", "padding", "pad_value"), [(1, 0, 0), (2, 1, 0), (1, 2, 128)])
def test_it_is_the_integer_sum_over_32768_in_training_and_eval(stride, padding, pad_value):
    layer, x = layer_and_pixels(stride, padding, pad_value)
    latent = layer.weight.detach().numpy()
    weight = np.clip(np.round(128 * latent), -128, 127).astype(np.int64)
    assert weight.min() == -128
    assert weight.max() == 127
    assert np.array_equal(integers(layer.integer_weight()), weight)
    expected = convolution(integers(x), weight, stride, padding, pad_value)
    assert np.array_equal(layer.sums(x).detach().numpy(), expected)
    for training in (True, False):
        actual = layer.train(training)(x).detach().numpy()
        assert np.array_equal(actual, (expected / 32768).astype(np.float32))


def test_its_gradient_passes_the_rounding_and_stops_where_the_clamp_holds():
    layer, x = layer_and_pixels()
    outputs = layer(x)
    g = torch.randn_like(outputs)
    outputs.backward(g)
    weight = layer.weight.detach()
    free = weight.clone().requires_grad_()
    (torch.nn.functional.conv2d(x, free) / 256).backward(g)
    inside = (128 * weight >= -128) & (128 * weight <= 127)
    torch.testing.assert_close(layer.weight.grad, free.grad * inside, rtol=1e-4, atol=1e-5)
    assert (~inside).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 4, 3), "Input channels must be at least 1, not 0"),
        ((3, 0, 3), "Output channels must be at least 1, not 0"),
        ((3, 4, 0), "Kernel size must be at least 1, not 0"),
        ((3, 4, 3, 0), "Stride must be at least 1, not 0"),
        ((3, 4, 3, 1, 3), "Padding must be 0 to kernel size - 1, not 3"),
        ((3, 4, 3, 1, 1, 256), "Pad value must be a pixel, 0 to 255, not 256"),
        ((58, 4, 3), "Taps must be at most 514 for exact sums, not 522"),
        ((515, 4, 1), "Taps must be at most 514 for exact sums, not 515"),
    ],
)
def test_parameters_out_of_range_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        Int8Conv2d(*arguments)


@pytest.mark.parametrize(("latent", "weight"), [(-1.0, -128), (1.0, 127)])
def test_the_largest_sums_of_514_taps_are_exact(latent, weight):
    layer = Int8Conv2d(514, 1, 1)
    layer.weight.data.fill_(latent)
    layer.weight.data[0, 0] = 1 / 128  # makes the sum odd: in float32 it needs all bits
    sums = layer.sums(torch.full((1, 514, 1, 1), 255.0))
    assert sums.item() == 255 * (1 + 513 * weight)
