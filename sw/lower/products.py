"""Weights and nodes of a stage's product: signs of the latent weights, in the graph's order."""

from __future__ import annotations

import numpy as np
import torch

from ..network import Bipolar, Conv, Dense, EdgeType
from ..train.layers import RBOConv2d
from .stages import Stage


def stage_weights(stage: Stage, x: EdgeType) -> np.ndarray:
    """+1 and -1 as int8: (out, kernel row, kernel column, in) of a convolution, (out, in) of a dense layer.

    A dense layer behind a flatten that counts (channel, height, width) gets its columns in the order (height, width, channel) of the
    edge `x` that it reads.
    """
    with torch.no_grad():
        weights = stage.product.module.binary_weight.to(torch.int8)
    if weights.ndim == 4:
        weights = weights.permute(0, 2, 3, 1)
    elif stage.channel_first:
        height, width, channels = x.shape
        weights = weights.reshape(-1, channels, height, width).permute(0, 2, 3, 1).flatten(1)
    return np.ascontiguousarray(weights.numpy())


def product_node(stage: Stage, weights: np.ndarray, edge: str) -> Conv | Dense:
    """The product of `stage` with `weights`, reading `edge`."""
    layer = stage.product.module
    if isinstance(layer, RBOConv2d):
        return Conv(
            stage.name, (edge,), weights, Bipolar(), layer.stride, layer.padding, layer.pad_value
        )
    return Dense(stage.name, (edge,), weights, Bipolar())


def negate(weights: np.ndarray, complement: np.ndarray) -> np.ndarray:
    """`weights` with the rows (first axis) negated where `complement` (out,) says so, int8."""
    return np.where(complement.reshape(-1, *(1,) * (weights.ndim - 1)), -weights, weights)
