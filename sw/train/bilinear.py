"""The bilinear term that ties latent weights to scale factors, in both of its forms, with its gradients and minimisers.

With latent weights w (a row per output channel), ``b = sign(w)`` held constant, scale factors alpha and ``A = 1 / alpha``:

* form 1: ``G(w, alpha) = ||w - alpha b||^2``, what the released code descends;
* form 2: ``G(w, A) = ||b - A w||^2``, what the paper derives with.

Form 2 is form 1 times ``A^2`` per channel, so the same weight ``lam`` pulls A^2 times harder (A is 10 to 50 for usual latent weights), and the two
have different minimisers. Weights have any shape (C, ...), scale factors (C,); sums run over all axes but the first.

References
----------
Xu et al., Recurrent Bilinear Optimization for Binary Neural Networks, ECCV 2022, section 3.2 (forms and gradients)
"""

from __future__ import annotations

import torch
from torch import Tensor

from .activations import sign

_TINY = 1e-38


def per_channel(values: Tensor, weight: Tensor) -> Tensor:
    """`values` (C,) in a shape that multiplies `weight` (C, ...) channel by channel."""
    return values.reshape(-1, *(1,) * (weight.ndim - 1))


def channel_sum(x: Tensor) -> Tensor:
    """The sum of `x` (C, ...) over all axes but the first, (C,)."""
    return x.sum(dim=tuple(range(1, x.ndim)))


def bilinear_form1(weight: Tensor, alpha: Tensor) -> Tensor:
    """``sum ||w - alpha b||^2``, a scalar; `weight` (C, ...), `alpha` (C,)."""
    return (weight - per_channel(alpha, weight) * sign(weight.detach())).square().sum()


def bilinear_form2(weight: Tensor, inverse_scale: Tensor) -> Tensor:
    """``sum ||b - A w||^2``, a scalar; `weight` (C, ...), `inverse_scale` A (C,)."""
    return (sign(weight.detach()) - per_channel(inverse_scale, weight) * weight).square().sum()


def form1_gradients(weight: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """``dG/dw = 2 (w - alpha b)`` (C, ...) and ``dG/dalpha = -2 sum b (w - alpha b)`` (C,)."""
    bits = sign(weight)
    residual = weight - per_channel(alpha, weight) * bits
    return 2 * residual, -2 * channel_sum(bits * residual)


def form2_gradients(weight: Tensor, inverse_scale: Tensor) -> tuple[Tensor, Tensor]:
    """``dG/dw = 2 A (A w - b)`` (C, ...) and ``dG/dA = 2 sum w (A w - b) = 2 (A ||w||_2^2 - ||w||_1)`` (C,)."""
    factor = per_channel(inverse_scale, weight)
    residual = factor * weight - sign(weight)
    return 2 * factor * residual, 2 * channel_sum(weight * residual)


def form1_minimiser(weight: Tensor) -> Tensor:
    """The alpha of the least form 1, ``mean |w|`` per channel, (C,)."""
    return channel_sum(weight.abs()) / weight[0].numel()


def form2_minimiser(weight: Tensor) -> Tensor:
    """The A of the least form 2, ``||w||_1 / ||w||_2^2`` per channel, (C,); 1 where a channel's weights are all 0 and any A is as good."""
    norm = channel_sum(weight.square())
    return torch.where(norm > 0, channel_sum(weight.abs()) / norm.clamp(min=_TINY), 1.0)
