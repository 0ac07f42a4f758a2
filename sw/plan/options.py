"""The ways to fold one layer that are worth considering, each with its interval and its cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from ..build.window_pace import late_by
from ..network import Add, Affine, ArgMax, Bipolar, Conv, Dense, Network, Node, Threshold
from .amounts import amounts, is_at_most
from .costs import Resources, stages_cost
from .folding import Folding, IntegerForm, Memory, WeightForm, foldings, window_forms
from .plan import weight_forms
from .resources import constants_cost, placed

LUT_WORDS = 16
"""Words of which a LUT4 has a bit each."""

DEEPEST_LOGIC_PRESETS = 64
"""Presets of an ECP5 that may be logic: of more words a bit takes four lookup tables one behind the other, at the clocks that its arrays reach."""

LEAST_BLOCK_WORDS, MOST_ICE40_LOGIC_WORDS = 5, LUT_WORDS
"""Words of the shallowest weight memories that are considered in block RAM: of fewer a LUT4 beside the XNOR takes them in. And of the deepest ones in an iCE40's
logic: it has no multiplexers beside its LUT4, so a bit of more words costs half as much again."""


@dataclass(frozen=True, slots=True)
class Option:
    """One way to fold one layer.

    Members
    -------
    folding : Folding
    input_lanes : int - elements that the first of them takes per transfer
    cycles : int - interval of the slowest of the layer's stages, and of those behind it up to the next products or joins of a later stream
    cost : Resources - of all of these
    pace_cycles : int - the accelerator's interval from which it keeps pace: `cycles`, or more where its parallel window is late in every frame; then it is for
        accelerators whose interval other stages set. 0 stands for `cycles`
    is_deep_logic : bool - weights in logic of more words than a lookup table has
    """

    folding: Folding
    input_lanes: int
    cycles: int
    cost: Resources
    pace_cycles: int = 0
    is_deep_logic: bool = False

    @property
    def is_late(self) -> bool:
        """Whether its own stages are slower than the slowest of them says."""
        return self.pace_cycles > self.cycles

    @property
    def least_interval(self) -> int:
        """The shortest interval of an accelerator that it can be part of."""
        return max(self.cycles, self.pace_cycles)


def layer_options(network: Network, node: Conv | Dense, board: Board) -> list[Option]:
    """All foldings of a layer that no other one of the same widths beats in everything, fastest first."""
    behind = _Behind(network, board)
    consumer = absorbed_by(network, node)
    found = []
    for pe, simd in foldings(node):
        if pe * simd * node.weight_type.bits > board.capacity.lut4 // 2:
            continue
        for folding in _forms(network, node, pe, simd, board):
            found.append(_option(network, node, consumer, folding, board, behind))
    return undominated(found)


def option_of(network: Network, node: Conv | Dense, folding: Folding, board: Board) -> Option:
    """A layer as a plan folds it, its presets where the planner would put them."""
    behind = _Behind(network, board)
    return _option(network, node, absorbed_by(network, node), folding, board, behind)


def _forms(
    network: Network, node: Conv | Dense, pe: int, simd: int, board: Board
) -> Iterator[Folding]:
    """A folding with each combination of forms that may be the best."""
    is_binary = isinstance(node.weight_type, Bipolar)
    is_of_bits = isinstance(network.edges[node.inputs[0]].datatype, Bipolar)
    ways: list[IntegerForm] = ["whole"] if is_of_bits or not is_binary else ["whole", "planes"]
    words = node.matrix.size // (pe * simd)
    left_out: set[WeightForm] = {"block"} if words < LEAST_BLOCK_WORDS else set()
    if board.family == "ice40":  # whose block RAMs are few and narrow
        left_out.add("absorbed")
        if words > MOST_ICE40_LOGIC_WORDS:
            left_out.add("logic")
    for integers in ways:
        counts_bits = is_binary and (is_of_bits or integers == "planes")
        for weights in weight_forms(words, board, counts_bits=counts_bits):
            if weights in left_out:
                continue
            for window in window_forms(node, simd):
                yield Folding(pe, simd, weights, "logic", window, integers)


def _option(
    network: Network, node: Conv | Dense, consumer: Threshold | Affine | None, folding: Folding, board: Board, behind: _Behind
) -> Option:  # fmt: skip
    """The cost of a folding."""
    layer = layer_stages(network, node, consumer, folding, device_forms(board), blank=True)
    stages = [config for _, config in layer.stages]
    product = stages[-1]
    assert isinstance(product, MatrixVectorLayerConfig)
    pace_cycles = _pace_cycles(stages, product.early_cycles)
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
    pace_cycles = max(pace_cycles, cycles)
    is_deep = folding.weights == "logic" and product.unit.n_words > LUT_WORDS
    return Option(folding, layer.input_lanes, cycles, cost, pace_cycles, is_deep)


def _pace_cycles(stages: Sequence[StageConfig], early_cycles: int) -> int:
    """The interval from which a layer keeps pace: its slowest stage's, or more with a parallel window whose windows wait and are late with the next row's first one."""
    interval = pace = max(stage.interval_cycles for stage in stages)
    for stage in stages:
        if isinstance(stage, ParallelWindowConfig):
            windows = stage.outputs_per_frame
            cycles = interval // windows
            late = late_by(stage.schedule, cycles, early_cycles)
            pace = max(pace, windows * cycles + late)
    return pace


def _preset_form(product: MatrixVectorLayerConfig, board: Board) -> Memory:
    """Where the presets take the smaller share of the board, by the size of their table, unless lookup tables of them would be slow."""
    presets = product.presets
    assert presets is not None
    depth, width = presets.depth, presets.width
    if board.family == "ecp5" and depth > DEEPEST_LOGIC_PRESETS:
        return "block"
    logic, block = (constants_cost(form, width, depth, board.family) for form in ("logic", "block"))
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
                if stage.queue is not None:
                    yield stage.queue
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
    for option in sorted(options, key=lambda o: (o.cycles, o.least_interval, *amounts(o.cost))):
        mine = (option.least_interval, *amounts(option.cost))
        others = by_widths.setdefault((option.folding.pe, option.input_lanes), [])
        if not any(is_at_most(other, mine) for other in others):
            others.append(mine)
            kept.append(option)
    return kept
