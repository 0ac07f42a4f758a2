"""What decides the bits of a training beside its experiment: how many processes, which kind of device, which PyTorch, which images."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ..errors import CheckpointError
from .distributed import Ranks

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a training runs. Threads and precision belong to the experiment.

    Parameters
    ----------
    processes : int
    device : str - ``cpu`` or ``cuda``
    torch : str - version of PyTorch
    images : str - SHA-256 of the training set: pictures of one's own may change between two parts of a training
    """

    processes: int
    device: str
    torch: str
    images: str

    @classmethod
    def of(cls, ranks: Ranks, images: str) -> Surroundings:
        return cls(ranks.size, ranks.device.type, str(torch.__version__), images)

    def results(self) -> dict[str, Any]:
        """For a checkpoint's metadata."""
        return asdict(self)

    def check(self, results: Mapping[str, Any], path: Path, *, warns: bool) -> None:
        """Whether a training whose state has these results goes on to the same bits here; what a file does not say is taken as equal.

        Parameters
        ----------
        results : Mapping - of the checkpoint at `path`
        warns : bool - log a warning where the version of PyTorch is another one

        Raises
        ------
        CheckpointError - another number of processes, another kind of device, or other images
        """
        processes = results.get("processes", self.processes)
        if processes != self.processes:
            raise CheckpointError(
                f"{path}: a training by {_counted(processes)}, not by {self.processes}: its batches would be split in another way",
                f"Resume it {_started(processes)}, or train in another output folder.",
            )
        device = results.get("device", self.device)
        if device != self.device:
            raise CheckpointError(
                f"{path}: a training on {device}, not on {self.device}: its sums would be rounded in another way",
                f"Resume it {_placed(device)}, or train in another output folder.",
            )
        if results.get("images", self.images) != self.images:
            raise CheckpointError(
                f"{path}: a training on other images than those of the data set as it is now",
                "Resume it with the images that it began with, or train in another output folder.",
            )
        version = results.get("torch", self.torch)
        if version != self.torch and warns:
            logger.warning(
                "%s: made with PyTorch %s, goes on with %s: the bits may differ from those of a training that was never stopped",
                path,
                version,
                self.torch,
            )


def _counted(processes: object) -> str:
    return "1 process" if processes == 1 else f"{processes} processes"


def _started(processes: object) -> str:
    """How to start so many processes."""
    if processes == 1:
        return "without torchrun"
    return f"with 'torchrun --nproc-per-node {processes} -m rbonn.sw train ... --resume' (all machines together: {processes} processes)"


def _placed(device: object) -> str:
    """How to come onto a device of that kind."""
    if device == "cpu":
        return "with the environment variable CUDA_VISIBLE_DEVICES set to nothing"
    return "on a machine with a CUDA device"
