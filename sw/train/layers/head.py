"""The last layer of a binary chain: integer scores."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..activations import latent_sign


class BinaryHead(nn.Module):
    """The last layer: scores ``o = alpha * (sign(w) x + n)`` with one scale factor and an integer ``n[c] = round(bias[c] / alpha)``.

    ``alpha = |scale|`` is positive and common to all classes, so the integers ``sign(w) x + n`` rank the classes as the scores do: the hardware
    needs no multiplier. Gradients pass sign and rounding unchanged. (batch, in) to (batch, classes).

    Parameters
    ----------
    in_features, n_classes : int

    Members
    -------
    weight : Parameter (classes, in) - latent weights
    scale : Parameter (1,)
    bias : Parameter (classes,) - in units of the scores

    Raises
    ------
    ValueError - no inputs or classes
    """

    def __init__(self, in_features: int, n_classes: int) -> None:
        super().__init__()
        if in_features < 1 or n_classes < 1:
            raise ValueError(f"Features must be at least 1, not {in_features!r}, {n_classes!r}")
        self.in_features = in_features
        self.n_classes = n_classes
        self.weight = nn.Parameter(torch.empty(n_classes, in_features))
        nn.init.uniform_(self.weight, -0.1, 0.1)
        # Scores of about unit variance at the start.
        self.scale = nn.Parameter(torch.full((1,), 1 / math.sqrt(in_features)))
        self.bias = nn.Parameter(torch.zeros(n_classes))

    @property
    def alpha(self) -> Tensor:
        """The positive scale factor, (1,)."""
        return self.scale.abs()

    @property
    def binary_weight(self) -> Tensor:
        """+1 and -1 in the shape of `weight`, differentiable straight through."""
        return latent_sign(self.weight)

    def sums(self, x: Tensor) -> Tensor:
        """The integer sums before bias and scaling, (batch, classes)."""
        return functional.linear(x, self.binary_weight)

    def integer_bias(self) -> Tensor:
        """The bias in units of the integer sums, (classes,) int64."""
        return (self.bias.detach().double() / self.alpha.detach().double()).round().long()

    def integer_scores(self, x: Tensor) -> Tensor:
        """``sign(w) x + n``: what the hardware gives, (batch, classes), in the type of `x`."""
        return self.sums(x) + self.integer_bias().to(x.dtype)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return self.integer_scores(x) * self.alpha
        offset = self.bias / self.alpha
        rounded = offset + (self.integer_bias().to(offset.dtype) - offset).detach()
        return (self.sums(x) + rounded) * self.alpha

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.n_classes}"
