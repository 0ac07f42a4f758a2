"""Accuracy of a network and its interval, and batch-norm statistics that belong to its weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

_BATCH = 500


def pixels(images: Tensor) -> Tensor:
    """Images (n, height, width, channels) uint8 as the input of a network: (n, channels, height, width) float32, 0..255."""
    return images.permute(0, 3, 1, 2).float()  # channels last in memory, as the images are


@torch.no_grad()
def count_right(network: nn.Module, images: Tensor, labels: Tensor) -> int:
    """Number of images whose largest score is the label's; on a tie the lowest class counts.

    Parameters
    ----------
    network : Module - is put in eval mode
    images : Tensor (n, height, width, channels) uint8
    labels : Tensor (n,) int64
    """
    network.eval()
    device = device_of(network)
    n_right = torch.zeros((), dtype=torch.int64, device=device)
    # Tensor cores round the factors of a float32 convolution to 10 bits.
    with torch.backends.cudnn.flags(allow_tf32=False, deterministic=True):
        for start in range(0, len(labels), _BATCH):
            scores = network(pixels(images[start : start + _BATCH].to(device)))  # (batch, classes)
            right = first_largest(scores) == labels[start : start + _BATCH].to(device)
            n_right += right.sum()
    return int(n_right)


def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of images that `count_right` counts."""
    return count_right(network, images, labels) / len(labels)


def device_of(network: nn.Module) -> torch.device:
    """Where the network's parameters lie; the CPU for one without any."""
    return next((p.device for p in network.parameters()), torch.device("cpu"))


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share that was found on `n` independent images: (lowest, highest).

    References
    ----------
    Wilson, Probable inference, the law of succession, and statistical inference, JASA 1927
    """
    z = 1.959964  # two-sided 95 % of the normal distribution
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # The share lies inside; at 0 and 1 it is a limit, but for rounding.
    return min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))


def first_largest(scores: Tensor) -> Tensor:
    """Index of the largest score, the lowest on a tie (`Tensor.argmax` leaves the choice open): (batch,) int64."""
    n_classes = scores.shape[1]
    largest = scores == scores.max(dim=1, keepdim=True).values
    return torch.where(largest, torch.arange(n_classes, device=scores.device), n_classes).amin(
        dim=1
    )


@torch.no_grad()
def recalibrate(network: nn.Module, images: Tensor) -> None:
    """Set the statistics of all batch norms to those of `images` under the present weights.

    Running averages lag behind binary weights, whose flips move the statistics at once. The training is not influenced, since it
    normalises by batch.

    Parameters
    ----------
    network : Module - is put in eval mode
    images : Tensor (n, height, width, channels) uint8 - in batches of 500 that count the same; what does not fill one is left out, but
        fewer than 500 are one batch
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    network.eval()  # with the weights that are judged: in training, the official modes look ahead
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
    device = device_of(network)
    n_images = len(images) // _BATCH * _BATCH or len(images)
    for start in range(0, n_images, _BATCH):
        network(pixels(images[start : start + _BATCH].to(device)))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
