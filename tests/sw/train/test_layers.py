"""Binary layers against integer arithmetic in NumPy, and RBONN's bilinear term against its closed forms."""

import numpy as np
import pytest
import torch
from rbonn.sw.train.layers import (
    BinaryConv2d,
    BinaryHead,
    BinaryLinear,
    ChannelLastFlatten,
    InputBinarise,
)


def bits(*shape):
    return torch.where(torch.rand(shape) < 0.5, -1.0, 1.0)


def integer_convolution(x, weight, stride, padding, pad_value):
    """Sums of products in int64: x (batch, in, height, width), weight (out, in, kernel height, kernel width)."""
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2), constant_values=pad_value)
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], (2, 3))
    return np.einsum("bihwkl,oikl->bohw", windows[:, :, ::stride, ::stride], weight)


@pytest.mark.parametrize("pad_value", [-1, 0, 1])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(3, 1, 1), (3, 2, 1), ((2, 3), 1, 0), (5, 2, 2), (1, 1, 0)]
)
def test_a_convolution_in_eval_is_the_integer_sum_times_alpha(kernel, stride, padding, pad_value):
    layer = BinaryConv2d(5, 7, kernel, stride, padding, pad_value).eval()
    x = bits(2, 5, 9, 8)
    weight = np.where(layer.weight.detach().numpy() >= 0, 1, -1)
    expected = integer_convolution(x.numpy().astype(np.int64), weight, stride, padding, pad_value)
    assert np.array_equal(layer.sums(x).detach().numpy(), expected)
    alpha = layer.scale.detach().abs()[:, None, None]
    assert torch.equal(layer(x), torch.from_numpy(expected).float() * alpha)
    assert torch.equal(layer.double().sums(x.double()), torch.from_numpy(expected).double())


def test_a_convolution_in_training_has_the_values_of_eval():
    layer = BinaryConv2d(5, 7, 3, padding=1, pad_value=-1)
    x = bits(2, 5, 6, 6)
    torch.testing.assert_close(layer.train()(x), layer.eval()(x))


def test_a_dense_layer_is_the_integer_sum_times_alpha():
    layer = BinaryLinear(37, 6).eval()
    x = bits(4, 37)
    weight = np.where(layer.weight.detach().numpy() >= 0, 1, -1)
    expected = x.numpy().astype(np.int64) @ weight.T
    assert np.array_equal(layer.sums(x).detach().numpy(), expected)
    assert torch.equal(layer(x), torch.from_numpy(expected).float() * layer.scale.abs())


def test_a_latent_weight_of_zero_counts_as_plus_one():
    layer = BinaryLinear(3, 1)
    layer.weight.data.zero_()
    assert layer.sums(torch.ones(1, 3)).item() == 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_head_is_alpha_times_integers_in_both_modes(dtype):
    head = BinaryHead(20, 4).to(dtype)
    head.bias.data = torch.tensor([0.3, -1.7, 5.0, 0.0], dtype=dtype)
    head.scale.data.fill_(-0.25)
    x = bits(3, 20).to(dtype)
    weight = torch.where(head.weight >= 0, 1, -1)
    integers = x.long() @ weight.T + torch.tensor([1, -7, 20, 0])
    assert head.integer_bias().tolist() == [1, -7, 20, 0]
    for mode in (True, False):
        torch.testing.assert_close(head.train(mode)(x), integers.to(dtype) * 0.25)
    assert torch.equal(head.eval().integer_scores(x), integers.to(dtype))


def test_the_gradients_of_the_head_pass_the_rounding():
    head = BinaryHead(20, 4).double()
    head.bias.data = torch.randn(4).double()
    x, g = bits(3, 20).double(), torch.randn(3, 4).double()
    head(x).backward(g)
    torch.testing.assert_close(head.bias.grad, g.sum(0))
    rounding = head.integer_bias() - head.bias / head.alpha
    torch.testing.assert_close(head.scale.grad, (g * (head.sums(x) + rounding)).sum()[None])
    torch.testing.assert_close(head.weight.grad, head.alpha * g.T @ x)


