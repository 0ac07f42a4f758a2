"""The recurrent step against its formulas element by element, and that it fires under everything PyTorch puts around a training step."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.sw.train.layers import BinaryActivation, RBOConv2d, RBOLinear
from rbonn.sw.train.recurrent import RecurrentOptimisation, active_channels, drelu
from torch import nn

from .recurrent_reference import Paper

MODES = ("paper", "official", "official_ranked", "off")
SEEDS = st.integers(0, 2**32 - 1)


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def learned(layer):
    return [p for p in (layer.weight, layer.scale, layer.gain) if p.requires_grad]


def descent(layer, rate=0.1):
    """(optimiser, recurrent optimisation) of one layer: plain gradient descent."""
    optimiser = torch.optim.SGD(learned(layer), lr=rate)
    return optimiser, RecurrentOptimisation(optimiser, nn.Sequential(layer))


def squared_error(outputs, target):
    return 0.5 * (outputs.flatten(1) - target).square().sum()


# Whole steps against the reference.


def compare_with_the_paper(layer, make_optimiser, *, seed, steps=6, spread=1.0):
    """Steps of `layer` and of the reference side by side, the plain optimiser being PyTorch's on bare tensors; what happened."""
    n_out, n_in = len(layer.weight), layer.weight[0].numel()
    x, target = random(steps, 5, n_in, seed=seed), spread * random(steps, 5, n_out, seed=seed + 1)
    reference = Paper(
        w=layer.weight.detach().numpy().reshape(n_out, n_in).copy(),
        a=layer.scale.detach().numpy().copy(),
        u=layer.gain.detach().numpy().copy(),
        lam=layer.lam,
        tau=layer.tau,
        eta_u=layer.eta_u,
        limit=layer.weight_limit,
    )
    bare = [torch.from_numpy(v.copy()).requires_grad_() for v in (reference.w, reference.a)]
    plain = make_optimiser(bare)
    optimiser = make_optimiser([layer.weight, layer.scale])
    recurrent = RecurrentOptimisation(optimiser, nn.Sequential(layer))
    for step in range(steps):
        optimiser.zero_grad(set_to_none=True)
        inputs = torch.from_numpy(x[step])
        outputs = layer(
            inputs if layer.weight.ndim == 2 else inputs.view(5, *layer.weight[0].shape)
        )
        squared_error(outputs, torch.from_numpy(target[step])).backward()
        optimiser.step()

        data, of_w, of_a = reference.gradients(x[step], target[step])
        for value, state, gradient in zip(
            bare, (reference.w, reference.a), (of_w, of_a), strict=True
        ):
            value.data.copy_(torch.from_numpy(state))
            value.grad = torch.from_numpy(gradient)
        plain.step()
        w_plain, a_plain = (value.detach().numpy().copy() for value in bare)
        reference.finish(w_plain, a_plain, data, plain.param_groups[0]["lr"])

        for parameter, expected in (
            (layer.weight, reference.w),
            (layer.scale, reference.a),
            (layer.gain, reference.u),
        ):
            actual = parameter.detach().numpy().reshape(expected.shape)
            np.testing.assert_allclose(actual, expected, rtol=1e-8, atol=1e-10)
        assert recurrent.active_share() == np.mean(reference.mask)
        if any(reference.mask):
            reference.seen.add("active")
    return reference.seen


@settings(max_examples=40)
@given(
    n_in=st.integers(1, 7),
    n_out=st.integers(1, 8),
    lam=st.sampled_from([0.0, 1e-7, 1e-3]),
    tau=st.floats(0, 1),
    u0=st.sampled_from([0.0, 1e-3, 0.4]),
    seed=SEEDS,
)
def test_gradient_descent_follows_the_papers_recurrence_element_by_element(
    n_in, n_out, lam, tau, u0, seed
):
    torch.manual_seed(seed)
    layer = RBOLinear(n_in, n_out, lam=lam, tau=tau, u0=u0, weight_limit=0.5).double()
    compare_with_the_paper(layer, lambda p: torch.optim.SGD(p, lr=1e-3), seed=seed)


