"""Stages of a training: their learning rates, what layers compute in them, and the groups of their optimisers."""

import pytest
import torch
from rbonn.sw.train.experiment import StageConfig, TrainingConfig
from rbonn.sw.train.layers import BinaryHead, RBOConv2d, RBOLinear
from rbonn.sw.train.stages import (
    StagePosition,
    begin_stage,
    build_optimiser,
    learning_rate,
    set_learning_rate,
    stage_position,
)
from torch import nn

STAGES = (
    StageConfig(epochs=2, weights="real", learning_rate=0.4, decay="linear", weight_decay=0.01),
    StageConfig(epochs=4, learning_rate=0.2, decay="cosine"),
)


def network(mode="paper"):
    return nn.Sequential(
        RBOConv2d(2, 3, 3, mode=mode, eta_u=0.25),
        nn.BatchNorm2d(3),
        nn.Flatten(),
        RBOLinear(3, 5, mode=mode, eta_u=0.25),
        BinaryHead(5, 4),
    )


def test_epochs_fall_into_stages():
    positions = [stage_position(STAGES, epoch) for epoch in range(7)]
    assert [(p.index, p.epoch) for p in positions] == [
        (0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (1, 3), (1, 4),
    ]  # fmt: skip
    assert positions[0] == StagePosition(0, 0)


@pytest.mark.parametrize(
    ("epoch", "share", "rate"),
    [
        (0, 0.0, 0.4),
        (0, 0.5, 0.3),
        (1, 0.0, 0.2),
        (1, 1.0, 0.0),
        (2, 0.0, 0.2),
        (3, 0.0, 0.1 * (1 + 2**-0.5)),
        (4, 0.0, 0.1),
        (5, 0.5, 0.1 * (1 - 0.9238795)),
        (5, 1.0, 0.0),
    ],
)
def test_the_learning_rate_falls_to_zero_in_each_stage(epoch, share, rate):
    assert learning_rate(STAGES, epoch, share) == pytest.approx(rate, rel=1e-6, abs=1e-12)


def test_stage_one_computes_with_real_weights_and_stage_two_with_their_signs():
    net = network()
    layer = net[0]
    x = torch.randn(2, 2, 3, 3).sign()
    begin_stage(net, STAGES, 0)
    torch.testing.assert_close(layer(x), nn.functional.conv2d(x, layer.weight))
    with torch.no_grad():
        layer.weight.mul_(3)  # as a stage of training would
    begin_stage(net, STAGES, 1)
    rows = layer.weight.detach().flatten(1)
    alpha = rows.square().sum(1) / rows.abs().sum(1)  # where form 2 of the bilinear term is least
    torch.testing.assert_close(layer.alpha, alpha)
    expected = nn.functional.conv2d(x, torch.where(layer.weight >= 0, 1.0, -1.0))
    torch.testing.assert_close(layer(x), expected * alpha[:, None, None])
    assert not net[3].real_weights


def test_a_training_without_stage_one_keeps_the_scale_factors_it_starts_with():
    net = network("official")
    scale = net[0].scale.detach().clone()
    begin_stage(net, STAGES[1:], 0)
    assert torch.equal(net[0].scale, scale)


def test_weight_decay_is_for_weights_alone_and_gains_have_their_own_rate():
    net = network("official")
    config = TrainingConfig(stages=STAGES, betas=(0.8, 0.99))
    optimiser = build_optimiser(net, STAGES[0], config)
    set_learning_rate(optimiser, 0.5)
    found = {
        name: (group["lr"], group["weight_decay"], group["betas"])
        for group in optimiser.param_groups
        for name, parameter in net.named_parameters()
        if any(parameter is p for p in group["params"])
    }
    assert found.keys() == dict(net.named_parameters()).keys()
    for name, (rate, decay, betas) in found.items():
        assert rate == (0.125 if name.endswith("gain") else 0.5), name
        weight = name in ("0.weight", "3.weight", "4.weight")
        assert decay == (0.01 if weight else 0.0), name
        assert betas == (0.8, 0.99)


def test_gains_that_the_recurrent_step_learns_are_not_the_optimisers():
    net = network("paper")
    optimiser = build_optimiser(net, STAGES[1], TrainingConfig(stages=STAGES))
    held = {id(p) for group in optimiser.param_groups for p in group["params"]}
    assert id(net[0].gain) not in held
    assert len(held) == len(list(net.parameters())) - 2
