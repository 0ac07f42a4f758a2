"""Tables of an exploration."""

from __future__ import annotations

from collections.abc import Sequence

from ..explore.files import Exploration, SeedsResult
from ..explore.points import Point, Unreached
from ..terminal import Terminal


def exploration_tables(
    terminal: Terminal, exploration: Exploration, *, every_point: bool = False
) -> None:
    """The front (with `every_point` all points), what could not be reached, and what was built."""
    best = {point.name for point in exploration.front}
    numbers = {point.name: number for number, point in enumerate(exploration.front, 1)}
    shown = exploration.points if every_point else exploration.front
    has_accuracy = any(point.accuracy is not None for point in shown)
    columns = ["front", "network", *["right %"] * has_accuracy, "board", "MHz", "frames/s", "LUT4", "RAMs", "DSP", "cycles", "latency"]  # fmt: skip
    terminal.table(
        "Points, numbered where no other one beats them" if every_point else "Pareto front: what no other point beats",
        columns,
        (
            [
                numbers[point.name] if point.name in best else None,
                point.request.label,
                *[_percent(point.accuracy)] * has_accuracy,
                point.request.board,
                round(point.clock_hz / 1e6, 2),
                round(point.frames_per_second),
                point.lut4,
                point.block_rams,
                point.dsp,
                point.initiation_interval_cycles,
                point.latency_cycles,
            ]
            for point in shown
        ),
    )  # fmt: skip
    terminal.result(
        f"{len(exploration.points)} different plans; LUT4 and block RAMs as estimated before synthesis"
    )
    for line in _unreached_lines(exploration.unreached):
        terminal.result(line)
    if exploration.builds:
        _build_table(terminal, exploration, numbers)


def _unreached_lines(unreached: Sequence[Unreached]) -> list[str]:
    """One line for each network and board, the reason of the lowest frame rate that was not reached, and how many others were not."""
    by_pair: dict[tuple[str, str], list[Unreached]] = {}
    for missing in unreached:
        by_pair.setdefault((missing.request.label, missing.request.board), []).append(missing)
    lines = []
    for missing in by_pair.values():
        lowest = min(missing, key=lambda m: m.request.frames_per_second or 0)
        rate = lowest.request.frames_per_second
        asked = "" if rate is None else f" at {rate:.0f} frames per second"
        more = f" (nor at {len(missing) - 1} higher rates)" if len(missing) > 1 else ""
        lines.append(f"no plan{asked}{more}: {lowest.reason}")
    return lines


def _build_table(terminal: Terminal, exploration: Exploration, numbers: dict[str, int]) -> None:
    points = {point.name: point for point in exploration.points}
    terminal.table(
        "Placed and routed",
        ["front", "network", "board", "LUT4 est.", "LUT4", "RAMs", "Fmax min", "median", "max", "MHz", "met"],
        (
            _build_row(points[name], seeds, numbers.get(name))
            for name, seeds in exploration.builds.items()
        ),
    )  # fmt: skip
    for name, seeds in exploration.builds.items():
        for failure in seeds.failures:
            terminal.result(f"{name}: {failure}")


def _build_row(point: Point, seeds: SeedsResult, number: int | None) -> list[object]:
    clocks = [round(clock / 1e6, 1) for clock in seeds.fmax_hz or ()] or [None] * 3
    used = seeds.results[0].resources if seeds.results else None
    return [
        number,
        point.request.label,
        point.request.board,
        point.lut4,
        used.lut4 if used else None,
        used.block_rams if used else None,
        *clocks,
        round(point.clock_hz / 1e6, 2),
        f"{seeds.n_met} of {len(seeds.builds)}",
    ]


def _percent(accuracy: float | None) -> str | None:
    return None if accuracy is None else f"{100 * accuracy:.2f}"
