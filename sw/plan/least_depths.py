"""The least depths of FIFOs beside long branches: one place less, and the network is slower, or may stand still.

`skip_depths` computes depths that are enough, from when transfers happen if nothing is held up. Fewer may do where something is: a layer that is not the slowest
one can make up for waiting, and stages between fork, FIFO and join hold transfers too. So here whole accelerators are played (`play`), with fewer and fewer
places, down to the least depth of each FIFO beside the least depths of those before it.

Two things a depth is for:

* *live*: nothing stands still, however the streams are stalled. What stages hold between fork and join is counted as far as they do under any
  stalls; pipelines with a common clock enable, for one, may be held with bubbles in them.
* *full rate*: the accelerator's interval is that with FIFOs without limit.

Every play takes as long as some frames have cycles, for 200 stages and 4096 cycles a second: this is for small networks and for a plan's last word.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from ...hw.accelerator import AcceleratorConfig, Source, Stage
from ...hw.fifo import FifoConfig
from .play import PlayedStages, play
from .skip_depths import LEAST_DEPTH, SkipDepth, Way, way_of

LIVE_FRAMES = 3
"""Frames of the fork's transfers after which a branch that moves counts as one that goes on."""

MakeFifo = Callable[[FifoConfig, int], FifoConfig]
"""A FIFO like another one, of another depth."""


@dataclass(frozen=True, slots=True)
class LeastDepth:
    """The least depth of a FIFO, and what it is for.

    Members
    -------
    live, full_rate : int - see the module; beside the least depths of the FIFOs before it and the computed ones of those behind it
    """

    live: int
    full_rate: int

    @property
    def depth(self) -> int:
        """The least depth; at least `LEAST_DEPTH`, with which a FIFO is as late as it was planned to be."""
        return max(self.live, self.full_rate, LEAST_DEPTH)


def least_depths(
    config: AcceleratorConfig, computed: Mapping[str, SkipDepth], make_fifo: MakeFifo
) -> dict[str, LeastDepth]:
    """Least depths of the FIFOs in `computed`, in their order.

    Parameters
    ----------
    config : AcceleratorConfig - with FIFOs of the planned depths of `computed`
    computed : dict - of each FIFO, by the name of its stage
    make_fifo : what a FIFO of another depth is like

    Raises
    ------
    ValueError - the accelerator stands still at the computed depths
    """
    interval = play(config).interval
    if interval is None:
        raise ValueError("Accelerator must move at the computed depths")
    found: dict[str, LeastDepth] = {}
    for name, depth in computed.items():
        live = _live(config, name, depth.planned, make_fifo)
        search = range(max(live, LEAST_DEPTH), depth.planned)
        full_rate = _full_rate(config, name, search, interval, make_fifo)
        found[name] = LeastDepth(live, full_rate)
        config = with_depth(config, name, found[name].depth, make_fifo)
    return found


def with_depth(
    config: AcceleratorConfig, name: str, depth: int, make_fifo: MakeFifo
) -> AcceleratorConfig:
    """The same accelerator with another depth of the FIFO called `name`."""

    def changed(stage: Stage) -> Stage:
        if stage.name != name:
            return stage
        assert isinstance(stage.config, FifoConfig)
        return replace(stage, config=make_fifo(stage.config, depth))

    return replace(config, stages=tuple(changed(stage) for stage in config.stages))


def _live(config: AcceleratorConfig, name: str, most: int, make_fifo: MakeFifo) -> int:
    """Places with which what lies between fork and join goes on, held up as badly as can be."""

    def moves(places: int) -> bool:
        way = way_of(list(with_depth(config, name, places, make_fifo).connections), name)
        return is_live(way)

    return _least(range(most), moves)


def _full_rate(
    config: AcceleratorConfig, name: str, search: range, interval: Fraction, make_fifo: MakeFifo
) -> int:
    """Places with which a frame takes no longer than `interval`."""

    def is_enough(places: int) -> bool:
        played = play(with_depth(config, name, places, make_fifo)).interval
        return played is not None and played <= interval

    return _least(search, is_enough)


def is_live(way: Way) -> bool:
    """Whether the join of `way` goes on giving transfers while its stages hold the least."""
    into = Source("")
    between = [(way.fork, (into,)), *way.behind]
    reads = way.early, way.late
    join = Stage(way.join.name, way.join.config, reads)
    stages = PlayedStages([*between, (join, reads)], into, holds_least=True)
    return stages.run(LIVE_FRAMES * way.join.config.outputs_per_frame)


def _least(search: range, is_enough: Callable[[int], bool]) -> int:
    """The least number of `search` that is enough, as all above it are; its end where none is."""
    return search.start + bisect_left(search, True, key=is_enough)
