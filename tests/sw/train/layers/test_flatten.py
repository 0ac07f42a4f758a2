"""The order of flattened features."""

import numpy as np
import torch
from rbonn.sw.train.layers import ChannelLastFlatten


def test_channels_are_fastest():
    x = torch.arange(24).reshape(1, 2, 3, 4)
    expected = x.numpy().transpose(0, 2, 3, 1).reshape(1, -1)
    assert np.array_equal(ChannelLastFlatten()(x).numpy(), expected)
