"""The binary dense layer against integer arithmetic in NumPy."""

import numpy as np
import pytest
import torch
from rbonn.sw.train.layers import RBOLinear

from .integer_products import bits, integers


@pytest.mark.parametrize("mode", ["paper", "official", "official_ranked", "off"])
def test_in_eval_it_is_the_integer_sum_times_alpha_and_in_training_the_same(mode):
    layer = RBOLinear(37, 6, mode=mode).eval()
    x = bits(4, 37)
    weight = np.where(layer.weight.detach().numpy() >= 0, 1, -1)
    expected = integers(x) @ weight.T
    assert np.array_equal(layer.sums(x).detach().numpy(), expected)
    assert torch.equal(layer(x), torch.from_numpy(expected).float() * layer.alpha)
    torch.testing.assert_close(layer.train()(x), layer.eval()(x))


def test_a_latent_weight_of_zero_counts_as_plus_one():
    layer = RBOLinear(3, 1)
    layer.weight.data.zero_()
    assert layer.sums(torch.ones(1, 3)).item() == 3


@pytest.mark.parametrize("features", [(0, 4), (4, 0)])
def test_layers_without_features_are_rejected(features):
    with pytest.raises(ValueError, match=f"Features must be at least 1, not {features[0]}, {features[1]}"):  # fmt: skip
        RBOLinear(*features)
