"""Fixtures of the networks' tests."""

import pytest
import torch
from torch import nn


def disturb(network: nn.Module) -> None:
    """Gives every parameter and statistic a value of its own, so that no two roles can be confused; positive ones stay so."""
    with torch.no_grad():
        for name, tensor in (*network.named_parameters(), *network.named_buffers()):
            if not tensor.is_floating_point():
                continue
            if name.endswith(("running_var", "scale")):
                tensor.copy_(0.5 + torch.rand(tensor.shape))
            elif tensor.ndim == 1 and name.endswith("weight"):  # of a batch norm
                tensor.copy_(torch.where(torch.rand(tensor.shape) < 0.3, -1.0, 1.0))
                tensor.mul_(0.5 + torch.rand(tensor.shape))
            elif tensor.ndim <= 1:
                tensor.add_(0.3 * torch.randn(tensor.shape))


@pytest.fixture
def disturbed():
    return disturb
