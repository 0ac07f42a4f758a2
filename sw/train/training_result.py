"""What a training gave: accuracies with the number of images they were found on and their intervals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .evaluation import wilson_interval
from .training_state import Position


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a training gave.

    Parameters
    ----------
    checkpoint : Path - the network of the best epoch
    best_epoch : int - counted from 1
    selection_accuracy : float - share, on the images that chose the best epoch: too high by that choice
    held_out_accuracy, test_accuracy : float - shares, on images that chose nothing, measured once
    held_out_images, test_images : int - how many
    held_out_interval, test_interval : (float, float) - 95 % intervals of the shares (Wilson)
    seconds : float - of training, all resumed parts together
    """

    checkpoint: Path
    best_epoch: int
    selection_accuracy: float
    held_out_accuracy: float
    held_out_images: int
    held_out_interval: tuple[float, float]
    test_accuracy: float
    test_images: int
    test_interval: tuple[float, float]
    seconds: float

    @classmethod
    def of(
        cls,
        checkpoint: Path,
        position: Position,
        held_out: tuple[float, int],
        test: tuple[float, int],
    ) -> TrainingResult:
        """The result of a training at its end; `held_out` and `test` are shares and the numbers of images they were found on."""
        return cls(
            checkpoint=checkpoint,
            best_epoch=position.best_epoch,
            selection_accuracy=position.selection_accuracy,
            held_out_accuracy=held_out[0],
            held_out_images=held_out[1],
            held_out_interval=wilson_interval(*held_out),
            test_accuracy=test[0],
            test_images=test[1],
            test_interval=wilson_interval(*test),
            seconds=position.seconds,
        )
