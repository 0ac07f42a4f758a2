"""Flattening in the order of the hardware's streams."""

from __future__ import annotations

from torch import Tensor, nn


class ChannelLastFlatten(nn.Module):
    """(batch, channel, height, width) to (batch, height * width * channel), channels fastest: the order of the hardware's streams."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1).flatten(1)
