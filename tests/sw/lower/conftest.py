"""Random networks whose batch norms, scale factors and biases are anything a training could leave."""

import numpy as np
import pytest
import torch
from rbonn.sw.train.layers import BinaryHead, RBOLayer
from torch import nn


def randomise(module, seed, *, falling=True):
    """Draws all parameters of `module` anew; without `falling` no batch norm turns the order round. Returns the module in eval mode."""
    generator = torch.Generator().manual_seed(seed)

    def normal(like, spread):
        return torch.randn(like.shape, generator=generator) * spread

    for layer in module.modules():
        if isinstance(layer, RBOLayer | BinaryHead):
            n_taps = layer.weight[0].numel()
            layer.weight.data = normal(layer.weight, 1)
            layer.scale.data = normal(layer.scale, 0.3) + 0.5
            if (
                isinstance(layer, RBOLayer) and not layer.official
            ):  # A, which training keeps positive
                layer.scale.data.abs_().clamp_(min=0.05)
            if isinstance(layer, BinaryHead):
                layer.bias.data = normal(layer.bias, 2)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.running_mean = normal(layer.running_mean, 0.3 * n_taps**0.5)
            layer.running_var = normal(layer.running_var, 1).square() * n_taps
            layer.weight.data = normal(layer.weight, 1)
            layer.weight.data[torch.rand(layer.weight.shape, generator=generator) < 0.1] = 0
            if not falling:
                layer.weight.data.abs_()
            layer.bias.data = normal(layer.bias, 0.5)
    return module.eval()


@pytest.fixture(name="randomise")
def randomise_fixture():
    return randomise


@pytest.fixture
def random_images():
    def draw(n, shape, seed=0):
        return np.random.default_rng(seed).integers(0, 256, (n, *shape), np.uint8)

    return draw
