"""The roofline of a board: how fast its lookup tables and block RAMs could be at best, and where a plan stands below that.

Operations are of one bit: a multiply-accumulate of an activation of a bits and a weight of w bits is 2 a w of them, XNOR or AND and addition counted apart, as
FINN does. With P = 2 * (lookup tables that may be planned) / (lookup tables per lane) * clock and B = (block RAMs) * (bits of the widest port) * clock, a
network that does I operations for each weight bit that it reads from block RAM is at most min(P, I * B) operations per second fast.

Weights in logic or LUT RAM are read without block RAM, so I counts none of them; I is infinite where all are. B leaves out that image rows and
presets lie in block RAM too, so it is a bound and no promise.

References
----------
S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model for multicore architectures", CACM 52 (4), 2009.
Y. Umuroglu et al., "FINN: a framework for fast, scalable binarized neural network inference", FPGA 2017: the same for binary operations and lookup tables.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...boards.board import Board
from ...hw.leaf_memory import LeafMemoryConfig
from ...hw.matrix_vector_layer import MatrixVectorLayerConfig
from ..build.elaborate import Elaboration
from ..network import Conv, Dense, Network
from .resources import BLOCK_RAM_SHAPES

LUTS_PER_LANE = {"ice40": 1.906, "ecp5": 1.187}
"""Lookup tables of a complete unit for each lane of its array, the least that was measured (docs/results.md: 8 x 32 with weights in logic on iCE40,
16 x 64 with absorbed leaves on ECP5)."""

OPERATIONS_PER_LANE = 2
"""Of a lane in a cycle."""


@dataclass(frozen=True, slots=True)
class Roofline:
    """A board at a clock, and a plan on it.

    Members
    -------
    peak_operations_per_second : float - P
    weight_bits_per_second : float - B
    operations_per_frame, weight_bits_per_frame : int - of the network; read from block RAM
    operations_per_weight_bit : float or None - I, None where no weights are read from block RAM
    attainable_operations_per_second : float - min(P, I * B)
    operations_per_second : float - of the plan
    """

    peak_operations_per_second: float
    weight_bits_per_second: float
    operations_per_frame: int
    weight_bits_per_frame: int
    operations_per_weight_bit: float | None
    attainable_operations_per_second: float
    operations_per_second: float

    @property
    def share(self) -> float:
        """Part of what is attainable that the plan reaches."""
        return self.operations_per_second / self.attainable_operations_per_second

    @property
    def roof(self) -> str:
        """What the roof above the network is made of: "lookup tables" or "block RAMs"."""
        is_flat = self.attainable_operations_per_second == self.peak_operations_per_second
        return "lookup tables" if is_flat else "block RAMs"


def roofline(network: Network, board: Board, elaboration: Elaboration, clock_hz: float) -> Roofline:
    """Where a network's accelerator stands on a board at a clock."""
    lanes = board.capacity.lut4_budgets[-1] / LUTS_PER_LANE[board.family]
    peak = OPERATIONS_PER_LANE * lanes * clock_hz
    widest = max(width for width, _ in BLOCK_RAM_SHAPES[board.family])
    bandwidth = board.capacity.block_rams * widest * clock_hz
    layers = [
        stage.config
        for stage in elaboration.config.stages
        if isinstance(stage.config, MatrixVectorLayerConfig)
    ]
    weight_bits = sum(map(_weight_bits_read, layers))
    operations = operations_per_frame(network)
    intensity = operations / weight_bits if weight_bits else None
    attainable = peak if intensity is None else min(peak, intensity * bandwidth)
    return Roofline(
        peak_operations_per_second=peak,
        weight_bits_per_second=bandwidth,
        operations_per_frame=operations,
        weight_bits_per_frame=weight_bits,
        operations_per_weight_bit=intensity,
        attainable_operations_per_second=attainable,
        operations_per_second=operations * clock_hz / elaboration.config.interval_cycles,
    )


def operations_per_frame(network: Network) -> int:
    """One-bit operations of all products of one frame that the accelerator computes, padded taps included."""
    return sum(
        OPERATIONS_PER_LANE
        * network.edges[node.name].elements
        * node.matrix.shape[1]
        * node.weight_type.bits
        * network.edges[node.inputs[0]].datatype.bits
        for node in network.device_nodes
        if isinstance(node, Conv | Dense)
    )


def _weight_bits_read(layer: MatrixVectorLayerConfig) -> int:
    """Bits that a layer reads from its weights' block RAMs in a frame: a word for each transfer of the array, however often the same one comes."""
    unit, weights = layer.unit, layer.weights
    reads = unit.interval_cycles
    if isinstance(weights, LeafMemoryConfig):
        return reads * sum(width for _, width in weights.memory_shapes)
    return reads * weights.width if weights is not None and weights.memory == "block" else 0
