"""Second pass of residual networks: the list of layers as stem, blocks and head.

The order is ``[InputBinarise or InputThermometer], RBOConv2d or Int8Conv2d, BatchNorm2d*, Block+, AdaptiveAvgPool2d(1), Flatten, Linear``.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from ..errors import UnsupportedLayerError
from ..train.activations import RPReLU, RSign
from ..train.layers import (
    ChannelLastFlatten,
    InputBinarise,
    InputThermometer,
    Int8Conv2d,
    RBOConv2d,
)
from ..train.networks.block import Add, AvgPoolDuplicate, Block
from .stages import IDLE
from .trace import Layer

ORDER = (
    "Order the layers as [InputBinarise or InputThermometer], RBOConv2d or Int8Conv2d, BatchNorm2d, Block (one or more), "
    "AdaptiveAvgPool2d(1), Flatten, Linear."
)


@dataclass(frozen=True, slots=True, eq=False)
class ResidualNetwork:
    """A residual network's layers.

    Parameters
    ----------
    encoding : Layer or None - an InputBinarise or InputThermometer; without one the stem reads the pixels
    stem : Layer - a RBOConv2d or Int8Conv2d
    norms : tuple of Layer - batch norms behind the stem
    blocks : tuple of Layer - each a `Block`, see `check_block`
    head : Layer - a Linear that reads the average of each channel
    """

    encoding: Layer | None
    stem: Layer
    norms: tuple[Layer, ...]
    blocks: tuple[Layer, ...]
    head: Layer


def is_residual(layers: tuple[Layer, ...]) -> bool:
    """Whether the layers are those of a residual network, not of a chain."""
    return any(isinstance(layer.module, Block) for layer in layers)


def group_residual(layers: tuple[Layer, ...]) -> ResidualNetwork:
    """The layers of a residual network by their roles.

    Raises
    ------
    UnsupportedLayerError - a layer that cannot stand where it does, or that integers cannot compute (it is named, with what could stand there)
    """
    rest = [layer for layer in layers if not isinstance(layer.module, IDLE)]
    encoding = rest.pop(0) if isinstance(rest[0].module, InputBinarise | InputThermometer) else None
    stem = _next(rest, RBOConv2d | Int8Conv2d, encoding)
    norms = _while(rest, nn.BatchNorm2d)
    blocks = _while(rest, Block)
    last = (stem, *norms, *blocks)[-1]
    if not blocks:
        raise _misplaced(rest[0], last)
    pool = _next(rest, nn.AdaptiveAvgPool2d, last)
    flatten = _next(rest, nn.Flatten | ChannelLastFlatten, pool)
    head = _next(rest, nn.Linear, flatten)
    if rest:
        raise _misplaced(rest[0], head)
    if pool.module.output_size not in (1, (1, 1)):
        raise UnsupportedLayerError(
            f"layer {pool} gives {pool.module.output_size} pixels, not one",
            "Use AdaptiveAvgPool2d(1) before the last layer.",
        )
    check_binary(stem)
    for block in blocks:
        check_block(block)
    for norm in norms:
        check_batch_norm(norm)
    return ResidualNetwork(encoding, stem, norms, blocks, head)


def members(block: Layer) -> dict[str, Layer]:
    """The named modules of a block, as layers."""
    return {
        name: Layer(f"{block.name}.{name}", module)
        for name, module in block.module.named_children()
    }


def check_block(block: Layer) -> None:
    """Raises UnsupportedLayerError where a member of a block was replaced by something that has no integer form."""
    expected = {
        "sign": RSign,
        "product": RBOConv2d,
        "norm": nn.BatchNorm2d,
        "shortcut": nn.Identity | AvgPoolDuplicate | nn.Sequential,
        "add": Add,
        "activation": RPReLU,
    }
    parts = members(block)
    for name, kind in expected.items():
        if name not in parts or not isinstance(parts[name].module, kind):
            found = parts.get(name, f"{block.name}.{name} (missing)")
            raise UnsupportedLayerError(
                f"layer {found} cannot be lowered as the {name} of a Block", "Build the network of Blocks as they are."
            )  # fmt: skip
    check_binary(parts["product"])
    check_batch_norm(parts["norm"])
    if isinstance(parts["shortcut"].module, nn.Sequential):
        _check_conv1x1(parts["shortcut"])


def check_binary(layer: Layer) -> None:
    """Raises UnsupportedLayerError for a binary convolution that is still in stage one of its training."""
    if getattr(layer.module, "real_weights", False):
        raise UnsupportedLayerError(
            f"layer {layer} has real weights: stage one of its training",
            "Train the stage with binary weights too, or call start_binary() on the layer.",
        )


def check_batch_norm(layer: Layer) -> None:
    """Raises UnsupportedLayerError for a batch norm without running statistics."""
    if layer.module.running_mean is None:
        raise UnsupportedLayerError(
            f"layer {layer} has no running statistics, so its result depends on the other images",
            "Train it with track_running_stats=True.",
        )


def _check_conv1x1(shortcut: Layer) -> None:
    """A shortcut with a convolution: [average pool], Conv2d 1x1, BatchNorm2d."""
    kinds = [type(module) for module in shortcut.module]
    layer = dict(enumerate(shortcut.module))
    if kinds not in ([nn.AvgPool2d, nn.Conv2d, nn.BatchNorm2d], [nn.Identity, nn.Conv2d, nn.BatchNorm2d]):  # fmt: skip
        names = ", ".join(kind.__name__ for kind in kinds)
        raise UnsupportedLayerError(
            f"layer {shortcut} of {names} cannot be lowered as a shortcut",
            "Use AvgPool2d or Identity, then Conv2d with kernel_size=1, then BatchNorm2d.",
        )
    pool, conv = layer[0], layer[1]
    check_batch_norm(Layer(f"{shortcut.name}.2", layer[2]))
    if isinstance(pool, nn.AvgPool2d):
        check_average_pool(Layer(f"{shortcut.name}.0", pool))
    if (conv.kernel_size, conv.stride, conv.groups) != ((1, 1), (1, 1), 1) or conv.padding not in (0, (0, 0)):  # fmt: skip
        raise UnsupportedLayerError(
            f"layer {shortcut.name}.1 (Conv2d): {conv.extra_repr()} is not a convolution of single pixels",
            "Use kernel_size=1, stride=1, padding=0, groups=1.",
        )


def check_average_pool(layer: Layer) -> None:
    """Raises UnsupportedLayerError where the squares of an AvgPool2d do not lie side by side or the divisor is another."""
    pool = layer.module
    sizes = {value if isinstance(value, tuple) else (value, value) for value in (pool.kernel_size, pool.stride)}  # fmt: skip
    size = next(iter(sizes))
    if (
        len(sizes) > 1
        or size[0] != size[1]
        or pool.padding not in (0, (0, 0))
        or pool.divisor_override
        or pool.ceil_mode
    ):
        raise UnsupportedLayerError(
            f"layer {layer}: {pool.extra_repr()} is not an average over squares side by side",
            "Use AvgPool2d(size): stride equal to size, no padding, ceil_mode=False.",
        )


def _next(rest: list[Layer], kinds: type | object, before: Layer | None) -> Layer:
    """Takes the next layer off `rest`, which must be of `kinds`."""
    if not rest:
        raise UnsupportedLayerError(f"the network ends with layer {before}", ORDER)
    if not isinstance(rest[0].module, kinds):  # type: ignore[arg-type]
        raise _misplaced(rest[0], before)
    return rest.pop(0)


def _while(rest: list[Layer], kind: type) -> tuple[Layer, ...]:
    taken = []
    while rest and isinstance(rest[0].module, kind):
        taken.append(rest.pop(0))
    return tuple(taken)


def _misplaced(layer: Layer, before: Layer | None) -> UnsupportedLayerError:
    place = f"after {before}" if before else "at the start"
    return UnsupportedLayerError(f"layer {layer} cannot stand {place} of a residual network", ORDER)
