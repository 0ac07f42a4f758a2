"""What the binary layers share: defaults of the modes, scale factors, stage one, and that batch norm takes the scale factors out."""

import copy

import pytest
import torch
from rbonn.sw.train.bilinear import form2_gradients
from rbonn.sw.train.layers import BinaryActivation, RBOConv2d, RBOLinear
from torch import nn

from .integer_products import bits

MODES = ("paper", "official", "official_ranked", "off")


@pytest.mark.parametrize(
    ("mode", "lam", "u0", "limit"),
    [
        ("paper", 1e-7, 1e-3, 1.5),
        ("official", 1e-4, 0.2, None),
        ("official_ranked", 1e-4, 0.2, None),
        ("off", 0.0, 0.0, 1.5),
    ],
)
def test_each_mode_has_its_own_defaults_and_takes_others(mode, lam, u0, limit):
    layer = RBOLinear(3, 2, mode=mode)
    assert (layer.lam, layer.u0, layer.weight_limit) == (lam, u0, limit)
    assert (layer.tau, layer.eta_u) == (0.6, 0.1)
    assert torch.equal(layer.gain.detach(), torch.full((2,), u0))
    assert layer.gain.requires_grad == mode.startswith("official")
    other = RBOLinear(3, 2, mode=mode, lam=0.0, u0=0.0, weight_limit=0.5)
    assert (other.lam, other.u0, other.weight_limit) == (0.0, 0.0, 0.5)


def test_mode_off_has_no_bilinear_term_whatever_is_asked_for():
    assert RBOLinear(3, 2, mode="off", lam=1.0).lam == 0


@pytest.mark.parametrize("mode", ["paper", "off"])
def test_the_first_scale_factors_are_where_form_two_is_least(mode):
    layer = RBOConv2d(3, 4, 3, mode=mode).double()
    layer.reset_parameters()
    of_inverse_scale = form2_gradients(layer.weight.detach(), layer.scale.detach())[1]
    torch.testing.assert_close(of_inverse_scale, torch.zeros(4).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(layer.alpha, 1 / layer.scale)


@pytest.mark.parametrize("mode", ["official", "official_ranked"])
def test_the_first_scale_factors_of_the_released_code_are_normal(mode):
    scale = RBOLinear(2, 10_000, mode=mode).scale.detach()
    assert scale.mean().item() == pytest.approx(0, abs=0.05)
    assert scale.std().item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("mode", MODES)
def test_the_same_network_loads_what_it_saved_and_nothing_else_is_saved(mode):
    layer, other = (RBOLinear(3, 2, mode=mode) for _ in range(2))
    assert list(layer.state_dict()) == ["weight", "scale", "gain"]
    other.load_state_dict(layer.state_dict())
    x = bits(4, 3)
    assert torch.equal(layer(x), other(x))


# Stage one: real weights.


@pytest.mark.parametrize("mode", MODES)
def test_stage_one_multiplies_with_the_real_weights_in_training_and_eval(mode):
    conv, dense = RBOConv2d(2, 3, 3, padding=1, mode=mode), RBOLinear(4, 5, mode=mode)
    images, rows = bits(2, 2, 4, 4), bits(3, 4)
    for training in (True, False):
        for layer in (conv, dense):
            layer.train(training).real_weights = True
        expected = nn.functional.conv2d(images, conv.weight, padding=1)
        torch.testing.assert_close(conv(images), expected)
        torch.testing.assert_close(dense(rows), rows @ dense.weight.T)
    dense(rows).sum().backward()
    torch.testing.assert_close(dense.weight.grad, rows.sum(0).expand(5, 4))
    assert dense.scale.grad is None


@pytest.mark.parametrize("mode", MODES)
def test_the_end_of_stage_one_makes_weights_binary_and_sets_the_scale_factors_anew(mode):
    layer = RBOLinear(4, 3, mode=mode)
    layer.real_weights = True
    layer.weight.data = torch.tensor([[1.0, -3, 0, 0], [0.5, 0.5, -0.5, 0.5], [-2, 0, 0, 0]])
    before = layer.scale.detach().clone()
    layer.start_binary()
    assert not layer.real_weights
    if layer.official:  # drawn again: nothing in the released code ties them to the weights
        assert not torch.equal(layer.scale.detach(), before)
    else:
        torch.testing.assert_close(layer.alpha.detach(), torch.tensor([10 / 4, 0.5, 2.0]))
    product = layer.eval()(torch.ones(1, 4)) / layer.alpha
    torch.testing.assert_close(product, torch.tensor([[2.0, 2.0, 2.0]]))  # sign(0) = +1


# Scale factors and batch norm.


@pytest.mark.parametrize("mode", MODES)
def test_behind_a_batch_norm_ten_times_alpha_changes_nothing_but_by_its_epsilon(mode):
    torch.manual_seed(3)
    network = nn.Sequential(
        RBOConv2d(2, 6, 3, mode=mode), nn.BatchNorm2d(6), BinaryActivation(), nn.Flatten(),
        RBOLinear(54, 4, mode=mode), nn.BatchNorm1d(4),
    ).double()  # fmt: skip
    for layer in (network[0], network[4]):
        # Both far above epsilon, and the batch norms' shifts off zero, where the sign would hang on rounding.
        layer.scale.data.fill_(50.0 if layer.official else 1.0)
    for norm in (network[1], network[5]):
        norm.bias.data.uniform_(0.1, 0.5)
    larger = copy.deepcopy(network)
    for layer in (larger[0], larger[4]):
        layer.scale.data.mul_(10.0 if layer.official else 0.1)
        torch.testing.assert_close(layer.alpha, torch.full_like(layer.alpha, 10.0))
    x = bits(8, 2, 5, 5).double()
    torch.testing.assert_close(larger(x), network(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "published"}, "Mode must be one of paper, official, official_ranked, off, not 'published'"),
        ({"lam": -1.0}, "Lam must be at least 0, not -1.0"),
        ({"lam": float("nan")}, "Lam must be at least 0, not nan"),
        ({"u0": -0.1}, "U0 must be at least 0, not -0.1"),
        ({"u0": float("inf")}, "U0 must be at least 0, not inf"),
        ({"eta_u": -0.1}, "Eta_u must be at least 0, not -0.1"),
        ({"tau": 1.1}, "Tau must be 0 to 1, not 1.1"),
        ({"tau": -0.1}, "Tau must be 0 to 1, not -0.1"),
        ({"weight_limit": 0.0}, "Weight limit must be positive, not 0.0"),
    ],
)  # fmt: skip
def test_options_out_of_range_are_rejected(options, message):
    with pytest.raises(ValueError, match=message):
        RBOLinear(3, 2, **options)
