"""Weights and nodes of a stage's product: signs of the latent weights, or 8-bit integers, in the graph's order."""

from __future__ import annotations

import numpy as np
import torch

from ..network import Bipolar, Conv, Dense, EdgeType, Int
from ..train.layers import Int8Conv2d, RBOConv2d
from .stages import Stage


def stage_weights(stage: Stage, x: EdgeType) -> np.ndarray:
    """int8 (out, kernel row, kernel column, in) of a convolution, (out, in) of a dense layer: +1 and -1, or the integers of an `Int8Conv2d`.

    A dense layer behind a flatten that counts (channel, height, width) gets its columns in the order (height, width, channel) of the
    edge `x` that it reads.
    """
    with torch.no_grad():
        layer = stage.product.module
        values = layer.integer_weight() if isinstance(layer, Int8Conv2d) else layer.binary_weight
        weights = values.to(torch.int8)
    if weights.ndim == 4:
        weights = weights.permute(0, 2, 3, 1)
    elif stage.channel_first:
        height, width, channels = x.shape
        weights = weights.reshape(-1, channels, height, width).permute(0, 2, 3, 1).flatten(1)
    return np.ascontiguousarray(weights.numpy())


def product_node(stage: Stage, weights: np.ndarray, edge: str) -> Conv | Dense:
    """The product of `stage` with `weights`, reading `edge`."""
    layer = stage.product.module
    if isinstance(layer, RBOConv2d | Int8Conv2d):
        weight_type = Bipolar() if isinstance(layer, RBOConv2d) else Int(8)
        return Conv(
            stage.name, (edge,), weights, weight_type, layer.stride, layer.padding, layer.pad_value
        )
    return Dense(stage.name, (edge,), weights, Bipolar())


def negate(weights: np.ndarray, complement: np.ndarray) -> np.ndarray:
    """`weights` with the rows (first axis) negated where `complement` (out,) says so, int8."""
    return np.where(complement.reshape(-1, *(1,) * (weights.ndim - 1)), -weights, weights)
