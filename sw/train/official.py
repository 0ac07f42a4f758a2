"""The released code's way, as it behaves: its binarisation with surrogate gradients, its bilinear term, and how it chooses channels.

Two things differ from the paper and are kept on purpose: `official_channels` takes the output of an argsort for ranks, so the channels it
chooses have nothing to do with their scale factors, and the correction is a look-ahead along the previous gradient, which can flip signs.
Two things differ from the released code: sign(0) is +1 here, 0 there; and where a step accumulates gradients the bilinear term still counts
once.

References
----------
github.com/SteveTsui/RBONN, 2_step2_rbonn (behaviour only)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .activations import sign
from .bilinear import channel_sum, form1_gradients, per_channel
from .density import active_channels, dense, density_threshold

OUTPUT_FACTOR = 0.02
"""The released code's constant c in ``alpha = c |s|``."""


class OfficialBinarise(torch.autograd.Function):
    """Scaled binary weights of latent ones with the released code's surrogate gradients for the data's loss.

    Forward: ``o = c |s| sign(w)``. Backward, with g the gradient at o: ``dw = |s| g`` and ``d|s| = sum(g w)`` per channel.
    Arguments: weight (C, ...), `scale` |s| (C,).
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(weight, scale)
        return per_channel(OUTPUT_FACTOR * scale, weight) * sign(weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        weight, scale = ctx.saved_tensors
        (gradient,) = gradients
        return per_channel(scale, weight) * gradient, channel_sum(gradient * weight)


def official_bilinear_gradients(weight: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """What the released code's backward pass adds, times its weight lam: half of form 1's gradients.

    With ``r = w - c |s| sign(w)``: ``r`` for w (C, ...) and ``-c sum(sign(w) r)`` for |s| (C,); `scale` is |s|. The optimiser's hook adds them once per step, which
    is the same where a step is one backward pass, and right where it is several.
    """
    weight_gradient, alpha_gradient = form1_gradients(weight, OUTPUT_FACTOR * scale)
    return weight_gradient / 2, OUTPUT_FACTOR * alpha_gradient / 2


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
