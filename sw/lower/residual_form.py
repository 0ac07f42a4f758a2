"""Third pass of residual networks: real numbers still, but every constant merged that can.

The residual stream s of the merged network is the trained one without the last shift of the RPReLU before it: ``x = s + c``, per channel.
Every consumer of s takes c up: the next RSign in its shift, the next block in the constant before its addition, the head in its bias. The first shift
of an RPReLU, the batch norm and the scale factor before it become one scale and one offset per channel. So a block is

    bits = sign(s + shift), y = scale * conv(bits) + offset + shortcut(s), s' = y where y >= 0 else slope * y
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..train.layers import Int8Conv2d, RBOConv2d
from ..train.networks.block import AvgPoolDuplicate
from .residual_stages import ResidualNetwork, members
from .trace import Layer

PIXEL_SCALE = 1 / 32768
"""Of the sums of an `Int8Conv2d`."""


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """``o[c] = scale[c] * x[c] + offset[c]``, both (channels,) float64."""

    scale: np.ndarray
    offset: np.ndarray

    def then(self, scale: np.ndarray, offset: np.ndarray) -> Line:
        """``scale * o + offset`` of what this line gives."""
        return Line(self.scale * scale, self.offset * scale + offset)


@dataclass(frozen=True, slots=True, eq=False)
class Shortcut:
    """A block's path beside its convolution: average, then copies or a convolution of single pixels.

    Parameters
    ----------
    layer : Layer - from which it comes
    size : int - of the squares that are averaged, pixels; 1 for none
    copies : int - of all channels
    weights : (out, in) float64 or None - the convolution's, in place of copies
    line : Line or None - behind the convolution
    """

    layer: Layer
    size: int = 1
    copies: int = 1
    weights: np.ndarray | None = None
    line: Line | None = None

    @property
    def is_identity(self) -> bool:
        return self.size == 1 and self.copies == 1 and self.weights is None


@dataclass(frozen=True, slots=True, eq=False)
class MergedBlock:
    """A block with all its constants merged.

    Parameters
    ----------
    layer : Layer - the `Block`
    product : Layer - its binary convolution
    shift : (in,) float64 - the bits are ``sign(s + shift)``
    line : Line - of the convolution's integer sums, before the addition
    shortcut : Shortcut
    slopes : (out,) float64 - of what is negative after the addition
    power_of_two : bool - whether all slopes are 2^0 to 2^-7, or those negated
    """

    layer: Layer
    product: Layer
    shift: np.ndarray
    line: Line
    shortcut: Shortcut
    slopes: np.ndarray
    power_of_two: bool


@dataclass(frozen=True, slots=True, eq=False)
class MergedNetwork:
    """A residual network with all its constants merged.

    Parameters
    ----------
    encoding : Layer or None - as in `ResidualNetwork`
    stem : Layer - as in `ResidualNetwork`
    line : Line - of the stem's integer sums: the first value of the stream
    blocks : tuple of MergedBlock
    head : Layer - the Linear
    weights : (classes, channels) float64 - scores are ``weights @ average(s) + bias``
    bias : (classes,) float64
    """

    encoding: Layer | None
    stem: Layer
    line: Line
    blocks: tuple[MergedBlock, ...]
    head: Layer
    weights: np.ndarray
    bias: np.ndarray

    @property
    def largest_scale(self) -> float:
        """Largest magnitude of a scale between integer sums and the stream."""
        lines = (self.line, *(block.line for block in self.blocks))
        return max(float(np.abs(line.scale).max()) for line in lines)


def block_name(number: int) -> str:
    """Of block `number`, counted from 1: the name of its output edge, and the start of the names of its other edges."""
    return f"block{number}"


def merge_constants(network: ResidualNetwork) -> MergedNetwork:
    """The network with every constant merged into what reads or writes the stream; pure, in float64."""
    line = merged_line(network.stem, network.norms)
    carried = np.zeros_like(line.offset)
    blocks = []
    for layer in network.blocks:
        block, carried = _merge_block(layer, carried)
        blocks.append(block)
    head = network.head.module
    weights = array(head.weight)
    bias = weights @ carried + (0.0 if head.bias is None else array(head.bias))
    return MergedNetwork(
        network.encoding, network.stem, line, tuple(blocks), network.head, weights, bias
    )


def merged_line(product: Layer, norms: Sequence[Layer]) -> Line:
    """Scale factor and batch norms behind a product's integer sums."""
    layer = product.module
    if isinstance(layer, RBOConv2d):
        alpha = array(layer.alpha)
    elif isinstance(layer, Int8Conv2d):
        alpha = np.full(len(layer.weight), PIXEL_SCALE)
    else:
        alpha = np.ones(len(layer.weight))
    line = Line(alpha, np.zeros_like(alpha))
    for norm in norms:
        line = line.then(*_batch_norm(norm.module))
    return line


def array(tensor: Tensor) -> np.ndarray:
    """A parameter as float64."""
    return tensor.detach().double().numpy().copy()


def _merge_block(layer: Layer, carried: np.ndarray) -> tuple[MergedBlock, np.ndarray]:
    """The block that reads a stream that lacks `carried`, and what the stream that it writes lacks."""
    parts = members(layer)
    activation = parts["activation"].module
    shortcut, constant = _merge_shortcut(parts["shortcut"], carried)
    line = merged_line(parts["product"], (parts["norm"],))
    with torch.no_grad():
        slopes = array(activation.used_slope)
    merged = MergedBlock(
        layer,
        parts["product"],
        array(parts["sign"].module.shift) + carried,
        Line(line.scale, line.offset + constant + array(activation.shift_in)),
        shortcut,
        slopes,
        activation.slopes == "power_of_two",
    )
    return merged, array(activation.shift_out)


def _merge_shortcut(layer: Layer, carried: np.ndarray) -> tuple[Shortcut, np.ndarray]:
    """The shortcut without the constants that may as well be added on the other side, and those constants."""
    module = layer.module
    if isinstance(module, nn.Identity):
        return Shortcut(layer), carried
    if isinstance(module, AvgPoolDuplicate):
        return Shortcut(layer, module.size, module.copies), np.tile(carried, module.copies)
    pool, conv, norm = module
    size = 1 if isinstance(pool, nn.Identity) else _single(pool.kernel_size)
    weights = array(conv.weight)[:, :, 0, 0]
    constant = weights @ carried + (0.0 if conv.bias is None else array(conv.bias))
    line = Line(np.ones(len(weights)), constant).then(*_batch_norm(norm))
    return Shortcut(layer, size, weights=weights, line=line), np.zeros(len(weights))


def _batch_norm(norm: nn.BatchNorm2d) -> tuple[np.ndarray, np.ndarray]:
    """(scale, offset) of a batch norm in eval."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = 1 / np.sqrt(array(norm.running_var) + norm.eps)
    scale = scale if norm.weight is None else scale * array(norm.weight)
    bias = 0.0 if norm.bias is None else array(norm.bias)
    return scale, bias - array(norm.running_mean) * scale


def _single(size: int | tuple[int, int]) -> int:
    return size if isinstance(size, int) else size[0]
