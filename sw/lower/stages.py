"""Second pass: the list of layers as stages, each a binary product with everything up to the bits that the next one reads.

The order is ``[InputBinarise or InputThermometer, [MaxPool2d]], (product, between, BinaryActivation, [MaxPool2d])*, BinaryHead``; a product is RBOConv2d or RBOLinear,
`between` is any order of batch norms and max pools, and one flatten stands before the first dense layer.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from ..errors import UnsupportedLayerError
from ..train.layers import (
    BinaryActivation,
    BinaryHead,
    ChannelLastFlatten,
    InputBinarise,
    InputThermometer,
    RBOConv2d,
    RBOLinear,
)
from .trace import Layer

SUPPORTED = (
    "InputBinarise, InputThermometer, RBOConv2d, RBOLinear, BatchNorm1d, BatchNorm2d, MaxPool2d, BinaryActivation, "
    "ChannelLastFlatten, Flatten, BinaryHead, Dropout, Identity"
)
ORDER = (
    "Order the layers as InputBinarise, (RBOConv2d, BatchNorm2d, [MaxPool2d], BinaryActivation)*, "
    "ChannelLastFlatten, (RBOLinear, BatchNorm1d, BinaryActivation)*, BinaryHead."
)
IDLE = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d)
"""Layers that do nothing in eval."""


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A product and what follows it.

    Parameters
    ----------
    name : str - ``conv1``, ``dense2``: also the name of the product's node
    product : Layer - a RBOConv2d, RBOLinear or BinaryHead
    between : tuple of Layer - batch norms and max pools before the activation, in their order; empty for the head
    after : tuple of Layer - max pools after the activation
    channel_first : bool - a dense layer whose columns count (channel, height, width), after torch.nn.Flatten
    """

    name: str
    product: Layer
    between: tuple[Layer, ...] = ()
    after: tuple[Layer, ...] = ()
    channel_first: bool = False

    @property
    def pools(self) -> tuple[Layer, ...]:
        """All max pools of the stage, before and after the activation."""
        return (
            *(layer for layer in self.between if isinstance(layer.module, nn.MaxPool2d)),
            *self.after,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """A whole network: how its pixels become bits, its stages, and the head.

    Parameters
    ----------
    encoding : Layer or None - an InputBinarise or InputThermometer; without one the first product reads the pixels
    input_pools : tuple of Layer - max pools of the encoded pixels
    stages : tuple of Stage
    head : Stage
    """

    encoding: Layer | None
    input_pools: tuple[Layer, ...]
    stages: tuple[Stage, ...]
    head: Stage


def pool_size(layer: Layer) -> int:
    """The size of a max pool whose squares lie side by side. Raises UnsupportedLayerError for any other pool."""
    pool = layer.module
    size, stride = _pair(pool.kernel_size), _pair(pool.stride)
    if (
        size[0] != size[1]
        or stride != size
        or _pair(pool.padding) != (0, 0)
        or _pair(pool.dilation) != (1, 1)
        or pool.ceil_mode
        or pool.return_indices
    ):
        raise UnsupportedLayerError(
            f"layer {layer}: {pool.extra_repr()} is not a pool of squares side by side",
            "Use MaxPool2d(size): stride equal to size, no padding, no dilation, ceil_mode=False.",
        )
    return size[0]


def group_stages(layers: tuple[Layer, ...]) -> Chain:
    """Group a chain's layers into stages.

    Raises
    ------
    UnsupportedLayerError - a layer that is not supported, or that stands where it has no meaning in integers (both are named)
    """
    for layer in layers:
        _check_supported(layer)
    rest = [layer for layer in layers if not isinstance(layer.module, IDLE)]
    encoded = rest and isinstance(rest[0].module, InputBinarise | InputThermometer)
    encoding = rest.pop(0) if encoded else None
    input_pools = _take(rest, nn.MaxPool2d) if encoding else ()
    stages: list[Stage] = []
    flatten: Layer | None = None
    before = encoding
    while rest:
        if isinstance(rest[0].module, ChannelLastFlatten | nn.Flatten) and flatten is None:
            flatten = before = rest.pop(0)
            continue
        stage = _stage(rest, flatten, stages, before)
        if isinstance(stage.product.module, BinaryHead):
            if rest:
                raise _misplaced(rest[0], stage.product)
            return Chain(encoding, input_pools, tuple(stages), stage)
        stages.append(stage)
        before = stage.product
    raise UnsupportedLayerError("the network does not end with a BinaryHead", ORDER)


def _stage(
    rest: list[Layer], flatten: Layer | None, stages: list[Stage], before: Layer | None
) -> Stage:
    """Takes the layers of the next stage off `rest`."""
    product = rest.pop(0)
    if isinstance(product.module, RBOConv2d):
        if flatten is not None:
            raise _misplaced(product, flatten)
        kind = "conv"
    elif isinstance(product.module, RBOLinear | BinaryHead):
        kind = "dense"
    else:
        raise _misplaced(product, before)
    number = 1 + sum(stage.name.startswith(kind) for stage in stages)
    # Only the first dense layer reads the flattened image.
    first = kind == "dense" and number == 1
    channel_first = first and flatten is not None and isinstance(flatten.module, nn.Flatten)
    if isinstance(product.module, BinaryHead):
        return Stage("head", product, channel_first=channel_first)
    between = _take(rest, nn.BatchNorm1d | nn.BatchNorm2d | nn.MaxPool2d)
    if not rest or not isinstance(rest[0].module, BinaryActivation):
        last = (product, *between)[-1]
        if not rest:
            raise UnsupportedLayerError(
                f"the network ends with layer {last}, not with a BinaryHead", ORDER
            )
        raise _misplaced(rest[0], last)
    rest.pop(0)
    return Stage(f"{kind}{number}", product, between, _take(rest, nn.MaxPool2d), channel_first)


def _take(rest: list[Layer], kinds: type | object) -> tuple[Layer, ...]:
    """Takes the leading layers of `kinds` off `rest`."""
    taken = []
    while rest and isinstance(rest[0].module, kinds):  # type: ignore[arg-type]
        taken.append(rest.pop(0))
    return tuple(taken)


def _check_supported(layer: Layer) -> None:
    module = layer.module
    supported = (
        InputBinarise, InputThermometer, RBOConv2d, RBOLinear, BinaryHead, nn.BatchNorm1d, nn.BatchNorm2d, nn.MaxPool2d, BinaryActivation,
        ChannelLastFlatten, nn.Flatten, *IDLE,
    )  # fmt: skip
    if not isinstance(module, supported):
        raise UnsupportedLayerError(
            f"layer {layer} cannot be lowered", f"Supported layers: {SUPPORTED}."
        )
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.running_mean is None:
        raise UnsupportedLayerError(
            f"layer {layer} has no running statistics, so its result depends on the other images",
            "Train it with track_running_stats=True.",
        )
    if isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) != (1, -1):
        raise UnsupportedLayerError(
            f"layer {layer} flattens axes {module.start_dim} to {module.end_dim}",
            "Flatten everything but the batch: start_dim=1, end_dim=-1.",
        )


def _misplaced(layer: Layer, before: Layer | None) -> UnsupportedLayerError:
    place = f"after {before}" if before else "at the start"
    return UnsupportedLayerError(f"layer {layer} cannot stand {place}", ORDER)


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)  # type: ignore[return-value]
