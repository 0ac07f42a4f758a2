"""The batches of an epoch, augmented and on the device, in an order that depends on (seed, epoch) alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from .augmentation import AugmentationConfig, augment
from .distributed import Ranks
from .evaluation import pixels
from .labelled_images import LabelledImages, epoch_order

_AHEAD = 3
"""Batches prepared while a CUDA device computes; a CPU has nothing to gain, since both would share its cores."""

Batch = tuple[Tensor, Tensor]
"""Images (batch, channels, height, width) float32 in channels-last order with pixels 0..255, and labels (batch,) int64."""


class Batches:
    """Batches of the training images.

    Parameters
    ----------
    images : LabelledImages
    augmentation : AugmentationConfig
    batch : int - images per step of all ranks together; what does not fill one at the end of an epoch is left out
    seed : int
    ranks : Ranks - each gets its slice, on its device
    """

    def __init__(
        self,
        images: LabelledImages,
        augmentation: AugmentationConfig,
        *,
        batch: int,
        seed: int,
        ranks: Ranks,
    ) -> None:
        self._images = images
        self._augmentation = augmentation
        self._batch = batch
        self._seed = seed
        self._ranks = ranks
        self.per_epoch = len(images) // batch

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """The batches of epoch `epoch`, counted from 0, without the first `first_step` of them."""
        order = epoch_order(len(self._images), self._seed, epoch)
        steps = (
            self._ranks.slice(order[step * self._batch : (step + 1) * self._batch])
            for step in range(first_step, self.per_epoch)
        )
        if self._ranks.device.type == "cpu":
            yield from (self._prepare(indices, epoch) for indices in steps)
            return
        with ThreadPoolExecutor(1) as worker:
            coming: deque[Future[Batch]] = deque()
            for indices in steps:
                coming.append(worker.submit(self._prepare, indices, epoch))
                if len(coming) > _AHEAD:
                    yield self._sent(coming.popleft().result())
            while coming:
                yield self._sent(coming.popleft().result())

    def _prepare(self, indices: Tensor, epoch: int) -> Batch:
        images = pixels(self._images.images[indices])
        if self._augmentation.active:
            images = augment(
                images, indices, config=self._augmentation, seed=self._seed, epoch=epoch
            )
        images = images.contiguous(memory_format=torch.channels_last)
        labels = self._images.labels[indices]
        if self._ranks.device.type == "cuda":
            return images.pin_memory(), labels.pin_memory()
        return images, labels

    def _sent(self, batch: Batch) -> Batch:
        """The batch on the device; the copy from pinned memory runs beside the computation."""
        images, labels = batch
        device = self._ranks.device
        return images.to(device, non_blocking=True), labels.to(device, non_blocking=True)
