"""Points of an exploration: a network on a board at a frame rate, planned."""

from __future__ import annotations

from dataclasses import dataclass

from ..build.target import find_board
from ..errors import RbonnError
from ..network import Network
from ..plan.pareto import Merit, on_front
from ..plan.plan import AcceleratorPlan
from ..plan.planner import make_plan
from ..project import Project, baud_at


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be planned.

    Parameters
    ----------
    network : Network
    label : str - its name in tables, another one for each network of an exploration
    board : str
    clock_mhz : float or None - None: the board's
    frames_per_second : float or None - None: as many as fit
    """

    network: Network
    label: str
    board: str
    clock_mhz: float | None = None
    frames_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A plan and what it means.

    Members
    -------
    request : Request
    plan : AcceleratorPlan
    dataset : str - what the accuracy was measured on; empty where the network does not say
    accuracy : float or None - of the integer network, 0 to 1, on its test images
    clock_hz : int
    initiation_interval_cycles, latency_cycles : int
    frames_per_second : float
    lut4, ff, block_rams, dsp : int - estimated, link included
    """

    request: Request
    plan: AcceleratorPlan
    dataset: str
    accuracy: float | None
    clock_hz: int
    initiation_interval_cycles: int
    latency_cycles: int
    frames_per_second: float
    lut4: int
    ff: int
    block_rams: int
    dsp: int

    @property
    def name(self) -> str:
        """Names the point in files: no other point of the exploration has it."""
        return f"{self.request.label}-{self.request.board}-{self.initiation_interval_cycles}"

    @property
    def merit(self) -> Merit:
        return Merit(
            self.lut4,
            self.frames_per_second,
            self.accuracy,
            self.plan.network_hash,
            self.dataset,
        )


@dataclass(frozen=True, slots=True)
class Unreached:
    """A request that has no plan, and why."""

    request: Request
    reason: str
    hint: str


def planned(request: Request) -> Point | Unreached:
    """Plans one request. Whatever a user could act on is an answer here, so that one point does not end an exploration."""
    network, board = request.network, find_board(request.board)
    clock_hz = board.clock_hz if request.clock_mhz is None else round(request.clock_mhz * 1e6)
    try:
        plan = make_plan(
            network, board, clock_hz=clock_hz, frames_per_second=request.frames_per_second
        )
        project = Project(network, board, plan)
        _ = project.info, baud_at(board, project.clock_hz)
    except RbonnError as error:
        return Unreached(request, error.message, error.hint)
    summary, accuracy = project.summary, network.metadata.get("accuracy_integer")
    return Point(
        request=request,
        plan=plan,
        dataset=str(network.metadata.get("dataset", "")),
        accuracy=None if accuracy is None else float(accuracy),
        clock_hz=project.clock_hz,
        initiation_interval_cycles=summary.initiation_interval_cycles,
        latency_cycles=summary.latency_cycles,
        frames_per_second=summary.frames_per_second,
        lut4=summary.totals.lut4,
        ff=summary.totals.ff,
        block_rams=summary.totals.block_rams,
        dsp=summary.totals.dsp,
    )


def distinct(points: list[Point]) -> list[Point]:
    """One point of each network, board and interval, the one with the fewest lookup tables; by network and board, in the order of the first one, then by speed."""
    best: dict[str, Point] = {}
    for point in points:
        known = best.get(point.name)
        if known is None or point.lut4 < known.lut4:
            best[point.name] = point
    groups = list(dict.fromkeys((p.request.label, p.request.board) for p in points))
    return sorted(
        best.values(),
        key=lambda p: (groups.index((p.request.label, p.request.board)), p.frames_per_second),
    )


def front(points: list[Point]) -> list[Point]:
    """The points that no other one beats (`plan.pareto`), by network, then by speed."""
    kept = [
        point
        for point, is_kept in zip(points, on_front([p.merit for p in points]), strict=True)
        if is_kept
    ]
    labels = list(dict.fromkeys(p.request.label for p in points))
    return sorted(kept, key=lambda p: (labels.index(p.request.label), p.frames_per_second))


def spread(points: list[Point], count: int) -> list[Point]:
    """`count` of `points`, evenly over their order with both ends; the last one where it is 1, all where there are no more."""
    if count >= len(points):
        return points
    if count == 1:
        return points[-1:]
    step = (len(points) - 1) / (count - 1)
    return [points[round(k * step)] for k in range(count)]
