"""The released code's behaviour: its surrogate gradients, its choice of channels, and whole trainings against a transcription in NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.sw.train.layers import RBOConv2d, RBOLinear
from rbonn.sw.train.official import (
    OfficialBinarise,
    official_bilinear_gradients,
    official_channels,
    ranked_channels,
)
from rbonn.sw.train.recurrent import RecurrentOptimisation

from .recurrent_reference import Released

SCALE = torch.tensor([0.5, -0.1, 0.3, -0.2, 0.4])
NORMS = torch.tensor([1.2, 0.3, 0.6, 1.5, 0.9])
OFFICIAL = ("official", "official_ranked")
RATES = (0.05, 0.02, 0.01)
"""Of w, s and u."""


def channels(mask):
    assert mask.dtype == torch.bool
    return mask.nonzero().flatten().tolist()


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


# What it computes: closed forms, since the surrogate is no true gradient.


@pytest.mark.parametrize("shape", [(3, 4), (3, 2, 2, 2)])
def test_the_forward_pass_is_the_sign_times_a_fiftieth_of_the_scale(shape):
    weight, scale = torch.from_numpy(random(*shape)), torch.tensor([0.5, 2.0, 0.0]).double()
    expected = np.sign(weight.numpy()) * (0.02 * scale.numpy()).reshape(3, *(1,) * (len(shape) - 1))
    np.testing.assert_allclose(OfficialBinarise.apply(weight, scale).numpy(), expected, rtol=1e-15)


@pytest.mark.parametrize("lam", [0.0, 1e-4, 0.7])
@pytest.mark.parametrize("shape", [(3, 4), (3, 2, 2, 2)])
def test_the_surrogate_gradients_are_the_released_codes_closed_forms(shape, lam):
    weight = torch.from_numpy(random(*shape)).requires_grad_()
    scale = torch.tensor([0.5, 2.0, 0.1], dtype=torch.float64, requires_grad=True)
    g = random(*shape, seed=1)
    OfficialBinarise.apply(weight, scale).backward(torch.from_numpy(g))
    added = official_bilinear_gradients(weight.detach(), scale.detach())
    weight.grad += lam * added[0]
    scale.grad += lam * added[1]
    for i, s in enumerate(scale.tolist()):
        w, g_row = weight[i].detach().numpy(), g[i]
        residual = w - 0.02 * np.sign(w) * s
        np.testing.assert_allclose(weight.grad[i].numpy(), lam * residual + g_row * s, rtol=1e-12)
        of_scale = (g_row * w).sum() - lam * (residual * 0.02 * np.sign(w)).sum()
        assert scale.grad[i].item() == pytest.approx(of_scale, rel=1e-12)


def test_the_straight_through_gradient_is_not_clipped_at_magnitude_one():
    weight = torch.tensor([[-5.0, 5.0]], requires_grad=True)
    OfficialBinarise.apply(weight, torch.ones(1)).sum().backward()
    assert weight.grad.tolist() == [[1, 1]]


def test_the_sign_of_zero_is_plus_one_here_where_the_released_code_has_zero():
    weight = torch.zeros(1, 2)
    assert OfficialBinarise.apply(weight, torch.ones(1)).tolist() == [[pytest.approx(0.02)] * 2]
    of_weight, _ = official_bilinear_gradients(weight, torch.ones(1))
    assert of_weight.tolist() == [[pytest.approx(-0.02)] * 2]


@pytest.mark.parametrize("mode", OFFICIAL)
def test_the_scale_is_used_and_learned_by_its_magnitude(mode):
    layer = RBOLinear(4, 3, mode=mode, lam=0.3).double()
    mirrored = RBOLinear(4, 3, mode=mode, lam=0.3).double()
    mirrored.load_state_dict(layer.state_dict())
    mirrored.scale.data.neg_()
    x = torch.from_numpy(random(5, 4))
    for each in (layer, mirrored):
        each(x).square().sum().backward()
    torch.testing.assert_close(layer.alpha, 0.02 * layer.scale.abs())
    assert torch.equal(layer(x), mirrored(x))
    assert torch.equal(layer.weight.grad, mirrored.weight.grad)
    assert torch.equal(layer.scale.grad, -mirrored.scale.grad)


# Which channels it chooses.


def test_the_worked_example_chooses_zero_and_four_by_the_slip_and_one_by_rank():
    weight = NORMS[:, None] * torch.tensor([0.5, -0.3, 0.2])
    assert channels(official_channels(SCALE, 0.6)) == [0, 4]
    assert channels(ranked_channels(weight, SCALE, 0.6)) == [1]
    assert channels(ranked_channels(weight, SCALE, 0.6, norm_condition=False)) == [1, 3]


@pytest.mark.parametrize(("mode", "expected"), [("official", [0, 4]), ("official_ranked", [1])])
def test_the_layers_look_ahead_in_the_worked_examples_channels(mode, expected):
    layer = RBOLinear(3, 5, mode=mode)
    layer.scale.data = SCALE.clone()
    layer.weight.data = NORMS[:, None] * torch.tensor([0.5, -0.3, 0.2])
    assert channels(layer.look_ahead_channels()) == expected


@pytest.mark.parametrize(
    ("n_channels", "by_the_slip", "by_rank"), [(5, 2, 2), (64, 25, 26), (128, 51, 52), (10, 4, 4)]
)
def test_the_released_code_rounds_the_number_of_channels_another_way(
    n_channels, by_the_slip, by_rank
):
    scale = torch.from_numpy(random(n_channels))
    weight = torch.ones(n_channels, 1)
    assert official_channels(scale, 0.6).sum() == by_the_slip
    assert ranked_channels(weight, scale, 0.6, norm_condition=False).sum() == by_rank


def test_the_slips_channels_overlap_with_the_smallest_scales_by_chance_alone():
    shares = []
    for seed in range(200):
        scale = torch.from_numpy(random(100, seed=seed))
        meant = set(np.argsort(np.abs(scale.numpy()))[:40].tolist())
        shares.append(len(meant & set(channels(official_channels(scale, 0.6)))) / 40)
    assert np.mean(shares) == pytest.approx(0.4, abs=0.02)  # its error is about 0.004


# When it looks ahead.


def descent(layer):
    """Gradient descent with the recurrent step; (optimiser, recurrent optimisation)."""
    parameters = (layer.weight, layer.scale, layer.gain)
    groups = [{"params": [p], "lr": rate} for p, rate in zip(parameters, RATES, strict=True)]
    optimiser = torch.optim.SGD(groups)
    return optimiser, RecurrentOptimisation(optimiser, torch.nn.Sequential(layer))


def trained(layer, x, target):
    """One step on half the squared distance; the recurrent optimisation."""
    optimiser, recurrent = descent(layer)
    (0.5 * (layer(x) - target).square().sum()).backward()
    optimiser.step()
    return recurrent


@pytest.mark.parametrize("mode", OFFICIAL)
def test_the_first_step_looks_nowhere_and_the_second_along_the_first_ones_gradient(mode):
    layer = RBOLinear(3, 5, mode=mode, u0=0.3).double()
    x, target = torch.from_numpy(random(8, 3)), torch.from_numpy(random(8, 5, seed=1))
    bits = np.where(layer.weight.detach().numpy() >= 0, 1, -1)
    alpha = 0.02 * layer.scale.detach().abs().numpy()[:, None]
    np.testing.assert_allclose(layer.training_weight().detach().numpy(), alpha * bits, rtol=1e-15)

    trained(layer, x, target)
    gradient, weight = layer.weight.grad.clone(), layer.weight.detach().clone()
    layer.weight.grad = None  # the layer must not look for it there
    chosen = layer.look_ahead_channels()
    assert chosen.any()
    ahead = torch.where(chosen[:, None], weight - layer.gain.detach()[:, None] * gradient, weight)
    alpha = 0.02 * layer.scale.detach().abs()[:, None]
    expected = alpha * torch.where(ahead >= 0, 1.0, -1.0)
    torch.testing.assert_close(layer.training_weight().detach(), expected)


@pytest.mark.parametrize("mode", OFFICIAL)
def test_the_gains_learn_from_the_second_step_on_and_adam_counts_from_there(mode):
    layer = RBOLinear(3, 8, mode=mode, u0=0.3, tau=0.5).double()
    layer.scale.data = torch.linspace(0.1, 0.8, 8).double()
    layer.weight.data *= torch.linspace(1, 2, 8).double()[:, None]  # small scale, small norm
    optimiser = torch.optim.Adam(layer.parameters(), lr=1e-3)
    RecurrentOptimisation(optimiser, torch.nn.Sequential(layer))
    x, target = torch.from_numpy(random(8, 3)), torch.from_numpy(random(8, 8, seed=1))
    chosen = layer.look_ahead_channels()
    for expected_count in (None, 1):
        optimiser.zero_grad()
        before = layer.gain.detach().clone()
        (0.5 * (layer(x) - target).square().sum()).backward()
        optimiser.step()
        count = optimiser.state[layer.gain].get("step")
        assert (count if count is None else int(count)) == expected_count
    # The first step of Adam has the full learning rate, where there is a gradient.
    moved = (layer.gain.detach() - before).abs()
    assert chosen.any()
    torch.testing.assert_close(moved, 1e-3 * chosen.double(), rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("mode", OFFICIAL)
def test_evaluation_uses_the_weights_themselves(mode):
    layer = RBOLinear(3, 5, mode=mode).double()
    x = torch.where(torch.from_numpy(random(4, 3)) < 0, -1.0, 1.0).double()
    bits = torch.where(layer.weight.detach() >= 0, 1.0, -1.0).double()
    layer.gain.data.fill_(1e6)
    layer.previous_gradient.copy_(torch.sign(layer.weight.detach()))  # would turn chosen bits over
    assert not torch.equal(torch.sign(layer.training_weight().detach()), bits)
    torch.testing.assert_close(layer.eval()(x), 0.02 * layer.scale.abs() * (x @ bits.T))


@pytest.mark.parametrize("mode", OFFICIAL)
@settings(max_examples=30)
@given(
    n_in=st.integers(1, 7),
    n_out=st.integers(1, 8),
    lam=st.sampled_from([0.0, 1e-4, 0.2]),
    tau=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_trainings_follow_the_released_code_element_by_element(mode, n_in, n_out, lam, tau, seed):
    torch.manual_seed(seed)
    layer = RBOLinear(n_in, n_out, mode=mode, lam=lam, tau=tau).double()
    compare_with_the_released_code(layer, n_in, seed, ranked=mode == "official_ranked")


def compare_with_the_released_code(layer, n_in, seed, *, ranked, steps=6):
    n_out = len(layer.weight)
    x = random(steps, 5, n_in, seed=seed)
    target = random(steps, 5, n_out, seed=seed + 1)
    reference = Released(
        w=layer.weight.detach().numpy().reshape(n_out, n_in).copy(),
        s=layer.scale.detach().numpy().copy(),
        u=layer.gain.detach().numpy().copy(),
        lam=layer.lam,
        tau=layer.tau,
        ranked=ranked,
    )
    optimiser, _ = descent(layer)
    parameters = (layer.weight, layer.scale, layer.gain)
    for step in range(steps):
        optimiser.zero_grad(set_to_none=True)
        inputs = torch.from_numpy(x[step])
        outputs = layer(inputs if layer.weight.ndim == 2 else inputs[:, :, None, None])
        (0.5 * (outputs.flatten(1) - torch.from_numpy(target[step])).square().sum()).backward()
        optimiser.step()
        reference.step(x[step], target[step], RATES)
        for parameter, expected in zip(
            parameters, (reference.w, reference.s, reference.u), strict=True
        ):
            actual = parameter.detach().numpy().reshape(expected.shape)
            np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-11)
    return reference.seen


@pytest.mark.parametrize("mode", OFFICIAL)
def test_the_compared_trainings_look_ahead_over_flips_and_let_gains_become_negative(mode):
    seen = set()
    for seed in range(12):
        torch.manual_seed(seed)
        layer = RBOConv2d(6, 8, 1, mode=mode, u0=0.01).double()
        seen |= compare_with_the_released_code(layer, 6, seed, ranked=mode == "official_ranked")
    assert seen == {"looked ahead over a flip", "negative gain"}


@pytest.mark.parametrize("mode", OFFICIAL)
def test_the_latent_weights_move_by_the_optimiser_alone_without_limit(mode):
    layer = RBOLinear(3, 5, mode=mode).double()
    layer.weight.data.mul_(100)
    before, chosen = layer.weight.detach().clone(), layer.look_ahead_channels()
    x, target = torch.from_numpy(random(8, 3)), torch.from_numpy(random(8, 5, seed=1))
    recurrent = trained(layer, x, target)
    torch.testing.assert_close(layer.weight.detach(), before - RATES[0] * layer.weight.grad)
    assert layer.weight.abs().max() > 1.5
    assert torch.equal(layer.previous_gradient, layer.weight.grad)
    assert recurrent.active_share() == chosen.double().mean()
