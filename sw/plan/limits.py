"""What keeps a plan from being faster: for each layer that sets the interval, the resource of which its next faster foldings take more than is left.

A faster plan needs a faster folding of every layer whose interval is the accelerator's. The solver of `choice` looks for such foldings of them all that fit beside
the other layers as they are planned, converters between them included; what it finds is elaborated, so FIFOs count too. Where none fits, each kind of resource is judged for itself: the least
that faster foldings take more of it, against what the plan leaves. Where no kind alone is short, it is the one of which the cheapest foldings together take too much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, cast

from ...boards.board import Board
from ..build.elaborate import Elaboration
from ..build.skips import find_skips
from ..network import Add, Conv, Dense, Network, Node
from .amounts import amounts, is_at_most, only, resources
from .budget import PLENTY, SCARCEST_FIRST, budget
from .choice import Choice, Options, Question
from .costs import accelerator_cost
from .joints import find_joints
from .options import Option, layer_options, option_of
from .plan import AcceleratorPlan
from .resources import BLOCK_RAM_SHAPES
from .search import fair_prices, total_cost

Binds = Literal["cycles", "LUT4", "block RAMs", "weight bandwidth", "DSP", "flip-flops"]
"""What keeps a layer from being faster. "cycles": no folding of it is, beside the others as they are planned. "weight bandwidth": block RAMs, of which its weights take as many as deliver enough
bits per cycle, although fewer would hold them."""

_KINDS: tuple[Binds, ...] = ("LUT4", "block RAMs", "DSP", "flip-flops")
"""In the order of `amounts`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What binds a plan.

    Members
    -------
    interval_layers : tuple of str - layers and stages whose interval is the accelerator's
    binds : dict - by layer; of the others nothing does, they could be faster or slower without effect
    kind : str or None - what binds the whole: "cycles", or the kind of resource; None: no resource of the board, faster foldings of all these layers fit
    needed, left : int or None - how much more of that kind faster foldings take, and how much the plan leaves
    """

    interval_layers: tuple[str, ...]
    binds: Mapping[str, Binds]
    kind: Binds | None
    needed: int | None = None
    left: int | None = None


def limits_of(
    network: Network,
    plan: AcceleratorPlan,
    board: Board,
    elaboration: Elaboration,
    known: Options | None = None,
) -> Limits:
    """What keeps `plan` from being faster, by estimate. `known` are options that have been listed already, by layer."""
    known = known or {}
    interval = elaboration.config.interval_cycles
    slowest = _slowest_layers(network, elaboration)
    faster = {
        name: [o for o in known.get(name) or layer_options(network, node, board) if o.least_interval < interval]
        for name, node in slowest.items()
        if isinstance(node, Conv | Dense)
    }  # fmt: skip
    fixed = [name for name in slowest if not faster.get(name)]
    if fixed:
        return Limits(
            tuple(slowest), cast("dict[str, Binds]", dict.fromkeys(fixed, "cycles")), "cycles"
        )
    beside = _Faster(network, plan, board, elaboration, faster)
    if beside.cheapest is None:
        return Limits(
            tuple(slowest), cast("dict[str, Binds]", dict.fromkeys(slowest, "cycles")), "cycles"
        )
    shortage = beside.shortage()
    if shortage is None:
        return Limits(tuple(slowest), {}, None)
    kind, needed, left = shortage
    binding: dict[str, Binds] = {
        name: _kind_of(network, name, faster[name], kind, board) for name in slowest
    }
    return Limits(tuple(slowest), binding, _KINDS[kind], needed, left)


class _Faster:
    """Faster foldings of the slowest layers, beside the others as they are planned."""

    def __init__(
        self,
        network: Network,
        plan: AcceleratorPlan,
        board: Board,
        elaboration: Elaboration,
        faster: Mapping[str, Sequence[Option]],
    ) -> None:
        self.network, self.plan, self.board = network, plan, board
        self.interval = elaboration.config.interval_cycles
        self.total = amounts(accelerator_cost(elaboration.config, board.family))
        self.left = self._left()
        current = {
            node.name: option_of(network, node, plan.foldings[node.name], board)
            for node in network.device_nodes
            if isinstance(node, Conv | Dense)
        }
        # A layer that waits for slower ones keeps its folding, however late its windows are.
        options = {
            name: faster.get(name) or [replace(option, pace_cycles=0)]
            for name, option in current.items()
        }
        self.question = Question(options, find_joints(network), board.family)
        self.planned = amounts(self.question.cost(current))

    @cached_property
    def cheapest(self) -> Choice | None:
        """The cheapest, whatever is there; None where none is fast enough with the converters to the others."""
        return self.question.cheapest(self.interval - 1, PLENTY, fair_prices(self.board))

    def shortage(self) -> tuple[int, int, int] | None:
        """The kind of resource that keeps them from fitting, how much more of it they take and how much is left; None where they fit."""
        prices = fair_prices(self.board)
        there = resources([a + b for a, b in zip(self.left, self.planned, strict=True)])
        choice = self.question.cheapest(self.interval - 1, there, prices)
        if choice is not None and is_at_most(self._more(choice), self.left):
            return None
        for kind in SCARCEST_FIRST:
            least = self.question.least(self.interval - 1, PLENTY, only(kind))
            if least is not None and least - self.planned[kind] > self.left[kind]:
                return kind, least - self.planned[kind], self.left[kind]
        choice = choice or self.cheapest
        assert choice is not None, "asked for only where there is one"
        more = self._more(choice)
        if is_at_most(more, self.left):
            return None
        kind = max(SCARCEST_FIRST, key=lambda k: (more[k] - self.left[k]) * max(prices[k], 1))
        return kind, more[kind], self.left[kind]

    def _more(self, choice: Choice) -> tuple[int, ...]:
        """What an accelerator of these foldings takes more than the plan's, FIFOs included."""
        foldings = {name: option.folding for name, option in choice.options.items()}
        total = total_cost(self.network, self.plan.foldings | foldings, self.board)
        return tuple(a - b for a, b in zip(amounts(total), self.total, strict=True))

    def _left(self) -> tuple[int, ...]:
        """What the plan leaves of the smallest budget that it fits."""
        budgets = self.board.capacity.lut4_budgets
        lut4 = next((lut4 for lut4 in budgets if self.total[0] <= lut4), budgets[-1])
        there = amounts(budget(self.board, lut4))
        return tuple(a - b for a, b in zip(there, self.total, strict=True))