@pytest.mark.parametrize(
    "layer",
    [BinaryConv2d(3, 4, 3, lam=0.7), BinaryLinear(27, 4, lam=0.7), BinaryHead(27, 4, lam=0.7)],
)
def test_the_bilinear_gradients_are_the_closed_forms(layer):
    layer = layer.double()
    layer.scale.data = torch.rand_like(layer.scale) + 0.2
    layer.zero_grad()
    loss = layer.bilinear_loss()
    loss.backward()
    w = layer.weight.detach().reshape(len(layer.scale), -1)
    b, a = torch.where(w >= 0, 1.0, -1.0).double(), 1 / layer.scale.detach()[:, None]
    torch.testing.assert_close(loss.detach(), 0.7 * ((b - a * w) ** 2).sum())
    torch.testing.assert_close(
        layer.weight.grad.reshape(w.shape), 0.7 * 2 * a * (a * w - b), rtol=1e-9, atol=1e-12
    )
    gradient_of_a = 0.7 * 2 * (a[:, 0] * w.square().sum(1) - w.abs().sum(1))
    torch.testing.assert_close(  # the parameter is alpha = 1 / A, so dA/dalpha = -A^2
        layer.scale.grad, -gradient_of_a * a[:, 0] ** 2, rtol=1e-9, atol=1e-12
    )


def test_the_first_scale_factors_minimise_the_bilinear_term():
    layer = BinaryConv2d(3, 4, 3, lam=1.0).double()
    layer.reset_parameters()
    layer.bilinear_loss().backward()
    torch.testing.assert_close(layer.scale.grad, torch.zeros(4).double(), rtol=0, atol=1e-9)


def test_a_negative_scale_counts_as_its_absolute_value():
    layer = BinaryLinear(8, 3).eval()
    x = bits(2, 8)
    before, loss = layer(x), layer.bilinear_loss()
    layer.scale.data.neg_()
    assert torch.equal(layer(x), before)
    assert layer.bilinear_loss() == loss


def test_latent_weights_are_limited():
    layer = BinaryLinear(2, 1, weight_limit=0.5)
    layer.weight.data = torch.tensor([[-3.0, 0.4]])
    layer.limit_weights()
    torch.testing.assert_close(layer.weight.data, torch.tensor([[-0.5, 0.4]]))


def test_pixels_at_the_threshold_become_plus_one():
    x = torch.tensor([0.0, 127, 128, 255])
    assert InputBinarise(128)(x).tolist() == [-1, -1, 1, 1]


def test_flattening_puts_channels_fastest():
    x = torch.arange(24).reshape(1, 2, 3, 4)
    expected = x.numpy().transpose(0, 2, 3, 1).reshape(1, -1)
    assert np.array_equal(ChannelLastFlatten()(x).numpy(), expected)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BinaryConv2d(0, 4, 3), "Input channels must be at least 1, not 0"),
        (lambda: BinaryConv2d(4, 0, 3), "Output channels must be at least 1, not 0"),
        (lambda: BinaryConv2d(4, 4, (3, 0)), "Kernel width must be at least 1, not 0"),
        (lambda: BinaryConv2d(4, 4, 3, 0), "Stride must be at least 1, not 0"),
        (lambda: BinaryConv2d(4, 4, 3, 1, 3), "Padding must be 0 to kernel size - 1, not 3"),
        (lambda: BinaryConv2d(4, 4, 3, 1, 1, 2), "Pad value must be -1, 0 or 1, not 2"),
        (lambda: BinaryLinear(0, 4), "Features must be at least 1, not 0, 4"),
        (lambda: BinaryLinear(4, 4, lam=-1), "Lam must be at least 0, not -1"),
        (lambda: BinaryLinear(4, 4, weight_limit=0), "Weight limit must be positive, not 0"),
        (lambda: InputBinarise(256), "Threshold must be an integer from 0 to 255, not 256"),
    ],
)
def test_parameters_out_of_range_are_rejected(make, message):
    with pytest.raises(ValueError, match=message):
        make()
