"""What a data set is: labelled images as NumPy arrays, in a training and a test split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Labelled images: `images` (n, height, width, channels) uint8, `labels` (n,) uint8."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A training and a test set with the names of the classes, label 0 first."""

    name: str
    class_names: tuple[str, ...]
    train: Split
    test: Split