def _slowest_layers(network: Network, elaboration: Elaboration) -> dict[str, Node]:
    """Nodes that set the interval: products for all that follows up to the next ones, and others that follow none."""
    interval = elaboration.config.interval_cycles
    layer_of = {node.name: node for node in network.device_nodes}
    skips = find_skips(network)
    found: dict[str, Node] = {}
    for stage in elaboration.config.stages:
        if stage.config.interval_cycles < interval:
            continue
        node = layer_of.get(elaboration.layer_of_stage[stage.name])
        while node is not None and not isinstance(node, Conv | Dense):
            edge = skips[node.name].late if isinstance(node, Add) else node.inputs[0]
            before = layer_of.get(edge)
            if before is None:
                break
            node = before
        if node is not None:
            found[node.name] = node
    return found


def _kind_of(
    network: Network,
    name: str,
    faster: list[Option],
    kind: int,
    board: Board,
) -> Binds:
    """What binds one layer, where `kind` binds the whole."""
    if _KINDS[kind] != "block RAMs":
        return _KINDS[kind]
    in_blocks = [option for option in faster if option.folding.weights == "block"]
    option = min(in_blocks or faster, key=lambda option: amounts(option.cost)[kind])
    node = network.producer(name)
    assert isinstance(node, Conv | Dense)
    width = option.folding.pe * option.folding.simd * node.weight_type.bits
    bits = node.matrix.size * node.weight_type.bits
    widest = max(w for w, _ in BLOCK_RAM_SHAPES[board.family])
    by_width, by_bits = -(-width // widest), -(-bits // board.capacity.block_ram_bits)
    is_wide = option.folding.weights == "block" and by_width > by_bits
    return "weight bandwidth" if is_wide else "block RAMs"
