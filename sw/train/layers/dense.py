"""The binary dense layer."""

from __future__ import annotations

from typing import Unpack

from torch import Tensor
from torch.nn import functional

from .rbo import RBOLayer, RBOOptions


class RBOLinear(RBOLayer):
    """Binary dense layer ``o = alpha[c] * (sign(w) x)``: (batch, in) to (batch, out).

    Parameters
    ----------
    in_features, out_features : int
    options - mode, lam, tau, u0, eta_u, weight_limit of `RBOLayer`

    Raises
    ------
    ValueError - a parameter out of its range
    """

    def __init__(self, in_features: int, out_features: int, **options: Unpack[RBOOptions]) -> None:
        if in_features < 1 or out_features < 1:
            raise ValueError(f"Features must be at least 1, not {in_features!r}, {out_features!r}")
        super().__init__((out_features, in_features), **options)
        self.in_features = in_features
        self.out_features = out_features

    def sums(self, x: Tensor) -> Tensor:
        """The integer sums before scaling, (batch, out)."""
        return functional.linear(x, self.binary_weight)

    def forward(self, x: Tensor) -> Tensor:
        if self.training or self.real_weights:
            return functional.linear(x, self.training_weight())
        return self.sums(x) * self.alpha

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, mode={self.mode!r}"
