"""What follows from a plan: cycles, frames per second and cost, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from ...boards.board import Board
from ..build.device_forms import device_forms
from ..build.elaborate import Elaboration, elaborate
from ..network import Conv, Dense, Network
from .amounts import amounts
from .costs import LINK, Resources, accelerator_cost, stages_cost
from .cycles import cycles_of
from .plan import AcceleratorPlan
from .proof import Proof


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """One row of the plan's table: a node of the graph with all stages that serve it.

    Members
    -------
    name, kind : str - of the node; the row "link" is what lies between UART and accelerator
    mh, mw, pe, simd : int or None - matrix and folding, None for nodes without a matrix
    cycles_per_frame : int - interval of the layer's slowest stage
    lut4, block_rams : int - estimated
    """

    name: str
    kind: str
    mh: int | None
    mw: int | None
    pe: int | None
    simd: int | None
    cycles_per_frame: int
    lut4: int
    block_rams: int


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """A plan with its consequences.

    Members
    -------
    network, board : str
    clock_hz : int
    layers : tuple of LayerSummary - in the order of the stream
    initiation_interval_cycles : int - cycles from frame to frame at full rate, the mean rounded up where frames differ
    latency_cycles : int - cycles from the first byte of the first frame to its last score, nothing stalling from outside
    cycles_are_exact : bool - both are those of every simulation; otherwise no accelerator is faster, see `cycles_of`
    frames_per_second : float - clock / interval
    totals : Resources - estimated
    proof : Proof or None - how good the plan is known to be; None where nothing is, or of a plan file that was changed or estimated otherwise
    """

    network: str
    board: str
    clock_hz: int
    layers: tuple[LayerSummary, ...]
    initiation_interval_cycles: int
    latency_cycles: int
    cycles_are_exact: bool
    frames_per_second: float
    totals: Resources
    proof: Proof | None = None


def summarise(
    network: Network, plan: AcceleratorPlan, board: Board, elaboration: Elaboration | None = None
) -> PlanSummary:
    """Cycles and costs of `plan`, read off the accelerator that it describes."""
    elaboration = elaboration or elaborate(network, plan.foldings, device_forms(board))
    config = elaboration.config
    layers = []
    for node in network.device_nodes:
        stages = [
            stage.config
            for stage in config.stages
            if elaboration.layer_of_stage[stage.name] == node.name
        ]
        if not stages:
            continue  # absorbed by the unit before it
        cost = stages_cost(stages, board.family)
        folding = plan.foldings.get(node.name)
        mh, mw = node.matrix.shape if isinstance(node, Conv | Dense) else (None, None)
        layers.append(
            LayerSummary(
                node.name,
                node.kind,
                mh,
                mw,
                folding.pe if folding else None,
                folding.simd if folding else None,
                max(stage.interval_cycles for stage in stages),
                cost.lut4,
                cost.block_rams,
            )
        )
    layers.append(
        LayerSummary("link", "Link", None, None, None, None, 0, LINK.lut4, LINK.block_rams)
    )
    totals = LINK + stages_cost((stage.config for stage in config.stages), board.family)
    cycles = cycles_of(config)
    return PlanSummary(
        network=network.name,
        board=board.name,
        clock_hz=plan.clock_hz,
        layers=tuple(layers),
        initiation_interval_cycles=ceil(cycles.interval),
        latency_cycles=cycles.latency,
        cycles_are_exact=cycles.is_exact,
        frames_per_second=float(plan.clock_hz / cycles.interval),
        totals=totals,
        proof=_that_holds(plan.proof, elaboration, board),
    )


def _that_holds(proof: Proof | None, elaboration: Elaboration, board: Board) -> Proof | None:
    """`proof`, if it is of this accelerator."""
    if proof is None:
        return None
    cells = amounts(accelerator_cost(elaboration.config, board.family))[0]
    reached = elaboration.config.interval_cycles if proof.goal == "cycles" else cells
    return proof if proof.reached == reached else None
