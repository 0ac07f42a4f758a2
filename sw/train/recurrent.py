"""Recurrent bilinear optimisation: which channels are backtracked, and the optimiser's hooks that do it.

One step of mode ``paper`` for a layer with latent weights w (a row per output channel), ``A = 1 / alpha`` and gains U, t counting steps
and g the gradient of the data's loss (averaged over ranks, summed over accumulated batches):

    mask      = active_channels(w^t, A^t)
    w^(t+1)   = Opt(w^t, g_w + 2 lam A (A w - b)),   then w^(t+1) += U^t mask w^t,   then clamped
    A^(t+1)   = | Opt(A^t, g_A + 2 lam (A ||w||_2^2 - ||w||_1)) |
    U^(t+1)   = | U^t - eta_u eta sum(g_w DReLU(w^(t-1), A^t)) |

Adding a share of the old weights can undo a flip that the optimiser just made, and never makes one: it is an inertia of channels with
small norm and large A. Nothing here is read in the forward pass, so gradients may be accumulated, set to None, scaled or averaged.

References
----------
Xu et al., Recurrent Bilinear Optimization for Binary Neural Networks, ECCV 2022, section 3.3; the same in Xu, Zhang et al., Binary Neural Networks,
section 3.8, equations 3.123 to 3.136.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .bilinear import channel_sum, form2_gradients, per_channel
from .density import active_channels, dense, density_threshold, drelu
from .layers import RBOLayer
from .official import official_bilinear_gradients

__all__ = ["RecurrentOptimisation", "active_channels", "dense", "density_threshold", "drelu"]

_SMALLEST_INVERSE_SCALE = 1e-6
"""A is reflected at zero; exactly zero would make alpha infinite."""


class RecurrentOptimisation:
    """Makes every step of a torch optimiser a step of recurrent bilinear optimisation, for all `RBOLayer` of a network.

    Registers a hook before and one after ``optimiser.step()``. Layers in stage one (`real_weights`) are left to the optimiser. In the official modes
    the layer itself computes with the weights looked ahead, and the hook keeps the gradient it needs for that; in mode ``off`` only the weights
    are limited.

    Parameters
    ----------
    optimiser : torch.optim.Optimizer - holds the parameters of `network`
    network : Module - compiled, wrapped for several processes, or neither: the names in `state_dict` are the same

    Raises
    ------
    ValueError - the optimiser does not hold a layer's latent weights, or it makes recurrent steps already;
        in a step: an optimiser that asks for several gradients (LBFGS)
    """

    def __init__(self, optimiser: torch.optim.Optimizer, network: nn.Module) -> None:
        self._optimiser = optimiser
        self._layers: dict[str, RBOLayer] = {
            _own_name(name): module
            for name, module in network.named_modules()
            if isinstance(module, RBOLayer)
        }
        _check(optimiser, self._layers)
        self._previous: dict[str, Tensor] = {}
        """w^(t-1) before a step, w^t during and after it."""
        self._active: dict[str, Tensor] = {}
        """The channels of the latest step."""
        self._gain_gradients: dict[str, Tensor] = {}
        self._signs = self._signs_now()
        # A fused optimiser would be given scaled gradients by torch.amp.GradScaler, and the hook with it.
        optimiser._step_supports_amp_scaling = False  # type: ignore[attr-defined] - read by GradScaler
        optimiser.register_step_pre_hook(self._on_step)
        optimiser.register_step_post_hook(self._after_step)

    def _on_step(
        self, optimiser: torch.optim.Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """The hook before a step; where the gradients are found by a closure inside the step, `_before_step` waits for it."""
        closure = kwargs.get("closure", args[1] if len(args) > 1 else None)
        if closure is None:
            self._before_step()
            return None
        n_calls = 0

        def then_before_step() -> Any:
            nonlocal n_calls
            n_calls += 1
            if n_calls > 1:
                raise ValueError(
                    f"Optimiser must take one gradient per step, {type(optimiser).__name__} asks for more"
                )
            with torch.enable_grad():
                loss = closure()
            self._before_step()
            return loss

        # args[0] is the optimiser itself.
        return (*args[:1], then_before_step), {k: v for k, v in kwargs.items() if k != "closure"}

    @torch.no_grad()
    def _before_step(self) -> None:
        """Adds the bilinear gradients, and notes what the backtrack needs of the weights that the step will change."""
        for name, layer in self._layers.items():
            weight, inverse_scale = layer.weight, layer.scale
            if layer.real_weights or weight.grad is None:
                continue
            if layer.official:
                first = name not in self._active
                self._active[name] = layer.look_ahead_channels()
                if layer.lam:
                    _add_official_bilinear_gradients(layer, self._active[name])
                if first:  # nothing was looked ahead: the released code leaves u, and Adam's count of its steps, alone
                    layer.gain.grad = None
            if layer.mode != "paper":
                continue
            previous = self._previous.get(name)
            if previous is not None:  # there is no w^(t-1) in the very first step
                corrected = drelu(previous, inverse_scale, layer.tau)
                self._gain_gradients[name] = channel_sum(weight.grad * corrected)
                previous.copy_(weight)
            else:
                self._previous[name] = weight.detach().clone()
            self._active[name] = active_channels(weight, inverse_scale, layer.tau)
            if layer.lam:
                weight_gradient, scale_gradient = form2_gradients(weight, inverse_scale)
                weight.grad.add_(weight_gradient, alpha=layer.lam)
                if inverse_scale.grad is not None:  # None: frozen by the user
                    inverse_scale.grad.add_(scale_gradient, alpha=layer.lam)

    @torch.no_grad()
    def _after_step(self, *_: Any) -> None:
        """Backtracks, reflects A and U at zero, and limits the weights."""
        rates = {
            id(parameter): group["lr"]
            for group in self._optimiser.param_groups
            for parameter in group["params"]
        }
        for name, layer in self._layers.items():
            weight = layer.weight
            if layer.real_weights or weight.grad is None:
                continue
            if layer.mode == "paper":
                correction = layer.gain * self._active[name]
                weight.addcmul_(per_channel(correction, weight), self._previous[name])
                if name in self._gain_gradients:
                    rate = layer.eta_u * rates[id(weight)]
                    layer.gain.sub_(rate * self._gain_gradients.pop(name)).abs_()
            elif layer.official:
                layer.previous_gradient.copy_(weight.grad)
            if not layer.official:
                layer.scale.abs_().clamp_(min=_SMALLEST_INVERSE_SCALE)
            if layer.weight_limit is not None:
                weight.clamp_(-layer.weight_limit, layer.weight_limit)

    def _signs_now(self) -> dict[str, Tensor]:
        return {name: layer.weight.detach() >= 0 for name, layer in self._layers.items()}

    def sign_flips(self) -> float:
        """The share of all binary weights whose sign differs from the last call's (or the construction's); 0 without binary layers."""
        now = self._signs_now()
        flipped = sum(int((now[name] != self._signs[name]).sum()) for name in now)
        self._signs = now
        return flipped / max(1, sum(signs.numel() for signs in now.values()))

    def active_share(self) -> float:
        """The share of all channels that were backtracked (looked ahead, in the official modes) in the latest step."""
        n_channels = sum(len(layer.weight) for layer in self._layers.values())
        return sum(int(active.sum()) for active in self._active.values()) / max(1, n_channels)

    def state_dict(self) -> dict[str, Tensor]:
        """What a resumed training needs beside the parameters, as flat names to tensors; not copied."""
        state = {f"{name}.signs": signs for name, signs in self._signs.items()}
        state |= {f"{name}.previous_weight": weight for name, weight in self._previous.items()}
        state |= {f"{name}.active": active for name, active in self._active.items()}
        for name, layer in self._layers.items():
            if layer.official:
                state[f"{name}.previous_gradient"] = layer.previous_gradient
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Takes up the result of `state_dict`.

        Raises
        ------
        ValueError - a name or a shape that this network's layers do not have, or signs that are missing
        """
        missing = [name for name in self._layers if f"{name}.signs" not in state]
        if missing:
            raise ValueError(f"no recurrent state of layer {missing[0]!r}")
        for key, value in state.items():
            name, _, kind = key.rpartition(".")
            layer = self._layers.get(name)
            if layer is None:
                raise ValueError(f"recurrent state of an unknown layer {name!r}")
            expected = layer.weight.shape if kind != "active" else layer.weight.shape[:1]
            if value.shape != expected:
                raise ValueError(f"recurrent state {key!r} is {tuple(value.shape)}, not {tuple(expected)}")  # fmt: skip
            value = value.to(layer.weight.device)
            match kind:
                case "signs":
                    self._signs[name] = value.clone()
                case "active":
                    self._active[name] = value.clone()
                case "previous_weight":
                    # In the memory layout of the weights, so that sums run in the same order after a resume.
                    self._previous[name] = torch.empty_like(layer.weight.detach()).copy_(value)
                case "previous_gradient" if layer.official:
                    layer.previous_gradient.copy_(value)
                case _:
                    raise ValueError(f"recurrent state {key!r} does not belong to mode {layer.mode!r}")  # fmt: skip


