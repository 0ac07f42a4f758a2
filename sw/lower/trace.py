"""First pass: a trained module as the list of its layers in the order of execution, proved to be all the module does.

A network of the project is a chain of layers and residual blocks. The walk takes `torch.nn.Sequential`, any module with an ordered attribute `layers` (a Sequential, a
ModuleList, a list or a tuple of modules), and these inside one another; everything else is a layer.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CheckpointError, UnsupportedLayerError
from ..network import EdgeType
from .skip_shapes import check_skips

N_PROBES = 4
"""Random images on which a lowered network is tried."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One layer of a chain.

    Parameters
    ----------
    name : str - its path in the module, for example ``layers.3``
    module : Module - of a kind that the next pass checks
    """

    name: str
    module: Any

    def __str__(self) -> str:
        return f"{self.name} ({type(self.module).__name__})"


def trace(module: nn.Module, image: EdgeType) -> tuple[Layer, ...]:
    """The layers of `module`, copied to the CPU, in eval mode and float64, in which the integer sums and thresholds are decided.

    Parameters
    ----------
    module : Module - takes raw pixels as float (n, channel, height, width); is left as it is
    image : EdgeType - type and (height, width, channels) of the raw images

    Raises
    ------
    UnsupportedLayerError - the module has no such list of layers, does not take such images, or computes something else than its layers
        one after the other (a residual connection outside a `Block`, for example), or a block's two branches have different shapes
    CheckpointError - a parameter is not finite
    """
    module = copy.deepcopy(module).cpu().eval().double()
    _check_finite(module)
    layers = tuple(_walk(module, ""))
    x = probes(image)
    try:
        check_skips(layers, x)
        with torch.no_grad():
            expected = module(x)
            actual = run_chain(layers, x)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        height, width, channels = image.shape
        raise UnsupportedLayerError(
            f"{type(module).__name__} does not take images of {height}x{width}x{channels}: {_first_line(error)}",
            "Lower it with the image size it was trained on; 'forward' takes (n, channel, height, width).",
        ) from error
    if not isinstance(expected, Tensor) or not torch.equal(expected, actual):
        raise UnsupportedLayerError(
            f"{type(module).__name__} does not compute what its layers compute one after the other",
            "Let 'forward' apply 'layers' in their order and nothing else; branches belong into a Block.",
        )
    return layers


def run_chain(layers: tuple[Layer, ...], x: Tensor) -> Tensor:
    """The layers one after the other on a batch."""
    for layer in layers:
        x = layer.module(x)
    return x


def _walk(module: nn.Module, path: str) -> Iterator[Layer]:
    children = module if isinstance(module, nn.Sequential) else getattr(module, "layers", None)
    if isinstance(children, nn.Sequential | nn.ModuleList | list | tuple):
        prefix = path if isinstance(module, nn.Sequential) else _join(path, "layers")
        # Not named_children(), which leaves out a module that stands in the list twice.
        named = (
            children._modules.items() if isinstance(children, nn.Module) else enumerate(children)
        )
        for name, child in named:
            yield from _walk(child, _join(prefix, str(name)))
    elif path:
        yield Layer(path, module)
    else:
        raise UnsupportedLayerError(
            f"{type(module).__name__} has no ordered list of layers to walk",
            "Make it a torch.nn.Sequential, or give it an attribute 'layers' with the layers in their order.",
        )


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def probes(image: EdgeType) -> Tensor:
    """Random images of type `image` as float64, (`N_PROBES`, channel, height, width), always the same."""
    height, width, channels = image.shape
    generator = torch.Generator().manual_seed(0)
    low, high = image.datatype.minimum, image.datatype.maximum
    shape = (N_PROBES, channels, height, width)
    return torch.randint(low, high + 1, shape, generator=generator).double()


def _check_finite(module: nn.Module) -> None:
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(
                f"{name} of {type(module).__name__} has values that are not finite",
                "The training run diverged: train again, with a smaller learning rate.",
            )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
