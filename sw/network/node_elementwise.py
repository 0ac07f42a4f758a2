"""Nodes that treat every element by itself, or two that lie at the same place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .datatypes import Bipolar, DataType, Int
from .node import EdgeType, Node, require, require_integers


@dataclass(frozen=True, slots=True, eq=False)
class Binarise(Node):
    """``o = +1 if x >= threshold else -1``, one threshold for the whole edge: raw pixels to bits."""

    threshold: int

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        require_integers(x)
        return EdgeType(Bipolar(), x.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Thermometer(Node):
    """``o[..., c * levels + l] = +1 if x[..., c] >= thresholds[l] else -1``; thresholds (levels,) int64, rising."""

    thresholds: np.ndarray

    ARRAYS: ClassVar[tuple[str, ...]] = ("thresholds",)

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        require_integers(x)
        require(bool(np.all(np.diff(self.thresholds) > 0)), "thresholds must rise")
        height, width, channels = x.shape
        return EdgeType(Bipolar(), (height, width, channels * len(self.thresholds)))


@dataclass(frozen=True, slots=True, eq=False)
class Threshold(Node):
    """``o[..., c] = +1 if x[..., c] >= thresholds[c] else -1``; thresholds (channels,) int64."""

    thresholds: np.ndarray

    ARRAYS: ClassVar[tuple[str, ...]] = ("thresholds",)

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        require(
            self.thresholds.shape == x.shape[2:],
            f"{self.thresholds.shape} thresholds for {x.shape[2]} channels",
        )
        return EdgeType(Bipolar(), x.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Affine(Node):
    """``o[..., c] = saturate((x[..., c] * multipliers[c] + offsets[c] + half) >> shift)``, rounded towards +infinity on a tie.

    multipliers and offsets (channels,) int64; half is ``1 << (shift - 1)``, 0 when shift is 0; saturates to `output_type`.
    """

    multipliers: np.ndarray
    offsets: np.ndarray
    shift: int
    output_type: DataType

    ARRAYS: ClassVar[tuple[str, ...]] = ("multipliers", "offsets")

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        require(
            self.multipliers.shape == x.shape[2:],
            f"{self.multipliers.shape} multipliers for {x.shape[2]} channels",
        )
        require(
            self.offsets.shape == x.shape[2:],
            f"{self.offsets.shape} offsets for {x.shape[2]} channels",
        )
        require(0 <= self.shift <= 31, f"shift must be 0 to 31, not {self.shift}")
        require(bool(np.all(np.abs(self.multipliers) < 1 << 15)), "multipliers must fit 16 bits")
        return EdgeType(self.output_type, x.shape)


@dataclass(frozen=True, slots=True, eq=False)
class PReLU(Node):
    """``o[..., c] = x if x >= 0 else saturate((x * slopes[c] + half) >> shift)``, rounded towards +infinity on a tie.

    slopes (channels,) int64, of at most 16 bits, negative ones allowed; half is ``1 << (shift - 1)``, 0 when shift is 0; the output has the
    input's type, to which it saturates.
    """

    slopes: np.ndarray
    shift: int

    ARRAYS: ClassVar[tuple[str, ...]] = ("slopes",)

    def output(self, *inputs: EdgeType) -> EdgeType:
        (x,) = inputs
        require(
            isinstance(x.datatype, Int), f"input must be a signed integer edge, not {x.datatype}"
        )
        require(
            self.slopes.shape == x.shape[2:],
            f"{self.slopes.shape} slopes for {x.shape[2]} channels",
        )
        require(0 <= self.shift <= 31, f"shift must be 0 to 31, not {self.shift}")
        require(bool(np.all(np.abs(self.slopes) < 1 << 15)), "slopes must fit 16 bits")
        return x


@dataclass(frozen=True, slots=True, eq=False)
class Add(Node):
    """``o = saturate(a + b)``: the sum of two edges of equal shape and equal signed type, in that type."""

    N_INPUTS: ClassVar[int] = 2

    def output(self, *inputs: EdgeType) -> EdgeType:
        a, b = inputs
        require(a.shape == b.shape, f"shapes must be equal, not {a.shape} and {b.shape}")
        require(
            a.datatype == b.datatype and isinstance(a.datatype, Int),
            f"types must be one and the same signed integer, not {a.datatype} and {b.datatype}",
        )
        return a
