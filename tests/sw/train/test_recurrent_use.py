"""How the recurrent step is put to use: with closures, on wrapped networks, and what is refused."""

import pytest
import torch
from rbonn.sw.train.layers import BinaryActivation, BinaryHead, RBOLinear
from rbonn.sw.train.recurrent import RecurrentOptimisation
from torch import nn
from torch.nn import functional

MODES = ("paper", "official", "official_ranked", "off")


def network(mode="paper"):
    torch.manual_seed(0)
    layer = RBOLinear(8, 6, mode=mode, lam=1e-2, u0=0.05)
    return nn.Sequential(layer, nn.BatchNorm1d(6), BinaryActivation(), BinaryHead(6, 3))


def trainable(module):
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def trained(mode, step):
    """Parameters after five steps; `step(optimiser, gradients)` makes one, `gradients()` is forward and backward."""
    module = network(mode)
    optimiser = torch.optim.SGD(trainable(module), 0.1, momentum=0.9)
    RecurrentOptimisation(optimiser, module)
    x = torch.where(torch.randn(32, 8) > 0, 1.0, -1.0)
    labels = torch.randint(0, 3, (32,))

    def gradients():
        optimiser.zero_grad()
        loss = functional.cross_entropy(module(x), labels)
        loss.backward()
        return loss

    for _ in range(5):
        step(optimiser, gradients)
    return [parameter.detach() for parameter in module.parameters()]


def plain(optimiser, gradients):
    gradients()
    optimiser.step()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "with_closure",
    [
        lambda optimiser, gradients: optimiser.step(gradients),
        lambda optimiser, gradients: optimiser.step(closure=gradients),
    ],
    ids=["positional", "keyword"],
)
def test_a_step_with_a_closure_is_the_same_step(mode, with_closure):
    for expected, actual in zip(trained(mode, plain), trained(mode, with_closure), strict=True):
        assert torch.equal(actual, expected)


def test_a_step_with_a_closure_gives_its_loss():
    losses = []
    trained("paper", lambda optimiser, gradients: losses.append(optimiser.step(gradients)))
    assert all(loss.item() > 0 for loss in losses)
    assert len(losses) == 5


def test_an_optimiser_that_asks_for_several_gradients_per_step_is_refused():
    module = network()
    optimiser = torch.optim.LBFGS(trainable(module))
    RecurrentOptimisation(optimiser, module)

    def gradients():
        optimiser.zero_grad()
        loss = module(torch.ones(4, 8)).square().sum()
        loss.backward()
        return loss

    with pytest.raises(ValueError, match="one gradient per step, LBFGS asks for more"):
        optimiser.step(gradients)


def test_names_in_the_state_do_not_depend_on_what_the_network_is_wrapped_in():
    module = network()
    names = [
        set(RecurrentOptimisation(torch.optim.SGD(trainable(module), 0.1), wrapped).state_dict())
        for wrapped in (module, torch.compile(module, backend="eager"), Wrapper(module))
    ]
    assert names[0] == names[1] == names[2] == {"0.signs"}


class Wrapper(nn.Module):
    """Holds its network under the name that DistributedDataParallel gives it."""

    def __init__(self, module):
        super().__init__()
        self.module = module


def test_an_optimiser_of_another_network_is_refused_with_the_layers_name():
    with pytest.raises(ValueError, match="must hold the latent weights of layer '0'"):
        RecurrentOptimisation(torch.optim.SGD(trainable(network()), 0.1), network())


def test_an_optimiser_makes_recurrent_steps_once():
    module = network()
    optimiser = torch.optim.SGD(trainable(module), 0.1)
    RecurrentOptimisation(optimiser, module)
    with pytest.raises(ValueError, match="must not make recurrent steps already"):
        RecurrentOptimisation(optimiser, module)


@pytest.mark.parametrize("mode", ["paper", "official"])
def test_a_frozen_scale_factor_stays_as_it_is(mode):
    module = network(mode)
    module[0].scale.requires_grad_(False)
    before = module[0].scale.clone()
    optimiser = torch.optim.SGD(trainable(module), 0.1)
    RecurrentOptimisation(optimiser, module)
    module(torch.ones(4, 8)).square().sum().backward()
    optimiser.step()
    assert torch.equal(module[0].scale, before)
    assert module[0].weight.grad is not None