OPTIMISERS = {
    "momentum": lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9),
    "Adam": lambda p: torch.optim.Adam(p, lr=1e-2),
    "fused Adam": lambda p: torch.optim.Adam(p, lr=1e-2, fused=True),
    "Adam with weight decay": lambda p: torch.optim.Adam(p, lr=1e-2, weight_decay=1e-2),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=1e-2),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_other_optimisers_see_the_bilinear_gradient_and_are_backtracked_after_their_step(name):
    seen = set()
    for seed in range(4):
        torch.manual_seed(seed)
        layer = RBOConv2d(2, 8, (2, 1), lam=1e-4, u0=0.2).double()
        seen |= compare_with_the_paper(layer, OPTIMISERS[name], seed=seed)
    assert "active" in seen


def test_the_compared_steps_undo_flips_and_reach_every_limit():
    seen = set()
    for seed in range(20):
        torch.manual_seed(seed)
        layer = RBOLinear(6, 8, lam=1e-4, u0=0.3, eta_u=1.0, weight_limit=1.0).double()
        layer.weight.data.mul_(10)
        layer.scale.data.div_(10)
        seen |= compare_with_the_paper(
            layer, lambda p: torch.optim.SGD(p, lr=0.01), seed=seed, steps=4, spread=20.0
        )
    assert seen == {"active", "flip", "flip undone", "limited", "A reflected", "U reflected"}


# The backtrack by itself.


def backtracked_by_hand(seed, *, u0=0.5, rate=0.3):
    """A layer before and after one step whose gradient is drawn, and what the same step is without backtrack."""
    torch.manual_seed(seed)
    layer = RBOLinear(5, 10, lam=0.0, u0=u0).double()
    layer.scale.data = torch.rand(10).double() + 1  # independent of the weights' norms
    old = layer.weight.detach().clone()
    mask = active_channels(old, layer.scale.detach(), layer.tau)
    optimiser, _ = descent(layer, rate)
    layer.weight.grad = 0.3 * torch.randn_like(old)
    plain = old - rate * layer.weight.grad
    optimiser.step()
    return layer.weight.detach(), plain, old, mask


@given(seed=SEEDS)
def test_the_backtrack_adds_gain_times_the_old_weights_in_active_channels_alone(seed):
    new, plain, old, mask = backtracked_by_hand(seed)
    # A fused multiply-add may round once less.
    torch.testing.assert_close(new[mask], plain[mask] + 0.5 * old[mask], rtol=1e-13, atol=1e-15)
    torch.testing.assert_close(new[~mask], plain[~mask], rtol=1e-13, atol=1e-15)


@given(seed=SEEDS)
def test_the_backtrack_undoes_flips_and_never_makes_one(seed):
    new, plain, old, _ = backtracked_by_hand(seed, u0=2.0)
    kept = (plain >= 0) == (old >= 0)
    assert torch.equal((new >= 0)[kept], (old >= 0)[kept])


def test_a_step_that_moves_no_weight_changes_no_sign_and_lengthens_active_channels():
    undone = 0
    for seed in range(5):
        new, plain, old, mask = backtracked_by_hand(seed, rate=0.0)
        assert torch.equal(plain, old)
        assert torch.equal(new >= 0, old >= 0)
        torch.testing.assert_close(new[mask], 1.5 * old[mask])
        undone += int(mask.sum())
    assert undone > 0


@given(seed=SEEDS)
def test_the_gradient_of_the_gains_is_that_of_autograd_through_the_last_backtrack(seed):
    torch.manual_seed(seed)
    layer = RBOLinear(5, 10, u0=0.5, eta_u=1.0, lam=1e-3).double()
    optimiser, _ = descent(layer, rate=0.01)
    layer.weight.grad, layer.scale.grad = torch.randn(10, 5).double(), torch.randn(10).double()
    before = layer.weight.detach().clone()
    optimiser.step()
    assert layer.gain.tolist() == [0.5] * 10  # there are no weights before the first ones

    weight, inverse_scale = layer.weight.detach().clone(), layer.scale.detach().clone()
    gains = layer.gain.detach().clone().requires_grad_()
    c = torch.randn(10, 5).double()
    (c * (weight + gains[:, None] * drelu(before, inverse_scale, layer.tau))).sum().backward()
    layer.weight.grad, layer.scale.grad = c.clone(), torch.zeros(10).double()
    optimiser.step()
    torch.testing.assert_close(layer.gain, (gains - 0.01 * gains.grad).abs().detach())


