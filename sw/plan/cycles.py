"""How many cycles an accelerator takes: for the first frame, and from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ...hw.accelerator import AcceleratorConfig
from .play import play
from .schedule import first_frame_latency

MOST_STEPS = 30_000_000
"""Cycles times stages of the longest plays, about ten seconds."""

FRAMES = 3
"""Frames, about, after whose latency a play repeats itself."""


@dataclass(frozen=True, slots=True)
class Cycles:
    """Cycles with bytes always offered and scores always taken.

    Members
    -------
    latency : int - from the first byte of the first frame to its last score
    interval : Fraction - from frame to frame in the long run, the mean where frames differ
    is_exact : bool - both were played (`play`) and are those of every simulation; otherwise no accelerator is faster, and one whose stages are not held up is not slower
    """

    latency: int
    interval: Fraction
    is_exact: bool


def cycles_of(config: AcceleratorConfig, most_steps: int = MOST_STEPS) -> Cycles:
    """Latency and interval of an accelerator; exact unless playing it would take more than `most_steps` steps, or it stands still."""
    latency, interval = first_frame_latency(config), config.interval_cycles
    if (latency + FRAMES * interval) * len(config.stages) <= most_steps:
        played = play(config)
        if played.interval is not None:
            return Cycles(played.first_frame_latency, played.interval, True)
    return Cycles(latency, Fraction(interval), False)
