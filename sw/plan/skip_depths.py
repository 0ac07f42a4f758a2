"""How deep the FIFOs beside the long branches of a residual network must be: computed from when every transfer happens.

A fork gives each transfer to both branches; where they join, one branch comes later, and the FIFO on the other one holds what the late
one holds back. Two depths matter:

* *live*: with fewer places the network stands still. Before the join takes its transfer number k, the late branch has asked for
  ``need(k)`` transfers of the fork; all of them but the last, which the fork may still be offering, lie on the early branch, and k of
  those have left.
* *full rate*: with fewer places the fork has to wait at the planned interval. In a schedule whose bytes come at an even pace, every
  transfer must find a place when it comes. Such a schedule with enough places exists, and a network of streams that is let run
  never is behind any schedule that it could keep; so the depth is enough.

Both count what a FIFO holds, registers included; what stages between fork, FIFO and join could hold is not counted on, so with such stages
a place or two fewer may do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...hw.accelerator import AcceleratorConfig, Source, Stage
from ...hw.fork import ForkConfig
from ...hw.residual_add import ResidualAddConfig
from ...hw.stage import n_outputs
from .schedule import Times, follow, one_per_cycle, transfer_times

FRAMES = 4
"""Frames after which the even schedule repeats itself."""

LEAST_DEPTH = 4
"""Depth from which a FIFO's latency no longer depends on it (`hw.fifo`)."""

Connection = tuple[Stage, tuple[Source, ...]]


@dataclass(frozen=True, slots=True)
class SkipDepth:
    """Places that a FIFO needs: `live` for the network to move at all, `full_rate` to move at the planned interval."""

    live: int
    full_rate: int

    @property
    def planned(self) -> int:
        """The depth that is built."""
        return max(self.live, self.full_rate, LEAST_DEPTH)


def skip_depths(config: AcceleratorConfig, fifos: list[str]) -> dict[str, SkipDepth]:
    """Depths of the FIFOs named in `fifos`, each the only one on its way from a fork to a join.

    In `config` they may have any depth from `LEAST_DEPTH` on.

    Raises
    ------
    ValueError - a FIFO that is not between a fork and a join of the fork's branches
    """
    connections = list(config.connections)
    pace = config.interval_cycles / config.image_bytes
    entries = np.floor(np.arange(FRAMES * config.image_bytes) * pace).astype(np.int64)
    times = transfer_times(config, entries.reshape(FRAMES, -1))
    return {
        name: SkipDepth(_live(way), _full_rate(way, times))
        for name, way in ((name, way_of(connections, name)) for name in fifos)
    }


@dataclass(frozen=True, slots=True)
class Way:
    """A FIFO between a fork and a join.

    `behind` are the stages after the fork, `after` those after the FIFO, both up to the join, `early` and `late` what the join reads.
    """

    fork: Stage
    fifo: Stage
    put: Source
    join: Stage
    early: Source
    late: Source
    behind: list[Connection]
    after: list[Connection]


def way_of(connections: list[Connection], name: str) -> Way:
    """The way of the FIFO called `name`. Raises ValueError where it is not between a fork and a join."""
    numbers = {stage.name: number for number, (stage, _) in enumerate(connections)}
    sources = {stage.name: reads for stage, reads in connections}
    fifo = connections[numbers[name]][0]
    here = Source(name)
    for number in range(numbers[name] + 1, len(connections)):
        join, reads = connections[number]
        if here not in reads:
            continue
        if isinstance(join.config, ResidualAddConfig):
            (late,) = (source for source in reads if source != here)
            fork = _fork_of(sources, connections, numbers, name, late)
            behind = connections[numbers[fork.name] + 1 : number]
            after = connections[numbers[name] + 1 : number]
            return Way(fork, fifo, sources[name][0], join, here, late, behind, after)
        here = Source(join.name)
    raise _misplaced(name)


def _misplaced(name: str) -> ValueError:
    return ValueError(f"FIFO {name!r} must lie between a fork and a join")


def _fork_of(
    sources: dict[str, tuple[Source, ...]], connections: list[Connection], numbers: dict[str, int], name: str, late: Source
) -> Stage:  # fmt: skip
    """The last fork above the FIFO that the late branch comes from too."""
    above_late, open_stages = set(), [late.stage]
    while open_stages:
        stage = open_stages.pop()
        above_late.add(stage)
        open_stages += [source.stage for source in sources[stage] if source.stage not in above_late]
    fifo = name
    while sources[name]:
        name = sources[name][0].stage
        fork = connections[numbers[name]][0]
        if name in above_late and isinstance(fork.config, ForkConfig):
            return fork
    raise _misplaced(fifo)


def _live(way: Way) -> int:
    n_fork = way.fork.config.outputs_per_frame
    # Transfers so far apart that nothing but the transfer itself decides when something leaves.
    apart = 1 << 24
    forked = np.arange(n_fork)[None] * apart
    branches = {Source(way.fork.name, k): forked for k in range(n_outputs(way.fork.config))}
    times = follow(way.behind, branches)
    needed = times[way.late][0] // apart + 1  # of the fork, by each transfer of the late branch
    put_by = times[way.put][0] // apart + 1  # of the fork, by each transfer that the FIFO takes
    n_put = np.searchsorted(put_by, needed - 1, side="right")
    n_left = np.concatenate([[0], _asked(way)[:-1]])  # before each transfer of the join
    return int((n_put - n_left).max())


def _asked(way: Way) -> np.ndarray:
    """Transfers of the FIFO that each transfer of the join needs."""
    apart = 1 << 24
    put = np.arange(way.fifo.config.outputs_per_frame)[None] * apart
    times = follow(way.after, {Source(way.fifo.name): put})
    return times[way.early][0] // apart + 1


def _full_rate(way: Way, times: Times) -> int:
    joined = one_per_cycle(np.maximum(times[way.early], times[way.late]).ravel())
    put = times[way.put].ravel()
    asked = _asked(way)
    frames = np.arange(FRAMES)[:, None]
    asked = (asked[None] + frames * way.fifo.config.outputs_per_frame).ravel()
    # A place is left when the first transfer of the join that needs it is taken, and free for what comes in a later cycle. Pixels that a stride leaves
    # out at the end of the last frame leave with a frame that is not looked at.
    numbers = np.arange(1, asked[-1] + 1)
    left = joined[np.searchsorted(asked, numbers)]
    return int((numbers - np.searchsorted(left, put[: asked[-1]], side="left")).max())
