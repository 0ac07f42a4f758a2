"""Several processes as one training: what `torchrun` starts, over torch.distributed and DistributedDataParallel.

Each process takes its slice of every batch. Gradients are averaged before the optimiser's step, whose hooks make the recurrent one, so that all
processes hold the same weights, gains and scale factors. Batch norms see the slice of their own process, as the usual engine has it.
The first process alone writes files and shows progress; the folder of a resumed training has to be visible to all.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed import Store  # pyright: ignore[reportPrivateImportUsage]
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from ..errors import RbonnError

_LOCAL_BUFFERS: dict[str, Any] = (
    {"forward_sync_buffers": False}
    if "forward_sync_buffers" in signature(DistributedDataParallel).parameters
    else {"broadcast_buffers": False}  # its name before PyTorch 2.13
)
"""Statistics of batch norms are found again before each use, and the layers' own buffers agree by themselves."""


_ERROR = "rbonn.error"
_PATIENCE_SECONDS = 5.0
"""Processes come to the same error at about the same time."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """The place of this process among those of a training.

    Parameters
    ----------
    rank, size : int - number of this process, and how many there are
    device : torch.device - where this process computes
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def slice(self, values: Tensor) -> Tensor:
        """The contiguous part of `values`, that is this process's; their number is a multiple of `size`."""
        n = len(values) // self.size
        return values[self.rank * n : (self.rank + 1) * n]

    def sums(self, values: Sequence[float]) -> list[float]:
        """`values` added up over all processes, in float64."""
        if self.size == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(total)
        return total.tolist()

    def any(self, flag: bool) -> bool:
        """Whether `flag` holds in any process: all of them learn it at the same place."""
        return self.sums([flag])[0] > 0

    def first(self, finding: str | None) -> str | None:
        """What the first process found that found anything; None where none did. All processes learn it at the same place."""
        findings: list[str | None] = [finding] * self.size
        if self.size > 1:
            distributed.all_gather_object(findings, finding)
        return next((found for found in findings if found is not None), None)

    def wrap(self, network: nn.Module, *, some_unused: bool) -> nn.Module:
        """A module that computes as `network` and averages the gradients over all processes; `network` itself in a single process.

        `some_unused`: not every parameter gets a gradient in every step.
        """
        if self.size == 1:
            return network
        return DistributedDataParallel(
            network,
            device_ids=[self.device] if self.device.type == "cuda" else None,
            **_LOCAL_BUFFERS,
            find_unused_parameters=some_unused,
        )


def is_main_process() -> bool:
    """Whether this process is the first of those that torchrun started, or the only one."""
    return int(os.environ.get("RANK", "0")) == 0


def unsynchronised(module: nn.Module, *, last: bool) -> Any:
    """Context for the backward pass of one part of a step: gradients are averaged once, with the `last` part."""
    if isinstance(module, DistributedDataParallel) and not last:
        return module.no_sync()
    return nullcontext()


@contextmanager
def joined() -> Iterator[Ranks]:
    """Joins the processes that torchrun started (gloo on CPUs, NCCL on CUDA), and leaves them when the block ends.

    Without torchrun this is one process, on the first CUDA device where there is one.

    Raises
    ------
    RbonnError - of the block; SystemExit(1) instead where the first process raises the same one, so that one of them prints it
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    if size == 1:
        yield Ranks(device=device)
        return
    store, rank, size = next(iter(rendezvous("env://")))
    backend = "nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, store=store, rank=rank, world_size=size)
    try:
        with _said_once(store, rank):
            yield Ranks(rank, size, device)
    finally:
        # Reducers of networks that are gone, but for a cycle of references, use the group when they end: before it does.
        gc.collect()
        distributed.destroy_process_group()


@contextmanager
def _said_once(store: Store, rank: int) -> Iterator[None]:
    """An error that the first process raises, too, ends the others with the same exit status, but without its line.

    Through the store, not a collective operation: the others may be in one, where one process alone fails.
    """
    try:
        yield
    except RbonnError as error:
        if rank == 0:
            store.set(_ERROR, error.message)
        elif _raised_by_first(store) == error.message:
            raise SystemExit(1) from error
        raise


def _raised_by_first(store: Store) -> str | None:
    """The message of the first process's error; None where it does not fail soon."""
    end = time.monotonic() + _PATIENCE_SECONDS
    try:
        while not store.check([_ERROR]):  # waiting for it would print a warning
            if time.monotonic() >= end:
                return None
            time.sleep(0.05)
        return store.get(_ERROR).decode()
    except distributed.DistError:  # the store went with the first process
        return None
