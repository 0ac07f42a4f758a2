"""The two branches of every residual block give the same shape, before anything is lowered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import UnsupportedLayerError
from ..train.networks.block import Block

if TYPE_CHECKING:
    from .trace import Layer


def check_skips(layers: tuple[Layer, ...], x: Tensor) -> None:
    """Runs `layers` on a batch up to the last block, and compares the shapes before each addition; torch alone would broadcast some.

    Raises
    ------
    UnsupportedLayerError - a skip connection of another shape than the convolution beside it
    """
    n_blocks = sum(isinstance(layer.module, Block) for layer in layers)
    with torch.no_grad():
        for layer in layers:
            if not n_blocks:
                return
            if isinstance(layer.module, Block):
                n_blocks -= 1
                _check_block(layer, x)
            x = layer.module(x)


def _check_block(layer: Layer, x: Tensor) -> None:
    block = layer.module
    product, shortcut = block.norm(block.product(block.sign(x))), block.shortcut(x)
    if product.shape != shortcut.shape:
        raise UnsupportedLayerError(
            f"layer {layer}: its skip connection gives {_size(shortcut)}, its convolution {_size(product)}",
            "Both must have one height, width and number of channels: a stride of 2 needs an even height and width.",
        )


def _size(x: Tensor) -> str:
    channels, height, width = x.shape[1:]
    return f"{height}x{width}x{channels}"
