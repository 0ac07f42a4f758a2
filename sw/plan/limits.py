"""What keeps a plan from being faster: for each layer that sets the interval, the resource of which its next faster foldings take more than is left.

A faster plan needs a faster folding of every layer whose interval is the accelerator's. The solver of `choice` says whether such foldings of them all fit beside
the other layers as they are planned. Where they do not, each kind of resource is judged for itself: the least that faster foldings take more of it, against
what the plan leaves. Where no kind alone is short, it is the one of which the cheapest foldings together take too much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from ...boards.board import Board
from ..build.elaborate import Elaboration
from ..build.skips import find_skips
from ..network import Add, Conv, Dense, Network, Node
from .amounts import amounts, resources
from .budget import SCARCEST_FIRST, budget
from .choice import Options, Question
from .costs import accelerator_cost
from .folding import Folding
from .options import Option, layer_options
from .plan import AcceleratorPlan
from .resources import BLOCK_RAM_SHAPES
from .search import fair_prices

Binds = Literal["cycles", "LUT4", "block RAMs", "weight bandwidth", "DSP", "flip-flops"]
"""What keeps a layer from being faster. "cycles": no folding of it is. "weight bandwidth": block RAMs, of which its weights take as many as deliver enough
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
    chosen = {
        name: _chosen(known.get(name) or layer_options(network, node, board), plan.foldings[name])
        for name, node in slowest.items()
        if isinstance(node, Conv | Dense)
    }
    faster = {
        name: [option for option in options if option.cycles < interval]
        for name, (_, options) in chosen.items()
    }
    fixed = [name for name in slowest if not faster.get(name)]
    if fixed:
        return Limits(
            tuple(slowest), cast("dict[str, Binds]", dict.fromkeys(fixed, "cycles")), "cycles"
        )
    left = _left(board, elaboration)
    if _fits(faster, [current for current, _ in chosen.values()], left, board):
        return Limits(tuple(slowest), {}, None)
    extra = {
        name: [_more(option, current) for option in faster[name]]
        for name, (current, _) in chosen.items()
    }
    kind, needed = _short(extra, left) or _short_together(extra, left, board)
    binding: dict[str, Binds] = {
        name: _kind_of(network, name, faster[name], kind, board) for name in slowest
    }
    return Limits(tuple(slowest), binding, _KINDS[kind], needed, left[kind])


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


def _chosen(options: Sequence[Option], folding: Folding) -> tuple[Option, Sequence[Option]]:
    """The option that the plan takes (of those with the same numbers, where a plan was written by hand), and all."""
    same = [option for option in options if option.folding == folding]
    alike = [o for o in options if (o.folding.pe, o.folding.simd) == (folding.pe, folding.simd)]
    slowest = options[-1:]
    return (same or alike or slowest)[0], options


def _more(option: Option, than: Option) -> tuple[int, ...]:
    return tuple(a - b for a, b in zip(amounts(option.cost), amounts(than.cost), strict=True))


def _left(board: Board, elaboration: Elaboration) -> tuple[int, ...]:
    """What the plan leaves of the smallest budget that it fits."""
    total = accelerator_cost(elaboration.config, board.family)
    cells = amounts(total)[0]
    budgets = board.capacity.lut4_budgets
    lut4 = next((lut4 for lut4 in budgets if cells <= lut4), budgets[-1])
    return tuple(a - b for a, b in zip(amounts(budget(board, lut4)), amounts(total), strict=True))


def _fits(
    faster: Mapping[str, list[Option]],
    current: list[Option],
    left: tuple[int, ...],
    board: Board,
) -> bool:
    """Whether there is a faster folding for each layer so that all fit in the place of the `current` ones and what is `left`."""
    there = [sum(kind) for kind in zip(left, *(amounts(o.cost) for o in current), strict=True)]
    slowest = max(option.cycles for options in faster.values() for option in options)
    question = Question(faster, (), board.family)
    return question.least(slowest, resources(there), fair_prices(board)) is not None


def _short(
    extra: Mapping[str, list[tuple[int, ...]]], left: tuple[int, ...]
) -> tuple[int, int] | None:
    """The kind of which even the least is too much, and that."""
    for kind in SCARCEST_FIRST:
        least = sum(min(more[kind] for more in options) for options in extra.values())
        if least > left[kind]:
            return kind, least
    return None


def _short_together(
    extra: Mapping[str, list[tuple[int, ...]]], left: tuple[int, ...], board: Board
) -> tuple[int, int]:
    """The kind of which the cheapest foldings take too much, and how much."""
    prices = fair_prices(board)
    total = [0] * len(left)
    for options in extra.values():
        cheapest = min(options, key=lambda more: sum(a * p for a, p in zip(more, prices, strict=True)))  # fmt: skip
        total = [a + b for a, b in zip(total, cheapest, strict=True)]
    kind = max(SCARCEST_FIRST, key=lambda kind: (total[kind] - left[kind]) * max(prices[kind], 1))
    return kind, total[kind]


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
