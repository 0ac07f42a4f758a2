"""The highest clock that a design really meets: place and route aims high, then asks for what it reached, until that is met.

A netlist holds its clock, as the divisor of the serial line and in what the board says about itself, so that another clock is another netlist and another place and
route, which may come out a little slower than the one before. Therefore each clock is tried with several seeds, and only a build that meets its own clock counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ...boards import Board
from .design import ClockError
from .report import NoPlaceError
from .result import BuildResult

STEP_HZ = 250_000
"""Distance of the clocks that are looked at."""

AIM, RAISE = 1.5, 1.25
"""Times the board's own clock that is aimed at first where the user sets no limit, and times that where it is met: further above what is reached, place and route does not get
better."""

LEAST_BAUD = 1_000_000
"""A faster clock is not worth a serial line that is slower than this, where the board's bridge has such a baud rate."""

SEEDS = 3
"""Places and routes of a clock before a lower one is tried."""

Attempt = Callable[[int, int], BuildResult]
"""Builds for a clock in hertz with a seed; may raise NoPlaceError, which counts as a clock that is missed by far."""


@dataclass(frozen=True, slots=True)
class ClockSearch:
    """What was tried on the way to the highest clock.

    Members
    -------
    result : BuildResult - the build with the highest clock that was met
    limit_hz : int - the highest clock that was allowed, or aimed at
    tried : tuple of BuildResult - all, in their order
    """

    result: BuildResult
    limit_hz: int
    tried: tuple[BuildResult, ...]


def clocks(board: Board, limit_hz: float) -> Iterator[int]:
    """Clocks up to `limit_hz` that the board's PLL makes and its serial line goes with, falling."""
    least_baud = min(LEAST_BAUD, board.uart.bauds[0])
    for clock_hz in range(int(limit_hz // STEP_HZ) * STEP_HZ, 0, -STEP_HZ):
        try:
            made_hz = board.pll(clock_hz).output_hz
            baud = board.uart.baud(made_hz)
        except ValueError:
            continue
        if made_hz <= limit_hz and baud >= least_baud:
            yield clock_hz


def highest_clock(
    board: Board,
    attempt: Attempt,
    *,
    limit_hz: int | None = None,
    seeds: int = SEEDS,
    seed: int = 1,
) -> ClockSearch:
    """Lowers the clock from `limit_hz` until one of `seeds` places and routes meets it; where the user sets no limit and the first aim is met, aims higher.

    After each clock that is missed comes the highest one not above the fastest that was reached so far with a lower one asked for or with this.

    Parameters
    ----------
    attempt : Callable - builds for a clock and a seed
    limit_hz : int or None - the highest clock that is allowed; None: `AIM` times the board's own, and `RAISE` times what is met as long as it is
    seeds : int - places and routes of each clock at most
    seed : int - the first of them

    Raises
    ------
    ClockError - the board has no clock below the limit, or the design meets none of them
    NoPlaceError - the placer found no place with any of the seeds
    """
    aim_hz = round(AIM * board.clock_hz) if limit_hz is None else limit_hz
    numbers = range(seed, seed + seeds)
    tried: list[BuildResult] = []
    met: BuildResult | None = None
    while (found := _highest_between(board, attempt, met, aim_hz, numbers, tried)) is not None:
        met = found
        if limit_hz is not None or met.clock_hz < board.pll(next(clocks(board, aim_hz))).output_hz:
            break
        aim_hz = round(RAISE * aim_hz)
    if met is not None:
        return ClockSearch(met, aim_hz, tuple(tried))
    if not tried:
        raise ClockError(
            f"{board.name}: has no clock of at most {aim_hz / 1e6:g} MHz",
            f"Allow more; {board.clock_hz / 1e6:g} MHz is this board's own.",
        )
    raise ClockError(
        f"{board.name}: the design meets none of its clocks of at most {aim_hz / 1e6:g} MHz",
        "Fold it more (smaller PE and SIMD), or allow more seeds.",
    )


def _highest_between(
    board: Board,
    attempt: Attempt,
    met: BuildResult | None,
    aim_hz: int,
    numbers: Sequence[int],
    tried: list[BuildResult],
) -> BuildResult | None:
    """The first build that meets its clock, from `aim_hz` down to that of `met`; None where there is none. All that is built is added to `tried`."""
    below_hz = float(aim_hz)
    least_hz = 0.0 if met is None else met.clock_hz
    while (clock_hz := next(clocks(board, below_hz), None)) is not None:
        if board.pll(clock_hz).output_hz <= least_hz:
            return None
        reached_hz = 0.0
        no_place: NoPlaceError | None = None
        for number in numbers:
            try:
                result = attempt(clock_hz, number)
            except NoPlaceError as error:
                no_place = error
                continue
            tried.append(result)
            if result.timing_met:
                return result
            reached_hz = max(reached_hz, result.fmax_hz)
        if not tried and no_place is not None:
            raise no_place
        # What was reached is below this clock, but another clock of the design may be what was missed.
        below_hz = min(reached_hz, clock_hz - STEP_HZ)
    return None
