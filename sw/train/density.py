"""Which channels are backtracked: the density test and DReLU.

References
----------
Xu et al., Recurrent Bilinear Optimization for Binary Neural Networks, ECCV 2022, section 3.3; the same in Xu, Zhang et al., Binary Neural Networks,
section 3.8, equations 3.133 and 3.134. The ranking's direction is not printed there: rank 1 is the smallest.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .bilinear import channel_sum, per_channel


def density_threshold(n_channels: int, tau: float) -> int:
    """``T = int(C tau)``: ranks above it are dense (eq. 3.134)."""
    return int(n_channels * tau)


def dense(x: Tensor, threshold: int) -> Tensor:
    """The density test D: whether each entry's ascending rank, from 1, is above `threshold`; `x` (C,), bool (C,). Ties rank by index."""
    rank = torch.empty(len(x), dtype=torch.int64, device=x.device)
    order = x.argsort(stable=True)
    rank[order] = torch.arange(1, len(x) + 1, device=x.device)
    return rank > threshold


def active_channels(weight: Tensor, inverse_scale: Tensor, tau: float) -> Tensor:
    """The channels with a small l1 norm and a large A, ``not D(||w||_1) and D(A)`` (eq. 3.133); (C, ...) and (C,) to bool (C,).

    At most ``min(T, C - T)`` of them; none for tau 0 or 1.
    """
    threshold = density_threshold(len(weight), tau)
    return ~dense(channel_sum(weight.abs()), threshold) & dense(inverse_scale, threshold)


def drelu(weight: Tensor, inverse_scale: Tensor, tau: float) -> Tensor:
    """``DReLU(w, A)``: `weight` in its active channels, 0 elsewhere (eq. 3.133); (C, ...) and (C,) to (C, ...)."""
    return weight * per_channel(active_channels(weight, inverse_scale, tau), weight)
