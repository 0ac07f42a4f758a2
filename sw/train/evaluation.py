"""Accuracy of a network, and batch-norm statistics that belong to its weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

_BATCH = 500


def pixels(images: Tensor) -> Tensor:
    """Images (n, height, width, channels) uint8 as the input of a network: (n, channels, height, width) float32, 0..255."""
    return images.permute(0, 3, 1, 2).float()  # channels last in memory, as the images are


@torch.no_grad()
def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of images whose largest score is the label's; on a tie the lowest class counts.

    Parameters
    ----------
    network : Module - is put in eval mode
    images : Tensor (n, height, width, channels) uint8
    labels : Tensor (n,) int64
    """
    network.eval()
    n_right = 0
    for start in range(0, len(labels), _BATCH):
        scores = network(pixels(images[start : start + _BATCH]))  # (batch, classes)
        n_right += int((_first_largest(scores) == labels[start : start + _BATCH]).sum())
    return n_right / len(labels)


def _first_largest(scores: Tensor) -> Tensor:
    """Index of the largest score, the lowest on a tie (`Tensor.argmax` leaves the choice open): (batch,) int64."""
    n_classes = scores.shape[1]
    largest = scores == scores.max(dim=1, keepdim=True).values
    return torch.where(largest, torch.arange(n_classes), n_classes).amin(dim=1)


@torch.no_grad()
def recalibrate(network: nn.Module, images: Tensor) -> None:
    """Set the statistics of all batch norms to those of `images` under the present weights.

    Running averages lag behind binary weights, whose flips move the statistics at once. Each batch counts the same; the training is not
    influenced, since it normalises by batch.

    Parameters
    ----------
    network : Module - left in training mode
    images : Tensor (n, height, width, channels) uint8 - n a multiple of 500, or below 500
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    network.train()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
    for start in range(0, len(images), _BATCH):
        network(pixels(images[start : start + _BATCH]))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
