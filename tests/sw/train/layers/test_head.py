"""The head: integers that rank the classes as its scores do."""

import pytest
import torch
from rbonn.sw.train.layers import BinaryHead

from .integer_products import bits


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_alpha_times_integers_in_training_and_eval(dtype):
    head = BinaryHead(20, 4).to(dtype)
    head.bias.data = torch.tensor([0.45, -1.55, 5.0, 0.0], dtype=dtype)
    head.scale.data.fill_(-0.25)
    x = bits(3, 20).to(dtype)
    weight = torch.where(head.weight >= 0, 1, -1)
    integers = x.long() @ weight.T + torch.tensor([2, -6, 20, 0])
    assert head.integer_bias().tolist() == [2, -6, 20, 0]  # of 1.8, -6.2, 20, 0
    for mode in (True, False):
        torch.testing.assert_close(head.train(mode)(x), integers.to(dtype) * 0.25)
    assert torch.equal(head.eval().integer_scores(x), integers.to(dtype))


def test_its_gradients_pass_the_rounding():
    head = BinaryHead(20, 4).double()
    head.bias.data = torch.randn(4).double()
    x, g = bits(3, 20).double(), torch.randn(3, 4).double()
    head(x).backward(g)
    torch.testing.assert_close(head.bias.grad, g.sum(0))
    rounding = head.integer_bias() - head.bias / head.alpha
    torch.testing.assert_close(head.scale.grad, (g * (head.sums(x) + rounding)).sum()[None])
    torch.testing.assert_close(head.weight.grad, head.alpha * g.T @ x)


@pytest.mark.parametrize("features", [(0, 4), (4, 0)])
def test_a_head_without_features_is_rejected(features):
    with pytest.raises(ValueError, match="Features must be at least 1"):
        BinaryHead(*features)