@settings(max_examples=40)
@given(seed=SEEDS, size=st.sampled_from([1.0, 1e3, 1e6]), rate=st.sampled_from([0.01, 1.0]))
def test_gains_and_scales_are_never_negative_after_any_step(seed, size, rate):
    torch.manual_seed(seed)
    layer = RBOLinear(4, 6, u0=0.1, eta_u=10.0)
    optimiser, _ = descent(layer, rate)
    reflected = False
    for _ in range(4):
        layer.weight.grad = size * torch.randn(6, 4)
        layer.scale.grad = size * torch.randn(6)
        layer.scale.grad[0] = size  # downwards
        layer.gain.grad = torch.randn(6)  # learned by the hook alone: this must not matter
        ahead = layer.scale.detach() - rate * layer.scale.grad
        optimiser.step()
        reflected |= bool((ahead < 0).any())
        assert (layer.gain >= 0).all()
        assert (layer.scale > 0).all()
        assert torch.isfinite(layer.alpha).all()
        assert (layer.alpha > 0).all()
        assert layer.weight.abs().max() <= 1.5
    assert reflected or size * rate < 1e3


def test_a_scale_that_a_step_carries_below_zero_is_reflected():
    layer = RBOLinear(2, 2, lam=0.0, tau=0.0)
    layer.scale.data = torch.tensor([2.0, 1.0])
    optimiser, _ = descent(layer, rate=1.0)
    layer.weight.grad, layer.scale.grad = torch.zeros(2, 2), torch.tensor([5.0, 1.0])
    optimiser.step()
    assert layer.scale.tolist() == [3.0, pytest.approx(1e-6)]  # exactly zero has no alpha


# What surrounds a step in real trainings.


def small_network(mode, **options):
    """Convolution and dense layer with a norm and an activation between them, float64; any (batch, 2, 3, 3) to (batch, 6)."""
    torch.manual_seed(1)
    return nn.Sequential(
        RBOConv2d(2, 8, 2, mode=mode, **options),
        BinaryActivation(),
        nn.Flatten(),
        RBOLinear(32, 6, mode=mode, **options),
    ).double()


def training(network, kind=torch.optim.Adam):
    """(optimiser, recurrent optimisation) of all that is learned."""
    optimiser = kind([p for p in network.parameters() if p.requires_grad], lr=1e-2)
    return optimiser, RecurrentOptimisation(optimiser, network)


def batch(step, n=8):
    return torch.from_numpy(random(n, 2, 3, 3, seed=step)), torch.from_numpy(
        random(n, 6, seed=100 + step)
    )


