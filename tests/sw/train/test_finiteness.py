"""NaN and infinity are found where they are, and in the layer that they came from."""

import math

import pytest
import torch
from rbonn.sw.train.finiteness import all_finite, first_nonfinite_output, nonfinite_layers, norm_sum
from torch import nn


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_number_among_many_is_found(value):
    tensors = [torch.randn(5), torch.randn(3, 4, 2, 2), torch.zeros(1)]
    assert all_finite(tensors)
    for tensor in tensors:
        planted = tensor.clone()
        planted.view(-1)[-1] = value
        assert not all_finite([planted if t is tensor else t for t in tensors])


def test_large_numbers_are_finite():
    assert all_finite([torch.full((4,), 3e38), torch.zeros(2)])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_sum_of_norms_tells_what_is_not_finite_and_stays_finite_else(value):
    assert norm_sum([]) == 0
    tensors = [torch.tensor([3.0, 4.0]), torch.tensor(2.0)]
    assert norm_sum(tensors) == 7
    assert not torch.isfinite(norm_sum([*tensors, torch.tensor([value])]))


def test_layers_are_named_in_order_once():
    network = nn.Sequential(
        nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Linear(2, 2)
    )
    assert nonfinite_layers(network) == []
    network[2].bias.data[0] = math.nan
    network[1][0].weight.data[0, 0] = math.inf
    network[1][0].bias.data[0] = math.nan
    assert nonfinite_layers(network) == ["1.0", "2"]
    network[0].weight.grad = torch.full((2, 2), math.inf)
    network[2].weight.grad = torch.ones(2, 2)
    assert nonfinite_layers(network, gradients=True) == ["0"]


def test_the_innermost_module_whose_output_is_not_finite_is_named():
    class Logarithm(nn.Module):
        def forward(self, x):
            return x.log()

    network = nn.Sequential(nn.Identity(), nn.Sequential(nn.ReLU(), Logarithm()), nn.Identity())
    assert first_nonfinite_output(network, torch.ones(3)) is None
    assert first_nonfinite_output(network, torch.tensor([1.0, -1.0])) == "1.1"
    assert not any(module._forward_hooks for module in network.modules())
