"""Folding of one layer: how much of its matrix is computed per cycle, and where its constants lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..network import Conv, Dense

Memory = Literal["block", "logic"]
WeightForm = Literal["block", "absorbed", "logic"]
WindowForm = Literal["sequential", "parallel"]
IntegerForm = Literal["whole", "planes"]


@dataclass(frozen=True, slots=True)
class Folding:
    """Folding of a matrix-vector layer.

    Parameters
    ----------
    pe : int - rows per cycle, divides MH
    simd : int - columns per cycle, divides MW
    weights : str - "block" (block RAM), "absorbed" (block RAM that counts the leaves of the popcount trees too) or "logic"
        (constants beside the XNOR)
    presets : str - "block" or "logic", for the accumulators' presets
    window : str - "sequential": one tap per transfer; "parallel": a convolution's whole window at once, where SIMD is a multiple of the channels
    integers : str - "whole" or "planes": integers times binary weights in one cycle, or bit by bit
    """

    pe: int
    simd: int
    weights: WeightForm = "block"
    presets: Memory = "logic"
    window: WindowForm = "sequential"
    integers: IntegerForm = "whole"


def divisors(number: int) -> list[int]:
    """All divisors, rising."""
    return [candidate for candidate in range(1, number + 1) if number % candidate == 0]


def window_lanes(node: Conv, simd: int) -> int:
    """Channels that a sliding window sends per cycle for a unit of `simd` columns: `simd` itself where it divides the channels."""
    channels = node.weights.shape[3]
    return simd if channels % simd == 0 else channels


def foldings(node: Conv | Dense) -> Iterator[tuple[int, int]]:
    """Foldings (pe, simd) that are worth considering.

    PE divides MH. SIMD divides MW; in a convolution it divides the channels or is a multiple of them, because others need
    wider converters and are never cheaper. (The hardware takes any that divides.)
    """
    mh, mw = node.matrix.shape
    for simd in divisors(mw):
        if isinstance(node, Conv):
            channels = node.weights.shape[3]
            if channels % simd and simd % channels:
                continue
        for pe in divisors(mh):
            yield pe, simd


def window_forms(node: Conv | Dense, simd: int) -> tuple[WindowForm, ...]:
    """Windows that can feed a unit of `simd` columns: all taps at once only where it takes whole taps, and where there are several."""
    if isinstance(node, Dense) or node.kernel == (1, 1) or simd % node.weights.shape[3]:
        return ("sequential",)
    return ("sequential", "parallel")
