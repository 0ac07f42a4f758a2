"""What a user is told when a training's numbers stop being numbers."""

from __future__ import annotations

from pathlib import Path

from ..errors import RbonnError
from .finiteness import NonFiniteError
from .training_state import Position


class TrainingError(RbonnError):
    """A training cannot go on: its loss, a gradient or a weight is not a number any more."""


def training_error(
    error: NonFiniteError, name: str, position: Position, rate: float, last: Path
) -> TrainingError:
    """The error for what was found in the step after `position`.

    Parameters
    ----------
    name : str - of the experiment
    rate : float - the stage's learning rate
    last : Path - where the state before lies, if it was written yet
    """
    saved = f"{last} is from before" if last.exists() else "no checkpoint had been written yet"
    return TrainingError(
        f"{name}: {error.what} in step {position.step + 1} of epoch {position.epoch + 1}, {error.where}",
        f"Lower the stage's learning_rate (it is {rate}) and train again; {saved}.",
    )
