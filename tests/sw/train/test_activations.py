"""Activations: values and surrogate gradients on a grid that holds the corners, shifts and slopes of channels against NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rbonn.sw.train.activations import (
    BinaryActivation,
    RPReLU,
    RSign,
    latent_sign,
    power_of_two,
    sign,
)

GRID = [-2.0, -1.0, -0.75, -0.25, -0.0, 0.0, 0.25, 0.75, 1.0, 2.0]
SIGNS = [-1, -1, -1, -1, 1, 1, 1, 1, 1, 1]


def gradient_on_grid(function, dtype=torch.float64):
    x = torch.tensor(GRID, dtype=dtype, requires_grad=True)
    y = function(x)
    assert y.dtype == dtype
    assert y.tolist() == SIGNS
    y.backward(torch.full_like(y, 3.0))
    return (x.grad / 3).tolist()


def values(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_sign_of_zero_is_plus_one_of_either_zero():
    assert sign(torch.tensor([0.0, -0.0])).tolist() == [1, 1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_approximate_gradient_is_the_tent_of_slope_two(dtype):
    gradient = gradient_on_grid(BinaryActivation("approximate"), dtype)
    assert gradient == [0, 0, 0.5, 1.5, 2, 2, 1.5, 0.5, 0, 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_clipped_gradient_is_one_from_minus_one_to_one(dtype):
    assert gradient_on_grid(BinaryActivation("clip"), dtype) == [0, 1, 1, 1, 1, 1, 1, 1, 1, 0]


def test_the_gradient_of_latent_weights_passes_unchanged():
    assert gradient_on_grid(latent_sign) == [1] * len(GRID)


def test_an_unknown_estimator_is_rejected():
    with pytest.raises(ValueError, match="Estimator must be 'approximate' or 'clip', not 'swish'"):
        BinaryActivation("swish")


def test_the_approximate_gradient_is_two_plus_two_x_then_two_minus_two_x_then_zero():
    x = torch.linspace(-1.5, 1.5, 61, dtype=torch.float64).requires_grad_()
    BinaryActivation()(x).sum().backward()
    grid = x.detach().numpy()
    rising, falling = (grid >= -1) & (grid < 0), (grid >= 0) & (grid < 1)
    expected = np.select([rising, falling], [2 + 2 * grid, 2 - 2 * grid], 0.0)
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("estimator", ["approximate", "clip"])
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 5, 4)])
def test_a_shifted_sign_adds_the_shift_of_its_channel_and_learns_it(shape, estimator):
    layer = RSign(3, estimator).double()
    layer.shift.data = torch.tensor([0.5, -0.25, 0.0]).double()
    x = values(*shape).requires_grad_()
    shift = layer.shift.detach().reshape(1, 3, *(1,) * (len(shape) - 2))
    y = layer(x)
    assert torch.equal(y, torch.where(x.detach() + shift >= 0, 1.0, -1.0).double())

    g = values(*shape, seed=1)
    y.backward(g)
    moved = (x.detach() + shift).requires_grad_()
    BinaryActivation(estimator)(moved).backward(g)
    assert torch.equal(x.grad, moved.grad)
    axes = tuple(axis for axis in range(len(shape)) if axis != 1)
    torch.testing.assert_close(layer.shift.grad, moved.grad.sum(axes))


@pytest.mark.parametrize("shape", [(6, 3), (2, 3, 4, 5)])
def test_a_prelu_between_shifts_has_the_values_and_gradients_of_its_formula(shape):
    layer = RPReLU(3).double()
    assert layer.slope.tolist() == [0.25] * 3
    parameters = {"shift_in": [0.3, -0.2, 0.0], "slope": [0.5, -0.75, 0.0], "shift_out": [1, -1, 2]}
    for name, numbers in parameters.items():
        getattr(layer, name).data = torch.tensor(numbers, dtype=torch.float64)
    x, g = values(*shape).requires_grad_(), values(*shape, seed=1)
    y = layer(x)
    y.backward(g)

    def column(name):
        return np.array(parameters[name], float).reshape(1, 3, *(1,) * (len(shape) - 2))

    axes = tuple(axis for axis in range(len(shape)) if axis != 1)
    inner = x.detach().numpy() + column("shift_in")
    slope = np.where(inner >= 0, 1.0, column("slope"))
    np.testing.assert_allclose(y.detach().numpy(), slope * inner + column("shift_out"), rtol=1e-14)
    np.testing.assert_allclose(x.grad.numpy(), g.numpy() * slope, rtol=1e-14)
    for parameter, factor in (
        (layer.shift_in, slope),
        (layer.slope, np.minimum(inner, 0)),
        (layer.shift_out, np.ones(shape)),
    ):
        np.testing.assert_allclose(parameter.grad.numpy(), (g.numpy() * factor).sum(axes))


POWERS = [2.0**exponent for exponent in range(-7, 1)]


@given(st.floats(-4, 4, width=32))
def test_slopes_of_powers_of_two_are_the_nearest_ones_in_the_logarithm(slope):
    used = power_of_two(torch.tensor([slope])).item()
    magnitude = max(abs(slope), 2.0**-20)
    distances = [abs(np.log2(magnitude) - np.log2(power)) for power in POWERS]
    assert abs(used) in POWERS
    assert distances[POWERS.index(abs(used))] <= min(distances) + 1e-6
    assert (used > 0) == (slope >= 0)


def test_a_power_of_two_is_its_own_nearest_one_and_small_slopes_stop_at_the_smallest():
    exact = torch.tensor([sign * power for power in POWERS for sign in (1, -1)])
    assert torch.equal(power_of_two(exact), exact)
    others = torch.tensor([0.0, 1e-9, -1e-9, 3.0, -3.0])
    assert power_of_two(others).tolist() == [2**-7, 2**-7, -(2**-7), 1, -1]


def test_the_gradient_of_power_of_two_slopes_passes_the_rounding():
    layer = RPReLU(2, "power_of_two").double()
    layer.slope.data = torch.tensor([0.3, -0.9]).double()
    assert layer.used_slope.tolist() == [0.25, -1]
    x = torch.full((1, 2), -3.0, dtype=torch.float64)
    assert layer(x).tolist() == [[-0.75, 3]]
    layer(x).sum().backward()
    assert layer.slope.grad.tolist() == [-3, -3]


@pytest.mark.parametrize("make", [RSign, RPReLU])
def test_activations_without_channels_are_rejected(make):
    with pytest.raises(ValueError, match="Channels must be at least 1, not 0"):
        make(0)


def test_another_kind_of_slopes_is_rejected():
    with pytest.raises(ValueError, match="Slopes must be 'free' or 'power_of_two', not 'half'"):
        RPReLU(3, "half")
