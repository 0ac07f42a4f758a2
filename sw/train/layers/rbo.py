"""What binary convolution and dense layers share: latent weights, scale factors, and the state of recurrent bilinear optimisation."""

from __future__ import annotations

import math
from typing import Literal, TypedDict, get_args

import torch
from torch import Tensor, nn

from ..activations import latent_sign
from ..bilinear import form2_minimiser, per_channel
from ..official import OUTPUT_FACTOR, OfficialBinarise, official_channels, ranked_channels

Mode = Literal["paper", "official", "official_ranked", "off"]


class RBOOptions(TypedDict, total=False):
    """Keyword arguments of every `RBOLayer`; their meaning and defaults stand there."""

    mode: Mode
    lam: float | None
    tau: float
    u0: float | None
    eta_u: float
    weight_limit: float | None


class RBOLayer(nn.Module):
    """A product with binary weights ``b = sign(w)`` and one positive scale factor alpha per output channel, trained by recurrent bilinear optimisation.

    ``o = alpha[c] * product(x, b)``. Only `recurrent.RecurrentOptimisation` makes a training recurrent: the layer holds the state, the hooks
    on the optimiser do the step. The gradient of the data's loss passes the sign unchanged.

    Modes:

    * ``paper``: A = 1 / alpha is learned, form 2 of the bilinear term, the backtrack on the latent weights;
    * ``official``: the released code, ``alpha = 0.02 |s|``, form 1, look-ahead along the previous gradient in channels chosen by its ranking slip;
    * ``official_ranked``: the same with the channels that were meant: small alpha by true rank, and small l1 norm;
    * ``off``: as ``paper`` without bilinear term and backtrack, the plain straight-through layer.

    Parameters
    ----------
    weight_shape : tuple[int, ...] - of the latent weights, output channel first
    mode : str
    lam : float or None - weight of the bilinear term; None is 1e-7 for ``paper``, 1e-4 for the official modes, since form 2's gradient is A^2 times larger
    tau : float - share of channels that the density test takes for sparse, 0 to 1
    u0 : float or None - gains U at the start; None is 1e-3 for ``paper``, 0.2 for the official modes
    eta_u : float - learning rate of U relative to that of the weights
    weight_limit : float or None - latent weights are kept in -limit..limit; None is 1.5, and no limit in the official modes

    Members
    -------
    weight : Parameter - latent weights w
    scale : Parameter (C_out,) - ``paper`` and ``off``: A; official modes: s
    gain : Parameter (C_out,) - U; learned by autograd in the official modes, by the optimiser's hook in ``paper``
    real_weights : bool - stage one of a two-stage training: the product is taken with w itself

    Raises
    ------
    ValueError - a parameter out of its range

    References
    ----------
    Xu et al., Recurrent Bilinear Optimization for Binary Neural Networks, ECCV 2022, section 3; github.com/SteveTsui/RBONN (official modes)
    """

    def __init__(
        self,
        weight_shape: tuple[int, ...],
        *,
        mode: Mode = "paper",
        lam: float | None = None,
        tau: float = 0.6,
        u0: float | None = None,
        eta_u: float = 0.1,
        weight_limit: float | None = None,
    ) -> None:
        super().__init__()
        if mode not in get_args(Mode):
            raise ValueError(f"Mode must be one of {', '.join(get_args(Mode))}, not {mode!r}")
        self.mode = mode
        self.official = mode.startswith("official")
        self.lam = _or_default(lam, {"paper": 1e-7, "off": 0.0}.get(mode, 1e-4))
        self.tau = tau
        self.u0 = _or_default(u0, {"paper": 1e-3, "off": 0.0}.get(mode, 0.2))
        self.eta_u = eta_u
        self.weight_limit = 1.5 if weight_limit is None and not self.official else weight_limit
        for name, value in (("Lam", self.lam), ("U0", self.u0), ("Eta_u", eta_u)):
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must be at least 0, not {value!r}")
        if not 0 <= tau <= 1:
            raise ValueError(f"Tau must be 0 to 1, not {tau!r}")
        if self.weight_limit is not None and not self.weight_limit > 0:
            raise ValueError(f"Weight limit must be positive, not {weight_limit!r}")
        if mode == "off":
            self.lam = 0.0
        self.real_weights = False
        self.weight = nn.Parameter(torch.empty(weight_shape))
        self.scale = nn.Parameter(torch.empty(weight_shape[0]))
        self.gain = nn.Parameter(torch.empty(weight_shape[0]), requires_grad=self.official)
        if self.official:
            self.register_buffer("previous_gradient", torch.zeros(weight_shape), persistent=False)
        self.reset_parameters()

    previous_gradient: Tensor
    """Of the previous step, at `weight`; official modes only, kept by the optimiser's hook."""

    def reset_parameters(self) -> None:
        """Latent weights uniform in -0.1..0.1, of which a step of Adam is a noticeable part; A where form 2 is least, s normal."""
        nn.init.uniform_(self.weight, -0.1, 0.1)
        nn.init.constant_(self.gain, self.u0)
        self._reset_scale()

    @torch.no_grad()
    def _reset_scale(self) -> None:
        if self.official:
            nn.init.normal_(self.scale)
        else:
            self.scale.copy_(form2_minimiser(self.weight))

    def start_binary(self) -> None:
        """Ends stage one: from now on the weights are binary, the scale factors start from those that stage one learned."""
        self.real_weights = False
        self._reset_scale()

    @property
    def alpha(self) -> Tensor:
        """The positive scale factors, (C_out,)."""
        return OUTPUT_FACTOR * self.scale.abs() if self.official else 1 / self.scale

    @property
    def binary_weight(self) -> Tensor:
        """+1 and -1 in the shape of `weight`, differentiable straight through."""
        return latent_sign(self.weight)

    def look_ahead_channels(self) -> Tensor:
        """The channels that the official modes look ahead in, bool (C_out,)."""
        with torch.no_grad():
            if self.mode == "official":
                return official_channels(self.scale, self.tau)
            return ranked_channels(self.weight, self.scale, self.tau)

    def weight_ahead(self) -> Tensor:
        """The latent weights that the official modes binarise in training: ahead along the previous gradient in the chosen channels."""
        correction = per_channel(self.gain * self.look_ahead_channels(), self.weight)
        return self.weight - correction * self.previous_gradient

    def training_weight(self) -> Tensor:
        """What the product is taken with in training: scaled binary weights (or the real ones, in stage one), in the shape of `weight`."""
        if self.real_weights:
            return self.weight
        if not self.official:
            return self.binary_weight * per_channel(self.alpha, self.weight)
        return OfficialBinarise.apply(self.weight_ahead(), self.scale.abs())  # type: ignore[return-value]


def _or_default(value: float | None, default: float) -> float:
    return default if value is None else value
