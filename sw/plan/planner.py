"""Chooses the folding of every layer: the fastest that fits the board, or the smallest that reaches a frame rate."""

from __future__ import annotations

from dataclasses import dataclass

from ...boards.board import Board
from ...hw.max_pool import MaxPoolConfig
from ...hw.width_converter import WidthConverterConfig
from ..build.device_forms import device_forms
from ..build.elaborate import elaborate
from ..build.layer import absorbed_by, layer_stages
from ..errors import DoesNotFitError, PlanError
from ..network import (
    Affine,
    Binarise,
    Conv,
    Dense,
    MaxPool,
    Network,
    Thermometer,
    Threshold,
)
from .costs import LINK, Resources, stage_cost
from .folding import Folding, foldings, window_lanes
from .plan import AcceleratorPlan

LUT4_SHARE = 0.8
"""Part of a device's lookup tables that a plan may fill by estimate: more is hard to route, and estimates err."""


@dataclass(frozen=True, slots=True)
class _Option:
    """One way to fold one layer."""

    folding: Folding
    cycles: int
    cost: Resources


def make_plan(
    network: Network,
    board: Board,
    *,
    clock_hz: int | None = None,
    frames_per_second: float | None = None,
) -> AcceleratorPlan:
    """The plan with the shortest interval that fits `board`; with `frames_per_second`, the cheapest that is fast enough.

    All layers get the cheapest folding that is not slower than a common limit; the limit is lowered as far as the board allows.
    Cheap means a small sum of the shares of the board's lookup tables and block RAMs.

    Raises
    ------
    DoesNotFitError - not even the slowest plan fits (the resource, how much it needs, how much there is)
    PlanError - the frame rate cannot be reached (the best that can)
    UnsupportedLayerError - see `elaborate`
    """
    clock_hz = board.clock_hz if clock_hz is None else clock_hz
    options = {
        node.name: _options(network, node, board)
        for node in network.device_nodes
        if isinstance(node, Conv | Dense)
    }
    fastest = max(_entrance_cycles(network), *(layer[0].cycles for layer in options.values()))
    limits = sorted({max(option.cycles, fastest) for layer in options.values() for option in layer})
    if frames_per_second is not None:
        limits = [limit for limit in limits if clock_hz / limit >= frames_per_second]
        if not limits:
            raise PlanError(
                f"{network.name} reaches at most {clock_hz / fastest:.0f} frames per second at {clock_hz / 1e6:g} MHz, "
                f"not {frames_per_second:g}",
                "Ask for fewer frames per second or a higher clock.",
            )
        limits = limits[-1:]  # slower is cheaper
    total = Resources()
    for limit in limits:
        chosen = {name: _cheapest(layer, limit) for name, layer in options.items()}
        chosen_foldings = {name: option.folding for name, option in chosen.items()}
        total = sum((option.cost for option in chosen.values()), start=LINK)
        if limit == limits[-1] or not _excess(total, board):  # worth adding what lies between
            total = total_cost(network, chosen_foldings, board)
        if not _excess(total, board):
            return AcceleratorPlan(
                network.name, network.hash(), board.name, clock_hz, chosen_foldings
            )
    raise DoesNotFitError(
        f"{network.name} does not fit {board.name}: {_excess(total, board)}",
        "Choose a larger board, a smaller network"
        + (", or fewer frames per second." if frames_per_second is not None else "."),
    )


def _entrance_cycles(network: Network) -> int:
    """Cycles per frame of what takes pixels one by one before the first layer, 1 where nothing does."""
    takes_pixels = isinstance(network.device_nodes[0], Binarise | Thermometer)
    return network.edges[network.device_input].elements if takes_pixels else 1


def total_cost(network: Network, chosen: dict[str, Folding], board: Board) -> Resources:
    """Estimated cost of the whole design, link included."""
    stages = elaborate(network, chosen, device_forms(board)).config.stages
    return sum((stage_cost(stage.config, board.family) for stage in stages), start=LINK)


def _options(network: Network, node: Conv | Dense, board: Board) -> list[_Option]:
    """All foldings of a layer that are worth considering, with their memories where they are cheapest."""
    consumer = absorbed_by(network, node)
    options = []
    for pe, simd in foldings(node):
        if pe * simd > board.capacity.lut4 // 2:
            continue
        for weights in ("block", "logic"):
            depth = node.matrix.size // (pe * simd)
            if (weights == "logic") != (depth <= 8):
                continue
            presets = "logic" if node.matrix.shape[0] // pe <= 32 else "block"
            folding = Folding(pe, simd, weights, presets)
            layer = layer_stages(network, node, consumer, folding, device_forms(board))
            stages = [config for _, config in layer.stages]
            if node is network.device_nodes[0]:
                lanes = window_lanes(node, simd) if isinstance(node, Conv) else simd
                edge = network.edges[network.device_input]
                stages.append(WidthConverterConfig(1, 8, lanes * edge.datatype.bits, edge.bits))
            if layer.unit.output == "sums" and pe > 1:  # scores leave one by one
                bits = layer.unit.element_bits
                stages.append(WidthConverterConfig(bits, pe, 1, layer.unit.mh))
            stages += _pool_behind(network, consumer, pe)
            cost = sum((stage_cost(config, board.family) for config in stages), start=Resources())
            options.append(_Option(folding, max(c.interval_cycles for c in stages), cost))
    return _pareto(options, board)


def _pool_behind(
    network: Network, consumer: Threshold | Affine | None, lanes: int
) -> list[MaxPoolConfig]:
    """The pool that takes a layer's bits as they come, `lanes` at a time, if there is one: it is as wide as the layer's PE."""
    if consumer is None:
        return []
    height, width, channels = network.edges[consumer.name].shape
    return [
        MaxPoolConfig(height, width, channels, 1, lanes, node.size)
        for node in network.consumers(consumer.name)
        if isinstance(node, MaxPool)
    ]


def _pareto(options: list[_Option], board: Board) -> list[_Option]:
    """Options for which no faster one is as cheap, fastest first."""
    kept: list[_Option] = []
    for option in sorted(options, key=lambda o: (o.cycles, _share(o.cost, board))):
        if not kept or _share(option.cost, board) < _share(kept[-1].cost, board):
            kept.append(option)
    return kept


def _cheapest(layer: list[_Option], limit: int) -> _Option:
    """The slowest option within the limit: on a Pareto front it is the cheapest."""
    return [option for option in layer if option.cycles <= limit][-1]


def _share(cost: Resources, board: Board) -> float:
    capacity = board.capacity
    cells = cost.lut4 + cost.carries
    return cells / (capacity.lut4 * LUT4_SHARE) + cost.block_rams / capacity.block_rams


def _excess(cost: Resources, board: Board) -> str:
    """Which resource is exceeded, in words; empty when all suffice."""
    lut4 = int(board.capacity.lut4 * LUT4_SHARE)
    if cost.block_rams > board.capacity.block_rams:
        return f"block RAMs: {cost.block_rams} needed, {board.capacity.block_rams} available"
    if cost.lut4 > lut4:
        return f"LUT4: about {cost.lut4} needed, {lut4} usable of {board.capacity.lut4}"
    return ""
