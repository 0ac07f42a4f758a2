"""Binary activations: values and surrogate gradients on a grid that holds the corners."""

import pytest
import torch
from rbonn.sw.train.activations import BinaryActivation, latent_sign, sign

GRID = [-2.0, -1.0, -0.75, -0.25, -0.0, 0.0, 0.25, 0.75, 1.0, 2.0]
SIGNS = [-1, -1, -1, -1, 1, 1, 1, 1, 1, 1]


def gradient_on_grid(function, dtype=torch.float64):
    x = torch.tensor(GRID, dtype=dtype, requires_grad=True)
    y = function(x)
    assert y.dtype == dtype
    assert y.tolist() == SIGNS
    y.backward(torch.full_like(y, 3.0))
    return (x.grad / 3).tolist()


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
