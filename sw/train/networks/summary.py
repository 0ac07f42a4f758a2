"""What a network consists of: layers, shapes, parameters, multiply-accumulates and memory, per layer and in total."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import torch
from torch import Tensor, nn

from ..layers import BinaryHead, Int8Conv2d, RBOLayer
from .block import Block
from .float_resnet import FloatBlock
from .image import ImageShape

_REAL_BITS = 32
_INT8_BITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSummary:
    """One layer, or several together.

    Parameters
    ----------
    name : str - path in the network
    kind : str - class of the layer
    output_shape : tuple[int, ...] - (height, width, channels) or (features,) of one image
    binary_parameters : int - weights of one bit
    real_parameters : int - of 32 bits; 8 bits in an `Int8Conv2d`
    binary_macs, real_macs : int - multiply-accumulates per image of binary and of all other products, padded taps included; what works
        element by element (batch norms, activations, pools) counts none
    memory_bits : int - of all parameters
    block : str - path of the `Block` or `FloatBlock` around the layer, or its own name
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    binary_parameters: int = 0
    real_parameters: int = 0
    binary_macs: int = 0
    real_macs: int = 0
    memory_bits: int = 0
    block: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """The layers of a network in the order of the data.

    Parameters
    ----------
    layers : tuple of LayerSummary - every module without modules inside it
    """

    layers: tuple[LayerSummary, ...]

    @property
    def total(self) -> LayerSummary:
        """All layers together; the shape is that of the scores."""
        return _together("total", "", self.layers)

    def blocks(self) -> tuple[LayerSummary, ...]:
        """The layers, those of a block together in one row: what fits on a page for a residual network."""
        rows = []
        for name, group in groupby(self.layers, key=lambda layer: layer.block):
            members = tuple(group)
            alone = members[0].name == name
            rows.append(members[0] if alone else _together(name, Block.__name__, members))
        return tuple(rows)


def summary(network: nn.Module, image: ImageShape) -> Summary:
    """Counts what `network` needs for one image of that shape, by running it on one.

    What inference needs is counted: a binary layer's gains exist in training only, and its scale factors become part of the batch norm
    or threshold behind it; a batch norm's statistics become part of its factor and offset.

    Parameters
    ----------
    network : Module - takes pixels as float (batch, channel, height, width); is left as it is
    image : ImageShape
    """
    network = copy.deepcopy(network).eval()
    blocks = [
        name for name, module in network.named_modules() if isinstance(module, Block | FloatBlock)
    ]
    rows: list[LayerSummary] = []
    for name, module in network.named_modules():
        if isinstance(module, RBOLayer) or not any(module.children()):  # a codebook is no layer
            block = next((b for b in blocks if name.startswith(f"{b}.")), name)
            module.register_forward_hook(partial(_record, rows, name, block))
    first = next(network.parameters(), torch.zeros(()))
    pixels = torch.zeros(1, image.channels, image.height, image.width).to(first)
    with torch.no_grad():
        network(pixels)
    return Summary(tuple(rows))


def _record(
    rows: list[LayerSummary], name: str, block: str, module: nn.Module, _: object, output: Tensor
) -> None:
    """The hook: appends the row of `module`, which has just given `output` (1, channel, height, width) or (1, feature)."""
    channels, *size = output.shape[1:]
    row = partial(
        LayerSummary,
        name=name,
        kind=type(module).__name__,
        output_shape=(*size, channels),
        block=block,
    )
    rows.append(_counted(module, output.numel(), row))


def _counted(module: nn.Module, outputs: int, row: Callable[..., LayerSummary]) -> LayerSummary:
    """The row of a module that gives that many values per image."""
    if isinstance(module, RBOLayer | BinaryHead):
        weights = module.weight.numel()
        bias = getattr(module, "bias", None)
        offsets = 0 if bias is None else bias.numel()
        return row(
            binary_parameters=weights,
            real_parameters=offsets,
            binary_macs=outputs * weights // len(module.weight),
            memory_bits=weights + _REAL_BITS * offsets,
        )
    numbers = sum(parameter.numel() for parameter in module.parameters())
    bits = _INT8_BITS if isinstance(module, Int8Conv2d) else _REAL_BITS
    macs = 0
    if isinstance(module, Int8Conv2d | nn.Conv2d | nn.Linear):
        macs = outputs * module.weight.numel() // len(module.weight)
    return row(real_parameters=numbers, real_macs=macs, memory_bits=bits * numbers)


def _together(name: str, kind: str, layers: tuple[LayerSummary, ...]) -> LayerSummary:
    return LayerSummary(
        name=name,
        kind=kind,
        output_shape=layers[-1].output_shape,
        binary_parameters=sum(layer.binary_parameters for layer in layers),
        real_parameters=sum(layer.real_parameters for layer in layers),
        binary_macs=sum(layer.binary_macs for layer in layers),
        real_macs=sum(layer.real_macs for layer in layers),
        memory_bits=sum(layer.memory_bits for layer in layers),
        block=name,
    )
