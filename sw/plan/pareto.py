"""Which of several designs are worth having: those that no other one beats in everything that matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Merit:
    """What a design is judged by.

    Parameters
    ----------
    lut4 : int - lookup tables, the fewer the better
    frames_per_second : float - the more the better
    accuracy : float or None - right answers, 0 to 1, the more the better; None: not known
    network : str - identity of the network, e.g. its hash
    dataset : str - what the accuracy was measured on; empty: not known
    """

    lut4: int
    frames_per_second: float
    accuracy: float | None
    network: str
    dataset: str

    def is_comparable(self, other: Merit) -> bool:
        """Whether one can take the other's place: the same network, or accuracies that are known and of the same data set."""
        if self.network == other.network:
            return True
        is_known = self.accuracy is not None and other.accuracy is not None
        return is_known and bool(self.dataset) and self.dataset == other.dataset

    def is_as_good_as(self, other: Merit) -> bool:
        """Whether it can take the other's place and is not worse in anything."""
        if not self.is_comparable(other):
            return False
        is_as_accurate = self.network == other.network or (self.accuracy or 0) >= (
            other.accuracy or 0
        )
        is_as_fast = self.frames_per_second >= other.frames_per_second
        return is_as_accurate and is_as_fast and self.lut4 <= other.lut4


def on_front(merits: Sequence[Merit]) -> list[bool]:
    """Whether each design is on the Pareto front: no other one is as good in everything and better in something.

    Of designs that are equally good, the first one is on it.
    """
    return [
        not any(
            other.is_as_good_as(merit) and (position < index or not merit.is_as_good_as(other))
            for position, other in enumerate(merits)
            if position != index
        )
        for index, merit in enumerate(merits)
    ]
