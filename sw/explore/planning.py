"""Plans an exploration: every network on every board at every frame rate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..network import Network
from .points import Point, Request, Unreached, distinct, planned
from .rates import Rates
from .workers import Workers

Progress = Callable[[str, int, int], None]


def labels_of(networks: Sequence[Network]) -> list[str]:
    """A name for each network that no other one has: its own, with the beginning of its hash where others are called the same."""
    names = Counter(network.name for network in networks)
    return [
        network.name if names[network.name] == 1 else f"{network.name}@{network.hash()[:8]}"
        for network in networks
    ]


def plan_all(
    networks: Sequence[Network],
    boards: Sequence[str],
    rates: Rates,
    workers: Workers,
    *,
    clock_mhz: float | None = None,
    progress: Progress | None = None,
) -> tuple[list[Point], list[Unreached]]:
    """Distinct points of all networks on all boards, and what has no plan.

    Where `rates` asks for nothing, a network on a board is planned as fast as it can be, then for half of that, a quarter, and so on.
    """
    tell = progress or (lambda what, done, of: None)
    requests = [
        Request(network, label, board, clock_mhz)
        for network, label in zip(networks, labels_of(networks), strict=True)
        for board in boards
    ]
    asked = [replace(request, frames_per_second=rate) for request in requests for rate in rates.asked]  # fmt: skip
    total = len(asked) or len(requests) * rates.points
    found = _planned(asked or requests, workers, tell, 0, total)
    if not asked:
        slower = [
            replace(point.request, frames_per_second=rate)
            for point in found
            if isinstance(point, Point)
            for rate in rates.below(point.frames_per_second)
        ]
        total = len(requests) + len(slower)
        found += _planned(slower, workers, tell, len(requests), total)
    points = distinct([point for point in found if isinstance(point, Point)])
    return points, [missing for missing in found if isinstance(missing, Unreached)]


def _planned(
    requests: Sequence[Request], workers: Workers, tell: Progress, done: int, total: int
) -> list[Point | Unreached]:
    """An answer for each request, in their order."""
    jobs = [workers.submit(planned, request) for request in requests]
    tell("plan", done, total)
    for _ in workers.finished(jobs):
        done += 1
        tell("plan", done, total)
    return [job.result() for job in jobs]
