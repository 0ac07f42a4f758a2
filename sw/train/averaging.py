"""The average of a network's parameters over the steps of a stage: the network that is judged and kept in place of the latest one.

A latent weight whose best value lies at zero changes its sign in every few steps, at any learning rate: the sign of its average is the one that it has
most of the time, and the networks of successive epochs differ less than those of single steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from .networks import Network

_N_STEPS = "n_averaged"


class Averaging:
    """The exponential average of a network's parameters: ``m <- d m + (1 - d) p`` after each step, ``m = p`` after the first one.

    Statistics of batch norms are not averaged: those that belong to averaged weights have to be measured, see `evaluation.recalibrate`.

    Parameters
    ----------
    network : Network - neither compiled nor wrapped, in the form (real or binary weights) of the stage that begins
    decay : float - d, 0 to below 1; the average reaches back about ``1 / (1 - d)`` steps

    Members
    -------
    network : Network - a copy of the network, with the averaged parameters

    References
    ----------
    Polyak and Juditsky, Acceleration of stochastic approximation by averaging, 1992; Izmailov et al., Averaging weights leads to wider optima, UAI
    2018, section 3.2 (batch norms)
    """

    def __init__(self, network: Network, decay: float) -> None:
        self._averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay))
        self._averaged.requires_grad_(False)
        self.network = cast(Network, self._averaged.module)
        self._source = network

    def update(self) -> None:
        """Takes up the network's parameters as they are after a step."""
        self._averaged.update_parameters(self._source)

    def state_dict(self) -> dict[str, Tensor]:
        """What a resumed training needs, as flat names to tensors; not copied."""
        return {**dict(self.network.named_parameters()), _N_STEPS: self._averaged.n_averaged}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Takes up the result of `state_dict`.

        Raises
        ------
        ValueError - a tensor is missing, of another shape, or of another network
        """
        own = self.state_dict()
        for name in sorted(own.keys() ^ state.keys()):
            kind = "no average of" if name in own else "average of an unknown"
            raise ValueError(f"{kind} parameter {name!r}")
        for name, value in state.items():
            if value.shape != own[name].shape:
                raise ValueError(f"average {name!r} is {tuple(value.shape)}, not {tuple(own[name].shape)}")  # fmt: skip
            own[name].copy_(value)
