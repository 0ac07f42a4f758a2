"""The ways to fold one layer that are worth considering, each with its interval and its cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ...boards.board import Board
from ...hw.matrix_vector_layer import MatrixVectorLayerConfig
from ...hw.parallel_window import ParallelWindowConfig
from ...hw.stage import StageConfig
from ...hw.width_converter import WidthConverterConfig
from ..build.device_forms import DeviceForms, device_forms
from ..build.layer import absorbed_by, layer_stages
from ..build.node_stages import NodeStage, add_stage, node_stage
from ..build.skips import find_skips
from ..network import Add, Affine, ArgMax, Bipolar, Conv, Dense, Network, Node, Threshold
from .costs import Resources, memory_cost, stages_cost
from .folding import Folding, Memory, WeightForm, foldings, window_forms
from .resources import placed

MOST_LOGIC_WORDS = 16
"""Words of the deepest weight memories that are considered in logic: a LUT4 holds as many of one weight."""


@dataclass(frozen=True, slots=True)
class Option:
    """One way to fold one layer.

    Members
    -------
    folding : Folding
    input_lanes : int - elements that the first of them takes per transfer
    cycles : int - interval of the slowest of the layer's stages, and of those behind it up to the next products or joins of a later stream
    cost : Resources - of all of these
    """

    folding: Folding
    input_lanes: int
    cycles: int
    cost: Resources


def layer_options(network: Network, node: Conv | Dense, board: Board) -> list[Option]:
    """All foldings of a layer that no other one of the same widths beats in everything, fastest first."""
    behind = _Behind(network, board)
    consumer = absorbed_by(network, node)
    options = []
    for pe, simd in foldings(node):
        if pe * simd * node.weight_type.bits > board.capacity.lut4 // 2:
            continue
        for folding in _forms(network, node, pe, simd, board):
            option = _option(network, node, consumer, folding, board, behind)
            options += [option] if option else []
    return undominated(options)


def _forms(
    network: Network, node: Conv | Dense, pe: int, simd: int, board: Board
) -> Iterator[Folding]:
    """A folding with each combination of forms that may be the best."""
    words = node.matrix.size // (pe * simd)
    weights: list[WeightForm] = ["block"]
    if words <= MOST_LOGIC_WORDS:
        weights = ["logic"] if words <= 4 else ["block", "logic"]
    is_whole = not isinstance(node.weight_type, Bipolar)
    is_whole |= isinstance(network.edges[node.inputs[0]].datatype, Bipolar)
    for form in weights:
        for window in window_forms(node, simd):
            yield Folding(pe, simd, form, "logic", window)
            if not is_whole:
                yield Folding(pe, simd, form, "logic", window, "planes")


def _option(
    network: Network, node: Conv | Dense, consumer: Threshold | Affine | None, folding: Folding, board: Board, behind: _Behind
) -> Option | None:  # fmt: skip
    """The cost of a folding; None for a parallel window that would hold its array up."""
    layer = layer_stages(network, node, consumer, folding, device_forms(board))
    stages = [config for _, config in layer.stages]
    product = stages[-1]
    assert isinstance(product, MatrixVectorLayerConfig)
    if not _keeps_pace(stages, product.early_cycles):
        return None
    presets = _preset_form(product, board)
    if presets != folding.presets:
        folding = replace(folding, presets=presets)
        assert product.presets is not None
        stages[-1] = replace(product, presets=replace(product.presets, memory=presets))
    if node.inputs[0] == network.device_input:
        edge = network.edges[network.device_input]
        lanes = layer.input_lanes
        stages.append(WidthConverterConfig(1, 8, lanes * edge.datatype.bits, edge.bits))
    edge, bits = consumer.name if consumer else node.name, layer.unit.element_bits
    after = behind(edge, folding.pe, bits)
    cost = placed(stages_cost(stages, board.family) + after.cost, board.family)
    cycles = max(after.cycles, *(config.interval_cycles for config in stages))
    return Option(folding, layer.input_lanes, cycles, cost)


def _keeps_pace(stages: list[StageConfig], early_cycles: int) -> bool:
    """Whether a layer's interval is that of its slowest stage. A parallel window whose windows wait may be late with the next row's first one."""
    interval = max(stage.interval_cycles for stage in stages)
    return all(
        stage.schedule.paced_interval(1, interval // stage.outputs_per_frame, early_cycles)
        <= interval
        for stage in stages
        if isinstance(stage, ParallelWindowConfig)
    )


def _preset_form(product: MatrixVectorLayerConfig, board: Board) -> Memory:
    """Where the presets take the smaller share of the board, by the size of their table."""
    presets = product.presets
    assert presets is not None
    depth, width = presets.depth, presets.width
    logic, block = (
        memory_cost(form, width, depth, board.family, writable=False) for form in ("logic", "block")
    )
    capacity = board.capacity
    share = logic.lut4 / capacity.lut4_budgets[0]
    return "block" if block.block_rams / capacity.block_rams < share else "logic"


@dataclass(frozen=True, slots=True)
class _Stages:
    """What stages cost, and the interval of the slowest."""

    cost: Resources
    cycles: int


class _Behind:
    """The stages through which a layer's results go, as wide as they come: up to the next products, and to joins with a stream that comes later.

    A join and all behind it are as wide as its late branch, so every stage belongs to one layer.
    """

    def __init__(self, network: Network, board: Board) -> None:
        self.network, self.forms, self.family = network, device_forms(board), board.family
        self.late = {(add, skip.late) for add, skip in find_skips(network).items()}
        self.known: dict[tuple[str, int, int], _Stages] = {}

    def __call__(self, edge: str, lanes: int, element_bits: int) -> _Stages:
        """Those behind `edge`, whose stream brings `lanes` elements of `element_bits` bits per transfer."""
        key = (edge, lanes, element_bits)
        if key not in self.known:
            configs = list(self._configs(*key))
            cycles = max((config.interval_cycles for config in configs), default=1)
            self.known[key] = _Stages(stages_cost(configs, self.family), cycles)
        return self.known[key]

    def _configs(self, edge: str, lanes: int, element_bits: int) -> Iterator[StageConfig]:
        streams = [(edge, lanes, element_bits)]
        while streams:
            edge, lanes, element_bits = streams.pop()
            for node in self.network.consumers(edge):
                if isinstance(node, Conv | Dense):
                    continue
                if isinstance(node, Add) and (node.name, edge) not in self.late:
                    continue
                if isinstance(node, ArgMax):
                    if lanes > 1:  # scores leave one by one
                        n_scores = self.network.edges[edge].elements
                        yield WidthConverterConfig(element_bits, lanes, 1, n_scores)
                    continue
                stage = _stage_of(self.network, node, lanes, element_bits, self.forms)
                yield stage.config
                streams.append((node.name, stage.lanes, stage.element_bits))


def _stage_of(
    network: Network, node: Node, lanes: int, element_bits: int, forms: DeviceForms
) -> NodeStage:
    """The stage of a node that is no product."""
    if isinstance(node, Add):
        return NodeStage(add_stage(network, node, lanes), lanes, element_bits)
    return node_stage(network, node, lanes, element_bits, forms)


def undominated(options: list[Option]) -> list[Option]:
    """Options for which no other one of the same widths is as fast and as cheap in everything, fastest first."""
    kept: list[Option] = []
    by_widths: dict[tuple[int, int], list[tuple[int, ...]]] = {}
    for option in sorted(options, key=lambda o: (o.cycles, *amounts(o.cost), o.folding.pe)):
        mine = amounts(option.cost)
        others = by_widths.setdefault((option.folding.pe, option.input_lanes), [])
        if not any(all(a <= b for a, b in zip(other, mine, strict=True)) for other in others):
            others.append(mine)
            kept.append(option)
    return kept


def amounts(cost: Resources) -> tuple[int, int, int, int]:
    """Cells, block RAMs, multipliers and flip-flops."""
    return cost.lut4 + cost.carries, cost.block_rams, cost.dsp, cost.ff