def assert_equal_states(network, other, **tolerance):
    for (name, value), expected in zip(
        network.state_dict().items(), other.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(
            value, expected, **tolerance, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize("mode", MODES)
def test_accumulated_half_batches_step_as_one_batch(mode):
    lam = None if mode == "off" else 1e-3  # the bilinear term counts once per step, too
    whole, halves = (small_network(mode, u0=0.2, lam=lam) for _ in range(2))
    # Adam would divide rounding errors by gradients that are nearly zero.
    steps = [training(network, torch.optim.SGD)[0] for network in (whole, halves)]
    for step in range(5):
        x, target = batch(step)
        for optimiser in steps:
            optimiser.zero_grad(set_to_none=True)
        squared_error(whole(x), target).backward()
        for part in (slice(0, 4), slice(4, 8)):
            squared_error(halves(x[part]), target[part]).backward()
        for optimiser in steps:
            optimiser.step()
        assert_equal_states(whole, halves, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_gradients_set_to_none_before_or_after_the_forward_pass_do_not_matter(mode):
    orders = ("none before", "zero before", "none after the forward pass")
    networks = [small_network(mode, u0=0.2) for _ in orders]
    trainings = [training(network) for network in networks]
    for step in range(4):
        x, target = batch(step)
        for order, network, (optimiser, _) in zip(orders, networks, trainings, strict=True):
            if "before" in order:
                optimiser.zero_grad(set_to_none=order.startswith("none"))
            loss = squared_error(network(x), target)
            if "after" in order:
                optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        for network in networks[1:]:
            assert_equal_states(network, networks[0], rtol=0, atol=0)
    shares = {recurrent.active_share() for _, recurrent in trainings}
    assert len(shares) == 1
    assert (shares.pop() > 0) == (mode != "off")


def test_the_backtrack_fires_with_gradients_set_to_none():
    network, without = small_network("paper", u0=0.25), small_network("paper", u0=0.0)
    for each in (network, without):
        optimiser, recurrent = training(each)
        optimiser.zero_grad(set_to_none=True)
        squared_error(each(batch(0)[0]), batch(0)[1]).backward()
        optimiser.step()
    assert recurrent.active_share() > 0
    start = small_network("paper")
    for index in (0, 3):
        layer = start[index]
        mask = active_channels(layer.weight.detach(), layer.scale.detach(), layer.tau)
        added = network[index].weight - without[index].weight
        expected = 0.25 * layer.weight * mask.reshape(-1, *(1,) * (layer.weight.ndim - 1))
        torch.testing.assert_close(added, expected, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("mode", MODES)
def test_bfloat16_autocast_gives_the_same_steps_where_bfloat16_is_exact(mode):
    networks = []
    for cast in (False, True):
        torch.manual_seed(0)
        layer = RBOLinear(16, 8, mode=mode, lam=1e-3, u0=0.25)
        layer.scale.data.fill_(12.5 if layer.official else 4.0)  # alpha is a quarter
        optimiser, _ = descent(layer, rate=0.125)
        for step in range(2):
            x = torch.from_numpy(np.where(random(8, 16, seed=step) < 0, -1.0, 1.0)).float()
            target = torch.from_numpy(np.round(random(8, 8, seed=9 + step))).float()
            layer.scale.data.fill_(12.5 if layer.official else 4.0)
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=cast):
                outputs = layer(x)
            assert outputs.dtype == (torch.bfloat16 if cast else torch.float32)
            squared_error(outputs.float(), target).backward()
            assert layer.weight.grad.dtype == torch.float32
            optimiser.step()
        networks.append(layer)
    assert_equal_states(networks[1], networks[0], rtol=1e-6, atol=1e-7)


def compiled_and_not(mode, backend):
    """The same training twice, once compiled; the two networks."""
    networks = [small_network(mode, u0=0.2) for _ in range(2)]
    for network, runs in (
        (networks[0], networks[0]),
        (networks[1], torch.compile(networks[1], backend=backend)),
    ):
        optimiser, _ = training(network, torch.optim.SGD)
        for step in range(3):
            x, target = batch(step)
            optimiser.zero_grad(set_to_none=True)
            squared_error(runs(x), target).backward()
            optimiser.step()
    return networks


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_a_gradient_scaler_changes_nothing(mode, fused):
    networks = [small_network(mode, u0=0.2) for _ in range(2)]
    for network, factor in zip(networks, (1.0, 4096.0), strict=True):
        optimiser, _ = training(network, lambda p, lr: torch.optim.Adam(p, lr=lr, fused=fused))
        scaler = torch.amp.GradScaler("cpu", init_scale=factor)
        for step in range(4):
            x, target = batch(step)
            optimiser.zero_grad(set_to_none=True)
            scaler.scale(squared_error(network(x), target)).backward()
            scaler.step(optimiser)
            scaler.update()
    assert_equal_states(networks[1], networks[0], rtol=1e-12, atol=1e-14)


# PyTorch's compiler uses what PyTorch deprecates.
TRACING = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@TRACING
@pytest.mark.parametrize("mode", MODES)
def test_a_compiled_network_trains_as_it_does_uncompiled(mode):
    torch.compiler.reset()
    plain, compiled = compiled_and_not(mode, "aot_eager")
    assert_equal_states(compiled, plain, rtol=1e-9, atol=1e-12)


@TRACING
@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_a_network_compiled_to_machine_code_trains_as_it_does_uncompiled(mode):
    torch.compiler.reset()
    plain, compiled = compiled_and_not(mode, "inductor")
    assert_equal_states(compiled, plain, rtol=1e-6, atol=1e-9)


# Which layers take part, and what is kept.


def test_a_layer_with_real_weights_is_left_to_the_optimiser():
    layer = RBOLinear(5, 10, u0=0.5, lam=0.1).double()
    layer.real_weights = True
    layer.weight.data.mul_(30)  # beyond the limit
    bare, scale = layer.weight.detach().clone().requires_grad_(), layer.scale.detach().clone()
    plain, (optimiser, recurrent) = torch.optim.SGD([bare], lr=0.1), descent(layer, 0.1)
    x, target = torch.from_numpy(random(4, 5)), torch.from_numpy(random(4, 10, seed=1))
    for _ in range(3):
        for weights, step in (
            (lambda: nn.functional.linear(x, bare), plain),
            (lambda: layer(x), optimiser),
        ):
            step.zero_grad(set_to_none=True)
            squared_error(weights(), target).backward()
            step.step()
    assert torch.equal(layer.weight, bare)
    assert torch.equal(layer.scale, scale)
    assert recurrent.active_share() == 0


def test_a_layer_without_gradient_stays_as_it_is():
    layer = RBOLinear(5, 10, u0=0.5)
    before = copy.deepcopy(layer)
    optimiser, recurrent = descent(layer)
    optimiser.step()
    assert_equal_states(layer, before, rtol=0, atol=0)
    assert recurrent.active_share() == 0


@pytest.mark.parametrize("tau", [0.0, 1.0])
def test_without_active_channels_mode_paper_is_mode_off_with_the_bilinear_term(tau):
    paper, off = RBOLinear(5, 10, tau=tau, u0=0.5, lam=0.0), RBOLinear(5, 10, mode="off")
    off.load_state_dict(paper.state_dict())
    x, target = torch.from_numpy(random(4, 5)).float(), torch.from_numpy(random(4, 10)).float()
    for layer in (paper, off):
        optimiser, _ = descent(layer, 1e-3)
        for _ in range(4):
            optimiser.zero_grad()
            squared_error(layer(x), target).backward()
            optimiser.step()
    assert torch.equal(paper.weight, off.weight)
    assert torch.equal(paper.scale, off.scale)


@pytest.mark.parametrize("mode", ["paper", "official", "off"])
def test_latent_weights_are_kept_within_their_limit(mode):
    layer = RBOLinear(2, 1, mode=mode, weight_limit=0.5)
    optimiser, _ = descent(layer, rate=1.0)
    layer.weight.data = torch.tensor([[-0.4, 0.3]])
    layer.weight.grad, layer.scale.grad = torch.tensor([[9.0, 0.1]]), torch.zeros(1)
    optimiser.step()
    torch.testing.assert_close(layer.weight.data[0, 0], torch.tensor(-0.5))
    assert layer.weight[0, 1].item() == pytest.approx(0.2, abs=1e-3)


def test_sign_flips_are_counted_since_the_last_call_and_active_channels_in_the_last_step():
    network = nn.Sequential(RBOLinear(4, 5, tau=0.6), RBOLinear(5, 5, mode="off"))
    optimiser, recurrent = training(network)
    assert recurrent.sign_flips() == 0
    weight = network[0].weight.data
    weight[0, 0], weight[1, 1] = -weight[0, 0], -weight[1, 1]
    assert recurrent.sign_flips() == 2 / 45
    assert recurrent.sign_flips() == 0
    for layer in network:
        layer.weight.grad, layer.scale.grad = torch.zeros_like(layer.weight), torch.zeros(5)
    mask = active_channels(network[0].weight.detach(), network[0].scale.detach(), 0.6)
    optimiser.step()
    assert recurrent.active_share() == int(mask.sum()) / 10


def resumed(network, recurrent, optimiser):
    """A copy of a training by its saved states alone."""
    other = small_network(network[0].mode, u0=0.2)
    other.load_state_dict(network.state_dict())
    its_optimiser, its_recurrent = training(other)
    its_optimiser.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    saved = {name: value.clone() for name, value in recurrent.state_dict().items()}
    its_recurrent.load_state_dict(saved)
    return other, its_optimiser, its_recurrent


@pytest.mark.parametrize("mode", MODES)
def test_a_training_taken_up_from_its_state_goes_on_bit_for_bit(mode):
    network = small_network(mode, u0=0.2)
    optimiser, recurrent = training(network)

    def step(network, optimiser, number):
        x, target = batch(number)
        optimiser.zero_grad(set_to_none=True)
        squared_error(network(x), target).backward()
        optimiser.step()

    for number in range(3):
        step(network, optimiser, number)
    other, its_optimiser, its_recurrent = resumed(network, recurrent, optimiser)
    assert its_recurrent.active_share() == recurrent.active_share()
    for number in range(3, 6):
        step(network, optimiser, number)
        step(other, its_optimiser, number)
    assert_equal_states(other, network, rtol=0, atol=0)
    assert its_recurrent.sign_flips() == recurrent.sign_flips() > 0
    assert its_recurrent.state_dict().keys() == recurrent.state_dict().keys()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("3.signs"), "no recurrent state of layer '3'"),
        (lambda s: s.update({"4.signs": s["3.signs"]}), "unknown layer '4'"),
        (lambda s: s.update({"3.active": s["3.active"][:2]}), r"'3.active' is \(2,\), not \(6,\)"),
        (lambda s: s.update({"3.previous_gradient": s["3.signs"]}), "does not belong to mode 'paper'"),
        (lambda s: s.update({"3.colour": s["3.signs"]}), "'3.colour' does not belong"),
    ],
)  # fmt: skip
def test_a_state_of_another_network_is_rejected(change, message):
    network = small_network("paper")
    optimiser, recurrent = training(network)
    squared_error(network(batch(0)[0]), batch(0)[1]).backward()
    optimiser.step()
    state = dict(recurrent.state_dict())
    change(state)
    with pytest.raises(ValueError, match=message):
        recurrent.load_state_dict(state)


