"""Finds the layer in which a training's numbers stopped being numbers.

The loss does not tell: sign(NaN) is -1, so that NaN among latent weights leaves the scores finite. The parameters themselves are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


class NonFiniteError(Exception):
    """The loss, a gradient or a weight is NaN or infinite.

    Parameters
    ----------
    what, where : str - parts of a sentence: ``the loss is nan``, ``first in ...``
    """

    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{what}, {where}")
        self.what = what
        self.where = where


def norm_sum(tensors: Sequence[Tensor]) -> Tensor:
    """A number in float64, finite only where every number in every tensor is, and not always then: a sum of squares may be too large for its type."""
    if not tensors:
        return torch.zeros((), dtype=torch.float64)
    norms = torch._foreach_norm(list(tensors))  # pyright: ignore[reportPrivateImportUsage]
    return torch.stack(norms).sum(dtype=torch.float64)


def all_finite(parameters: Sequence[Tensor]) -> bool:
    """Whether every number in every tensor is finite; one pass, one synchronisation with the device."""
    if torch.isfinite(norm_sum(parameters)):
        return True
    return all(bool(torch.isfinite(parameter).all()) for parameter in parameters)


def nonfinite_layers(network: nn.Module, *, gradients: bool = False) -> list[str]:
    """Names of the modules that own a parameter, or one whose gradient is, with NaN or infinity, in the network's order."""
    names = []
    for name, parameter in network.named_parameters():
        layer = name.rpartition(".")[0]
        values = parameter.grad if gradients else parameter
        if layer not in names and values is not None and not torch.isfinite(values).all():
            names.append(layer)
    return names


@torch.no_grad()
def first_nonfinite_output(network: nn.Module, images: Tensor) -> str | None:
    """Name of the module whose output is the first to hold NaN or infinity, the innermost where modules are nested; None where none does."""
    found: list[str] = []

    def look(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            if not found and isinstance(output, Tensor) and not torch.isfinite(output).all():
                found.append(name)

        return hook

    handles = [
        module.register_forward_hook(look(name)) for name, module in network.named_modules() if name
    ]
    try:
        network(images)
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else None
