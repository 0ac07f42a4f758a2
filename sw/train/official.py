"""The released code's way, as it behaves: its binarisation with surrogate gradients, and how it chooses channels.

Two things differ from the paper and are kept on purpose: `official_channels` takes the output of an argsort for ranks, so the channels it
chooses have nothing to do with their scale factors, and the correction is a look-ahead along the previous gradient, which can flip signs.
One thing differs from the released code: sign(0) is +1 here, 0 there.

References
----------
github.com/SteveTsui/RBONN, 2_step2_rbonn (behaviour only)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .activations import sign
from .bilinear import channel_sum, per_channel
from .density import active_channels, dense, density_threshold

OUTPUT_FACTOR = 0.02
"""The released code's constant c in ``alpha = c |s|``."""


class OfficialBinarise(torch.autograd.Function):
    """Scaled binary weights of latent ones, with form 1 of the bilinear term inside the backward pass.

    Forward: ``o = c |s| sign(w)``. Backward, with g the gradient at o and ``r = w - c |s| sign(w)``:
    ``dw = lam r + |s| g`` and ``d|s| = sum(g w) - lam c sum(sign(w) r)`` per channel.
    Arguments: weight (C, ...), `scale` |s| (C,), `lam` float.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, scale: Tensor, lam: float) -> Tensor:
        ctx.save_for_backward(weight, scale)
        ctx.lam = lam
        return per_channel(OUTPUT_FACTOR * scale, weight) * sign(weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        weight, scale = ctx.saved_tensors
        (gradient,) = gradients
        bits = sign(weight)
        residual = weight - per_channel(OUTPUT_FACTOR * scale, weight) * bits
        weight_gradient = ctx.lam * residual + per_channel(scale, weight) * gradient
        scale_gradient = channel_sum(gradient * weight) - ctx.lam * OUTPUT_FACTOR * channel_sum(
            bits * residual
        )
        return weight_gradient, scale_gradient, None


def official_channels(scale: Tensor, tau: float) -> Tensor:
    """The channels that the released code corrects: where ``argsort(|s|)[i] < int(C (1 - tau))``; `scale` (C,), bool (C,).

    The i-th entry of an argsort is which channel comes i-th, not the rank of channel i: the slip is part of the behaviour.
    """
    count = int(len(scale) * (1 - tau))
    return scale.abs().argsort() < count


def ranked_channels(
    weight: Tensor, scale: Tensor, tau: float, *, norm_condition: bool = True
) -> Tensor:
    """What the released code means: the smallest scale factors by true rank and, with `norm_condition`, a small l1 norm as well.

    The same channels as the paper's `active_channels` with ``A = 1 / |s|``; `weight` (C, ...), `scale` (C,), bool (C,).
    """
    inverse_scale = 1 / scale.abs()
    if norm_condition:
        return active_channels(weight, inverse_scale, tau)
    return dense(inverse_scale, density_threshold(len(scale), tau))