# Learning.


def learn(tau, n_steps=500):
    """Mean loss of the last 50 steps, and latent norms, of a small convolutional network on two classes of stripes in noise."""
    torch.manual_seed(0)
    network = nn.Sequential(
        RBOConv2d(1, 8, 3, tau=tau),
        nn.BatchNorm2d(8),
        BinaryActivation(),
        RBOConv2d(8, 8, 3, tau=tau),
        nn.BatchNorm2d(8),
        BinaryActivation(),
        nn.Flatten(),
        nn.Linear(8 * 4, 2),
    )
    optimiser, recurrent = training(network)
    losses, active = [], 0.0
    generator = torch.Generator().manual_seed(1)
    stripes = torch.where(torch.arange(6) % 2 == 0, 1.0, -1.0)
    for _ in range(n_steps):
        labels = torch.randint(0, 2, (16,), generator=generator)
        clean = torch.where(labels[:, None, None] == 0, stripes[:, None], stripes[None, :])
        flipped = torch.rand(16, 6, 6, generator=generator) < 0.2
        x = torch.where(flipped, -clean, clean)[:, None]
        optimiser.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(network(x), labels)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        active += recurrent.active_share()
    norms = [float(layer.weight.detach().abs().max()) for layer in (network[0], network[3])]
    return np.mean(losses[-50:]), norms, active


def test_plain_and_recurrent_training_learn_alike_and_no_norm_explodes():
    plain, _, never = learn(tau=1.0)
    recurrent, norms, active = learn(tau=0.6)
    assert never == 0
    assert active > 50
    assert plain < 0.1
    assert recurrent < 0.1
    assert max(norms) <= 1.5
