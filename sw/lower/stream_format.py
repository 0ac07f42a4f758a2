"""Fourth pass of residual networks: one fixed-point format for the residual stream, from ranges measured on calibration images."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import UnsupportedLayerError
from ..network import Int
from .fixed_point import MULTIPLIER_LIMIT, bits_needed
from .merged_run import run_merged
from .residual_form import MergedNetwork

STREAM_MARGIN = 1 / 8
"""The format chosen holds values larger by this part than the largest that was measured."""
MOST_FRACTION = 24
_BATCH = 50


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """What may be chosen about the numbers of a residual network.

    Parameters
    ----------
    stream_bits : int - width of the residual stream, 4 to 24
    stream_fraction : int or None - fractional bits of it, -16 to 24; None: as many as the measured ranges allow, with `STREAM_MARGIN`
    head_bits : int - width of the averages that the last layer reads, 2 to 16

    Raises
    ------
    ValueError - a number out of its range
    """

    stream_bits: int = 16
    stream_fraction: int | None = None
    head_bits: int = 8

    def __post_init__(self) -> None:
        for name, value, lowest, highest in (
            ("Stream bits", self.stream_bits, 4, 24),
            ("Stream fraction", self.stream_fraction, -16, MOST_FRACTION),
            ("Head bits", self.head_bits, 2, 16),
        ):
            if value is not None and not lowest <= value <= highest:
                raise ValueError(f"{name} must be {lowest} to {highest}, not {value!r}")


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """An integer S of `bits` bits, two's complement, that stands for ``S 2^-fraction``."""

    bits: int
    fraction: int

    @property
    def datatype(self) -> Int:
        return Int(self.bits)

    @property
    def scale(self) -> float:
        """Integers per unit of the trained network."""
        return 2.0**self.fraction


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """What the calibration images reach.

    Parameters
    ----------
    stream : dict of str to float - largest magnitude on each edge that has the stream's format
    lowest, highest : (channels,) float64 - of the averages that the head reads
    n_images : int
    """

    stream: dict[str, float]
    lowest: np.ndarray
    highest: np.ndarray
    n_images: int


def measure_ranges(network: MergedNetwork, images: np.ndarray) -> Ranges:
    """The ranges of all real-valued edges over `images` (n, height, width, channels), raw pixels, n at least 1."""
    stream: dict[str, float] = {}
    lowest, highest = np.float64(math.inf), np.float64(-math.inf)
    for start in range(0, len(images), _BATCH):
        batch = torch.from_numpy(np.array(images[start : start + _BATCH]))
        edges = run_merged(network, batch.permute(0, 3, 1, 2).double())
        del edges["scores"]
        average = edges.pop("average").numpy()
        lowest = np.minimum(lowest, average.min(axis=0))
        highest = np.maximum(highest, average.max(axis=0))
        for name, values in edges.items():
            stream[name] = max(stream.get(name, 0.0), float(values.abs().max()))
    return Ranges(stream, np.asarray(lowest), np.asarray(highest), len(images))


def choose_format(ranges: Ranges, wanted: FixedPoint, largest_scale: float = 0.0) -> StreamFormat:
    """The stream's format: the wanted one where it holds the ranges, or the finest of the wanted width that does, with the margin.

    Parameters
    ----------
    ranges : Ranges
    wanted : FixedPoint
    largest_scale : float - of the lines that lead from integer sums to the stream: times ``2^fraction`` it has to fit a multiplier

    Raises
    ------
    UnsupportedLayerError - the wanted fraction leaves too few bits (the edge, needed and given bits are named), or no fraction fits
    """
    bits, fraction = wanted.stream_bits, wanted.stream_fraction
    edge, largest = max(ranges.stream.items(), key=lambda item: item[1])
    if fraction is None:
        reach = (1 + STREAM_MARGIN) * largest / Int(bits).maximum
        finest = max(reach, largest_scale / MULTIPLIER_LIMIT, 2.0**-MOST_FRACTION)
        return StreamFormat(bits, math.floor(-math.log2(finest)))
    needed = bits_needed(largest, fraction)
    if needed > bits:
        raise UnsupportedLayerError(
            f"edge {edge} reaches {largest:.4g}, which needs {needed} bits with {fraction} fractional bits; the stream has {bits}",
            f"Choose a fraction of at most {fraction - needed + bits}, or at least {needed} bits.",
        )
    return StreamFormat(bits, fraction)
