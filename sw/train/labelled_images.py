"""Labelled images as tensors, and how those of a training set are shared out: held out, selection, training."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..datasets import Split
from ..errors import ExperimentError
from .augmentation import hash_integers
from .experiment import TrainingConfig


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImages:
    """`images` (n, height, width, channels) uint8 and `labels` (n,) int64, as tensors."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def of(cls, split: Split) -> LabelledImages:
        """A copy of a data set's arrays."""
        return cls(
            torch.from_numpy(split.images.copy()), torch.from_numpy(split.labels.astype(np.int64))
        )

    def part(self, indices: Tensor) -> LabelledImages:
        return LabelledImages(self.images[indices], self.labels[indices])

    def fingerprint(self) -> str:
        """SHA-256 of images and labels, in hexadecimal."""
        digest = hashlib.sha256(str(tuple(self.images.shape)).encode())
        for values in (self.images, self.labels):
            digest.update(values.contiguous().numpy().data)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class TrainingParts:
    """A training set in three parts: `held_out` judges, `selection` chooses the best epoch, `training` is learned from."""

    held_out: LabelledImages
    selection: LabelledImages
    training: LabelledImages


def share_out(images: LabelledImages, config: TrainingConfig) -> TrainingParts:
    """Draws the parts by the seed; the held-out images do not depend on the size of the selection.

    Raises
    ------
    ExperimentError - no whole batch is left for training
    """
    apart = config.held_out + config.selection
    if len(images) - apart < config.batch:
        raise ExperimentError(
            f"training: {len(images)} images are too few for {config.held_out} held out, {config.selection} for selection and batches of "
            f"{config.batch}",
            "Make held_out, selection or batch smaller.",
        )
    order = torch.randperm(len(images), generator=generator(config.seed, 0))
    return TrainingParts(
        images.part(order[: config.held_out]),
        images.part(order[config.held_out : apart]),
        images.part(order[apart:]),
    )


def epoch_order(n_images: int, seed: int, epoch: int) -> Tensor:
    """The order of the training images in an epoch, counted from 0: (n_images,) int64."""
    return torch.randperm(n_images, generator=generator(seed, epoch + 1))


def generator(seed: int, stream: int) -> torch.Generator:
    """A generator of its own for each (seed, stream): stream 0 shares the images out, stream n orders epoch n."""
    return torch.Generator().manual_seed(hash_integers(seed, stream))
