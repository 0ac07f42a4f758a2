"""The binary convolution against integer arithmetic in NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.sw.train.layers import RBOConv2d

from .integer_products import bits, convolution, integers, popcounts

MODES = ("paper", "official", "official_ranked", "off")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("pad_value", [-1, 0, 1])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(3, 1, 1), (3, 2, 1), ((2, 3), 1, 0), (5, 2, 2), (1, 1, 0)]
)
def test_in_eval_it_is_the_integer_sum_times_alpha(kernel, stride, padding, pad_value, mode):
    layer = RBOConv2d(5, 7, kernel, stride, padding, pad_value, mode=mode).eval()
    x = bits(2, 5, 9, 8)
    weight = np.where(layer.weight.detach().numpy() >= 0, 1, -1)
    expected = convolution(integers(x), weight, stride, padding, pad_value)
    assert np.array_equal(layer.sums(x).detach().numpy(), expected)
    assert torch.equal(layer(x), torch.from_numpy(expected).float() * layer.alpha[:, None, None])
    assert torch.equal(layer.double().sums(x.double()), torch.from_numpy(expected).double())


@settings(max_examples=25)
@given(
    n_in=st.integers(1, 3),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    size=st.tuples(st.integers(3, 5), st.integers(3, 5)),
    stride=st.integers(1, 2),
    padding=st.integers(0, 2),
    pad_value=st.sampled_from([-1, 0, 1]),
    seed=st.integers(0, 2**32 - 1),
)
def test_its_sums_are_twice_the_popcount_less_the_taps_that_count_also_at_the_border(
    n_in, kernel, size, stride, padding, pad_value, seed
):
    padding = min(padding, min(kernel) - 1)
    torch.manual_seed(seed)
    layer = RBOConv2d(n_in, 2, kernel, stride, padding, pad_value)
    x = bits(1, n_in, *size, seed=seed)
    weight = np.where(layer.weight.detach().numpy() >= 0, 1, -1)
    agree, counted = popcounts(integers(x), weight, stride, padding, pad_value)
    assert np.array_equal(layer.sums(x).detach().numpy(), 2 * agree - counted)


def test_padded_taps_of_zero_leave_the_border_with_fewer_taps():
    layer = RBOConv2d(1, 1, 3, padding=1, pad_value=0)
    layer.weight.data.fill_(1)
    expected = [[4, 6, 4], [6, 9, 6], [4, 6, 4]]
    assert layer.sums(torch.ones(1, 1, 3, 3))[0, 0].tolist() == expected


@pytest.mark.parametrize("mode", MODES)
def test_in_training_it_has_the_values_of_eval_in_channels_last_order_too(mode):
    layer = RBOConv2d(5, 7, 3, padding=1, pad_value=-1, mode=mode)
    x = bits(2, 5, 6, 6)
    expected = layer.eval()(x)
    torch.testing.assert_close(layer.train()(x), expected)
    layer = layer.to(memory_format=torch.channels_last)
    torch.testing.assert_close(layer(x.to(memory_format=torch.channels_last)), expected)


@pytest.mark.parametrize("pad_value", [-1, 0, 1])
def test_its_gradients_pass_the_sign_of_the_weights_unchanged(pad_value):
    layer = RBOConv2d(2, 3, 3, padding=1, pad_value=pad_value).double()
    x = bits(4, 2, 5, 5).double().requires_grad_()
    scaled = (torch.sign(layer.weight.detach()) / layer.scale.detach()[:, None, None, None]).requires_grad_()  # fmt: skip
    padded = torch.nn.functional.pad(x, (1,) * 4, value=pad_value)
    outputs = torch.nn.functional.conv2d(padded, scaled)
    g = torch.randn_like(outputs)
    (of_x,) = torch.autograd.grad(outputs, x, g, retain_graph=True)
    (of_scaled,) = torch.autograd.grad(outputs, scaled, g)
    layer(x).backward(g)
    torch.testing.assert_close(x.grad, of_x)
    inverse_scale = layer.scale.detach()[:, None, None, None]
    torch.testing.assert_close(layer.weight.grad, of_scaled / inverse_scale)
    of_alpha = (of_scaled * torch.sign(layer.weight.detach())).sum((1, 2, 3))
    torch.testing.assert_close(layer.scale.grad, -of_alpha / layer.scale.detach() ** 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 4, 3), "Input channels must be at least 1, not 0"),
        ((4, 0, 3), "Output channels must be at least 1, not 0"),
        ((4, 4, (0, 3)), "Kernel height must be at least 1, not 0"),
        ((4, 4, (3, 0)), "Kernel width must be at least 1, not 0"),
        ((4, 4, 3, 0), "Stride must be at least 1, not 0"),
        ((4, 4, 3, 1, 3), "Padding must be 0 to kernel size - 1, not 3"),
        ((4, 4, (3, 1), 1, 1), "Padding must be 0 to kernel size - 1, not 1"),
        ((4, 4, 3, 1, -1), "Padding must be 0 to kernel size - 1, not -1"),
        ((4, 4, 3, 1, 1, 2), "Pad value must be -1, 0 or 1, not 2"),
    ],
)
def test_parameters_out_of_range_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        RBOConv2d(*arguments)
