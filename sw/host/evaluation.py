"""A board on a labelled data set: how often it is right, and how fast it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .device import Device

LATENCY_IMAGES = 100
"""Images that are sent one by one at most, to see how long an answer takes."""

PERCENTILES = {"least": 0, "median": 50, "p95": 95, "most": 100}


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What a board made of a data set.

    Parameters
    ----------
    labels : int (images,) - that the board gave
    confusion : int (classes, classes) - images by their class (row) and the board's (column)
    seconds : float - for all images, sent ahead, end to end
    line_share : float - of these seconds, part that the images' own bytes take on the line
    latency_ms : dict - of images sent one by one, from the call to the answer: ``least``, ``median``, ``p95``, ``most``
    core_frames_per_second : float or None - as the board counted without the line; None: it has no BENCHMARK
    retries : int - requests sent again
    """

    labels: np.ndarray
    confusion: np.ndarray
    seconds: float
    line_share: float
    latency_ms: dict[str, float]
    core_frames_per_second: float | None
    retries: int

    @property
    def images(self) -> int:
        return len(self.labels)

    @property
    def right(self) -> int:
        return int(np.trace(self.confusion))

    @property
    def accuracy(self) -> float:
        return self.right / self.images

    @property
    def frames_per_second(self) -> float:
        """Images per second, end to end."""
        return self.images / self.seconds


def evaluate(
    device: Device,
    images: np.ndarray,
    labels: np.ndarray,
    progress: Callable[[str, int, int], None] | None = None,
) -> Evaluation:
    """Sends all images, then some of them one by one, then asks for a BENCHMARK.

    Parameters
    ----------
    images : uint8 (images, height, width, channels) - raw, at least one
    labels : int (images,)
    progress : called with (what, done, of)

    Raises
    ------
    DeviceError, InputFileError - as `Device.infer_many`
    """
    given = np.empty(len(images), np.int64)
    start = time.perf_counter()
    for k, answer in enumerate(device.infer_many(images)):
        given[k] = answer.label
        if progress:
            progress("images", k + 1, len(images))
    seconds = time.perf_counter() - start

    latencies_ms = []
    for image in images[:LATENCY_IMAGES]:
        before = time.perf_counter()
        device.infer(image)
        latencies_ms.append(1e3 * (time.perf_counter() - before))
        if progress:
            progress("latency", len(latencies_ms), min(len(images), LATENCY_IMAGES))

    info = device.info
    confusion = np.zeros((info.n_classes, info.n_classes), np.int64)
    np.add.at(confusion, (labels.astype(np.int64), given), 1)
    line_s = len(images) * info.image_bytes / device.transport.bytes_per_second
    return Evaluation(
        labels=given,
        confusion=confusion,
        seconds=seconds,
        line_share=line_s / seconds,
        latency_ms={
            name: float(np.percentile(latencies_ms, percent))
            for name, percent in PERCENTILES.items()
        },
        core_frames_per_second=device.benchmark().frames_per_second if info.benchmark else None,
        retries=device.retries,
    )