def _add_official_bilinear_gradients(layer: RBOLayer, active: Tensor) -> None:
    """Adds them at the weights that the forward pass used, along which they reach w, s and u."""
    weight_gradient, scale_gradient = official_bilinear_gradients(
        layer.weight_ahead(), layer.scale.abs()
    )
    gain_gradient = -channel_sum(weight_gradient * layer.previous_gradient) * active
    for parameter, gradient in (
        (layer.weight, weight_gradient),
        (layer.scale, scale_gradient * layer.scale.sign()),
        (layer.gain, gain_gradient),
    ):
        if parameter.grad is not None:  # None: frozen by the user
            parameter.grad.add_(gradient, alpha=layer.lam)


def _own_name(name: str) -> str:
    """A module's name without what torch.compile and DistributedDataParallel put in front."""
    return ".".join(part for part in name.split(".") if part not in ("_orig_mod", "module"))


def _check(optimiser: torch.optim.Optimizer, layers: Mapping[str, RBOLayer]) -> None:
    held = {id(p) for group in optimiser.param_groups for p in group["params"]}
    for name, layer in layers.items():
        if id(layer.weight) not in held:
            raise ValueError(f"Optimiser must hold the latent weights of layer {name!r}")
    hooks = optimiser._optimizer_step_post_hooks.values()
    if any(isinstance(getattr(hook, "__self__", None), RecurrentOptimisation) for hook in hooks):
        raise ValueError("Optimiser must not make recurrent steps already")
