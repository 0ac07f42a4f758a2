"""How good a plan is known to be: what it reaches, and what no plan of the same options comes below, by the estimates that plans are made with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Goal = Literal["cycles", "LUT4", "logic cells"]


@dataclass(frozen=True, slots=True)
class Proof:
    """What the solver proved of a plan.

    Members
    -------
    goal : str - what was to be least: "cycles" of a frame; or, at a frame rate, "LUT4" (on iCE40 "logic cells")
    reached : int - of the plan
    bound : int - what no plan is below, at most `reached`
    budget : int or None - lookup tables within which that holds; None: those of the board's largest budget
    """

    goal: Goal
    reached: int
    bound: int
    budget: int | None = None

    @property
    def is_optimal(self) -> bool:
        """Whether no plan is better."""
        return self.reached <= self.bound

    @property
    def gap(self) -> float:
        """By how much of the best one the plan is worse at most."""
        return self.reached / self.bound - 1

    def text(self) -> str:
        """In a line."""
        within = "" if self.budget is None else f" within {self.budget} LUT4"
        at_rate = "" if self.goal == "cycles" else " at this frame rate"
        if self.is_optimal:
            return f"proved: no plan{at_rate}{within} has fewer {self.goal}"
        bound = f"bound {self.bound} {self.goal}{at_rate}{within}"
        return f"at most {100 * self.gap:.1f} % from the best ({bound})"
