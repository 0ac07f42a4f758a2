"""How a network's binary layers are trained: the mode of recurrent bilinear optimisation and its numbers, as experiments state them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ..layers import Mode, RBOOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurrentConfig:
    """Options of every `RBOLayer` of a network; their meaning and the defaults of None stand there.

    Parameters
    ----------
    mode : str - ``paper``, ``official``, ``official_ranked`` or ``off``
    lam : float or None - weight of the bilinear term
    tau : float - threshold of the density test, 0 to 1
    u0 : float or None - gains at the start
    eta_u : float - learning rate of the gains, relative to the weights'
    weight_limit : float or None - latent weights are kept in -limit..limit
    """

    mode: Mode = "paper"
    lam: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    tau: Annotated[float, Field(ge=0, le=1)] = 0.6
    u0: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    eta_u: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.1
    weight_limit: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    def layer_options(self) -> RBOOptions:
        """Keyword arguments for the constructor of a layer."""
        return {
            "mode": self.mode,
            "lam": self.lam,
            "tau": self.tau,
            "u0": self.u0,
            "eta_u": self.eta_u,
            "weight_limit": self.weight_limit,
        }
