"""One training step: which loss it descends, and that it ends as the recurrent reference does."""

import numpy as np
import pytest
import torch
from rbonn.sw.train.distillation import Distillation, DistillationConfig
from rbonn.sw.train.distributed import Ranks
from rbonn.sw.train.experiment import StageConfig, TrainingConfig
from rbonn.sw.train.layers import RBOLinear
from rbonn.sw.train.recurrent import RecurrentOptimisation
from rbonn.sw.train.step import TrainingStep
from torch import nn
from torch.nn import functional

from .recurrent_reference import Paper

CLASSES = 4


def config(smoothing=0.0, accumulation=1):
    return TrainingConfig(
        stages=(StageConfig(epochs=1),),
        batch=6,
        label_smoothing=smoothing,
        accumulation=accumulation,
    )


def batch():
    return torch.randn(6, 3), torch.tensor([0, 3, 3, 1, 2, 0])


def smoothed(labels, smoothing):
    """The labels with their share spread evenly over all classes: (batch, classes)."""
    return (1 - smoothing) * torch.eye(CLASSES)[labels] + smoothing / CLASSES


def cross_entropy(scores, target):
    return -(target * scores.log_softmax(1)).sum(1).mean()


def step_of(network, config, distillation=None):
    """The loss that a step reports, and the gradients it descends."""
    step = TrainingStep(network, config, Ranks(), distillation)
    step.begin_stage(some_unused=False)
    images, labels = batch()
    loss, n_right = step((images, labels), torch.optim.SGD(network.parameters(), lr=0.0))
    assert n_right == (network(images).argmax(1) == labels).sum()
    return images, labels, loss, [parameter.grad for parameter in network.parameters()]


@pytest.mark.parametrize("accumulation", [1, 3])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_loss_is_the_cross_entropy_with_smoothed_labels(smoothing, accumulation):
    network = nn.Linear(3, CLASSES)
    images, labels, loss, gradients = step_of(network, config(smoothing, accumulation))
    expected = cross_entropy(network(images), smoothed(labels, smoothing))
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    found = torch.autograd.grad(expected, list(network.parameters()))
    torch.testing.assert_close(gradients, list(found))


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_labels_part_of_a_distillation_is_smoothed_and_the_teachers_is_not(smoothing):
    network, teacher = nn.Linear(3, CLASSES), nn.Linear(3, CLASSES)
    distillation = Distillation(DistillationConfig(teacher="x", label_share=0.25), teacher)
    images, labels, loss, gradients = step_of(network, config(smoothing), distillation)
    scores = network(images)
    soft = cross_entropy(scores, teacher(images).softmax(1).detach())
    expected = 0.75 * soft + 0.25 * cross_entropy(scores, smoothed(labels, smoothing))
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    found = torch.autograd.grad(expected, list(network.parameters()))
    torch.testing.assert_close(gradients, list(found))


def test_a_step_past_the_limit_is_backtracked_before_it_is_limited():
    layer = RBOLinear(8, CLASSES, lam=0.0, u0=0.5, weight_limit=1.5).double()
    layer.scale.data = 0.1 + torch.rand(CLASSES).double()
    layer.weight.data.uniform_(-1, 1)
    images, labels = torch.randn(6, 8).double(), batch()[1]
    optimiser = torch.optim.SGD([layer.weight, layer.scale], lr=2.0)
    RecurrentOptimisation(optimiser, layer)
    reference = Paper(
        w=layer.weight.detach().numpy().copy(),
        a=layer.scale.detach().numpy().copy(),
        u=np.full(CLASSES, 0.5),
        lam=0.0,
        tau=layer.tau,
        eta_u=layer.eta_u,
        limit=1.5,
    )
    loss = functional.cross_entropy(layer(images), labels)
    of_w, of_a = (g.numpy() for g in torch.autograd.grad(loss, [layer.weight, layer.scale]))
    old, plain = reference.w.copy(), reference.w - 2.0 * of_w
    reference.finish(plain, reference.a - 2.0 * of_a, of_w, 2.0)

    step = TrainingStep(layer, config(), Ranks(), None)
    step.begin_stage(some_unused=False)
    step((images, labels), optimiser)
    np.testing.assert_allclose(layer.weight.detach().numpy(), reference.w, rtol=1e-10)
    np.testing.assert_allclose(layer.scale.detach().numpy(), reference.a, rtol=1e-10)
    # Limited first, a weight that leapt over zero past the limit would come back from it.
    leapt = (np.abs(plain) > 1.5) & (np.sign(plain) != np.sign(old))
    assert leapt[reference.mask].any()
