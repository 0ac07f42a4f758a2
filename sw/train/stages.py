"""The stages of a training: which one an epoch belongs to, its learning rate, and the optimiser it starts with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from .experiment import StageConfig, TrainingConfig
from .layers import RBOLayer


@dataclass(frozen=True, slots=True)
class StagePosition:
    """Where an epoch lies: in stage `index`, as its epoch number `epoch`, both counted from 0."""

    index: int
    epoch: int


def stage_position(stages: tuple[StageConfig, ...], epoch: int) -> StagePosition:
    """The place of an epoch, counted from 0 over all stages; the epoch after the last one is the last stage's."""
    for index, stage in enumerate(stages[:-1]):
        if epoch < stage.epochs:
            return StagePosition(index, epoch)
        epoch -= stage.epochs
    return StagePosition(len(stages) - 1, epoch)


def learning_rate(stages: tuple[StageConfig, ...], epoch: int, share: float) -> float:
    """Adam's rate where `share` of an epoch, counted from 0, is done: a stage's own at its start, falling to 0 at its end."""
    position = stage_position(stages, epoch)
    stage = stages[position.index]
    done = (position.epoch + share) / stage.epochs
    factor = 1 - done if stage.decay == "linear" else 0.5 * (1 + math.cos(math.pi * done))
    return stage.learning_rate * factor


def begin_stage(network: nn.Module, stages: tuple[StageConfig, ...], index: int) -> None:
    """Puts the layers into the form that stage `index` trains; after a stage with real weights, scale factors start from those weights."""
    real = stages[index].weights == "real"
    for layer in network.modules():
        if isinstance(layer, RBOLayer):
            if layer.real_weights and not real:
                layer.start_binary()
            layer.real_weights = real


def build_optimiser(
    network: nn.Module, stage: StageConfig, config: TrainingConfig
) -> torch.optim.Adam:
    """A fresh Adam for a stage, in groups whose key ``rate_factor`` tells what the stage's learning rate is multiplied with.

    Weight decay holds for tensors of two axes or more; gains U that are learned (official modes) have their own rate, ``eta_u`` times the others'.
    """
    gains = {
        layer.gain: layer.eta_u
        for layer in network.modules()
        if isinstance(layer, RBOLayer) and layer.gain.requires_grad
    }
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in network.parameters():
        if parameter.requires_grad:
            decay = stage.weight_decay if parameter.ndim >= 2 else 0.0
            groups.setdefault((gains.get(parameter, 1.0), decay), []).append(parameter)
    return torch.optim.Adam(
        [
            {"params": parameters, "rate_factor": factor, "weight_decay": decay}
            for (factor, decay), parameters in groups.items()
        ],
        lr=stage.learning_rate,
        betas=config.betas,
        fused=True,  # one pass over each tensor
    )


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Gives every group its share of `rate`."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["rate_factor"]
