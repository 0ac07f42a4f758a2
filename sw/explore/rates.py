"""Which frame rates an exploration asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UnknownNameError

DEFAULT_POINTS = 8
"""Frame rates of a range, or of a board, unless the user says otherwise."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Frame rates to plan for.

    Parameters
    ----------
    asked : tuple of float - frames per second; empty: as many as fit, halved again and again
    points : int - plans of each network and board where nothing is asked for
    """

    asked: tuple[float, ...] = ()
    points: int = DEFAULT_POINTS

    def below(self, fastest: float) -> tuple[float, ...]:
        """Frame rates to ask for beside the fastest plan, falling, where nothing is asked for."""
        return tuple(fastest / 2**k for k in range(1, self.points))


def parse_rates(text: str | None) -> Rates:
    """Frame rates from ``LOW:HIGH``, ``LOW:HIGH:COUNT`` (evenly spaced in their logarithm) or ``A,B,C``; None: see `Rates`.

    Raises
    ------
    UnknownNameError - it is none of these
    """
    if text is None:
        return Rates()
    try:
        return Rates(_range(text) if ":" in text else _listed(text))
    except ValueError as error:
        raise UnknownNameError(
            f"--fps {text}: not frame rates ({error})",
            f"Give LOW:HIGH, LOW:HIGH:COUNT or A,B,C, for example 100:10000:{DEFAULT_POINTS}.",
        ) from error


def _range(text: str) -> tuple[float, ...]:
    low, high, *rest = text.split(":")
    count = int(rest[0]) if rest else DEFAULT_POINTS
    if len(rest) > 1 or count < 2:
        raise ValueError("a range has two ends, and a count of at least 2")
    ends = _listed(f"{low},{high}")
    if len(ends) < 2 or float(low) > float(high):
        raise ValueError(f"{low} must be less than {high}")
    return tuple(float(rate) for rate in np.geomspace(ends[0], ends[1], count))


def _listed(text: str) -> tuple[float, ...]:
    rates = sorted({float(word) for word in text.split(",")})
    for rate in rates:
        if not 0 < rate < float("inf"):
            raise ValueError(f"{rate:g} is not above 0")
    return tuple(rates)
