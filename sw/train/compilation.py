"""Faster training steps: torch.compile where it can work, and mixed precision."""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from .experiment import TrainingConfig

logger = logging.getLogger(__name__)


def compiled(network: nn.Module, config: TrainingConfig, device: torch.device) -> nn.Module:
    """`network` compiled, sharing its parameters; `network` itself where the experiment does not ask for it, or no C++ compiler is there."""
    if not config.compile:
        return network
    if device.type == "cpu" and not has_compiler():
        logger.warning("No C++ compiler: training.compile is left out, steps take longer")
        return network
    return torch.compile(network, dynamic=False)  # type: ignore[return-value]


def has_compiler() -> bool:
    """Whether torch.compile finds the C++ compiler that it needs on a CPU."""
    return shutil.which(os.environ.get("CXX", "g++")) is not None


def mixed_precision(config: TrainingConfig, device: torch.device) -> AbstractContextManager[object]:
    """Context in which products are taken as the experiment's precision has it; parameters and gradients stay in float32."""
    if config.precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)
