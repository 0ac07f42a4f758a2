"""The residual block against plain arithmetic in NumPy, and its modules as a tracer sees them."""

import numpy as np
import pytest
import torch
from rbonn.sw.train.networks.block import Add, AvgPoolDuplicate, Block, halved
from rbonn.sw.train.networks.image import ImageShape
from rbonn.sw.train.networks.recurrent_config import RecurrentConfig
from torch import fx, nn


class ModulesOnly(fx.Tracer):
    """Follows a block into its own modules and no further."""

    def is_leaf_module(self, m, module_qualified_name):
        return not isinstance(m, nn.Sequential)


def numbers(tensor):
    return tensor.detach().numpy().astype(np.float64)


def convolution(x, weight, stride, padding, pad_value):
    """x (batch, in, height, width), weight (out, in, kernel, kernel), float64."""
    sides = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    x = np.pad(x, sides, constant_values=pad_value)
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], (2, 3))
    return np.einsum("bihwkl,oikl->bohw", windows[:, :, ::stride, ::stride], weight)


def batch_norm(x, norm):
    factor = numbers(norm.weight) / np.sqrt(numbers(norm.running_var) + norm.eps)
    offset = numbers(norm.bias) - numbers(norm.running_mean) * factor
    return x * factor[:, None, None] + offset[:, None, None]


def averages(x):
    return (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4


def on_channels(values):
    return numbers(values)[:, None, None]


def expected(block, x, shortcut, stride, pad_value):
    """What the paper's block computes, straight down its definition."""
    bits = np.where(x + on_channels(block.sign.shift) >= 0, 1.0, -1.0)
    weight = np.where(numbers(block.product.weight) >= 0, 1.0, -1.0)
    alpha = on_channels(block.product.alpha)
    main = batch_norm(alpha * convolution(bits, weight, stride, 1, pad_value), block.norm)
    beside = averages(x) if stride == 2 else x
    if shortcut == "conv1x1":
        real = numbers(block.shortcut[1].weight)[:, :, 0, 0]
        beside = batch_norm(np.einsum("bihw,oi->bohw", beside, real), block.shortcut[2])
    elif shortcut == "avgpool_duplicate":
        beside = np.concatenate([beside, beside], axis=1)
    y = main + beside + on_channels(block.activation.shift_in)
    y = np.where(y >= 0, y, y * on_channels(block.activation.used_slope))
    return y + on_channels(block.activation.shift_out)


@pytest.mark.parametrize("pad_value", [-1, 0, 1])
@pytest.mark.parametrize("slopes", ["free", "power_of_two"])
@pytest.mark.parametrize(
    ("shortcut", "stride"),
    [("identity", 1), ("avgpool_duplicate", 2), ("avgpool_duplicate", 1), ("conv1x1", 2), ("conv1x1", 1)],
)  # fmt: skip
def test_a_block_computes_what_the_paper_defines(shortcut, stride, slopes, pad_value, disturbed):
    wider = 1 if shortcut == "identity" else 2
    kind = "conv1x1" if shortcut == "conv1x1" else "avgpool_duplicate"
    block = Block(3, 3 * wider, stride, shortcut=kind, slopes=slopes, pad_value=pad_value)
    disturbed(block)
    block.double().eval()
    x = torch.randn(2, 3, 8, 6, dtype=torch.float64)
    actual = block(x).detach().numpy()
    np.testing.assert_allclose(
        actual, expected(block, x.numpy(), shortcut, stride, pad_value), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("shortcut", ["avgpool_duplicate", "conv1x1"])
def test_everything_a_block_computes_is_a_module_with_a_name(shortcut):
    block = Block(4, 8, 2, shortcut=shortcut)
    nodes = ModulesOnly().trace(block).nodes
    assert {node.op for node in nodes} == {"placeholder", "call_module", "output"}
    called = [str(node.target) for node in nodes if node.op == "call_module"]
    beside = (
        ["shortcut"] if shortcut == "avgpool_duplicate" else [f"shortcut.{i}" for i in range(3)]
    )
    assert called == ["sign", "product", "norm", *beside, "add", "activation"]


def test_every_parameter_that_autograd_learns_gets_a_gradient():
    block = Block(4, 8, 2, shortcut="conv1x1", recurrent=RecurrentConfig(mode="official"))
    for _ in range(2):  # in the first step there is nothing to look ahead along
        block(torch.randn(2, 4, 6, 6)).square().sum().backward()
        block.product.previous_gradient.copy_(block.product.weight.grad)
    for name, parameter in block.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_recurrent_settings_reach_the_convolution():
    config = RecurrentConfig(mode="official_ranked", lam=3e-4, tau=0.5, u0=0.25, eta_u=0.2)
    product = Block(2, 2, recurrent=config).product
    assert product.mode == "official_ranked"
    assert (product.lam, product.tau, product.u0, product.eta_u) == (3e-4, 0.5, 0.25, 0.2)
    assert Block(2, 2).product.mode == "paper"


def test_duplicated_channels_come_one_copy_after_the_other():
    x = torch.arange(8.0).reshape(1, 2, 2, 2)
    assert AvgPoolDuplicate()(x).flatten().tolist() == [1.5, 5.5, 1.5, 5.5]
    assert torch.equal(AvgPoolDuplicate(1, 3)(x), torch.cat([x, x, x], dim=1))


def test_the_sum_of_the_branches_leaves_both_as_they_are():
    x, y = torch.randn(2, 3), torch.randn(2, 3)
    kept = x.clone(), y.clone()
    assert torch.equal(Add()(x, y), kept[0] + kept[1])
    assert torch.equal(x, kept[0])
    assert torch.equal(y, kept[1])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((4, 8, 3), {}, "Stride must be 1 or 2, not 3"),
        ((4, 8, 2), {"shortcut": "conv3x3"}, "Shortcut must be .*, not 'conv3x3'"),
        ((4, 6, 2), {}, "copies of the input channels: 4 channels, 6 wanted"),
        ((4, 4, 1), {"slopes": "steep"}, "Slopes must be .*, not 'steep'"),
        ((4, 4, 1), {"pad_value": 2}, "Pad value must be -1, 0 or 1, not 2"),
        ((4, 4, 1), {"estimator": "exact"}, "Estimator must be .*, not 'exact'"),
    ],
)
def test_an_impossible_block_is_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        Block(*arguments, **options)


@pytest.mark.parametrize(("size", "copies"), [(0, 2), (2, 0)])
def test_a_shortcut_of_nothing_is_refused(size, copies):
    with pytest.raises(ValueError, match="must be at least 1, not 0"):
        AvgPoolDuplicate(size, copies)


def test_halving_needs_even_sides():
    assert halved(ImageShape(8, 6, 3), 5) == ImageShape(4, 3, 5)
    with pytest.raises(ValueError, match="even height and width, not 8 x 5"):
        halved(ImageShape(8, 5, 3), 5)
