"""Training of binary networks with RBONN's scale factors and bilinear term; what comes out are checkpoints that `lower` reads."""

from .checkpoint import load_checkpoint, read_checkpoint
from .experiment import Experiment, find_experiment, load_experiment, shipped_experiments
from .fit import train
from .loop import TrainingError
from .training_result import TrainingResult

__all__ = [
    "Experiment",
    "TrainingError",
    "TrainingResult",
    "find_experiment",
    "load_checkpoint",
    "load_experiment",
    "read_checkpoint",
    "shipped_experiments",
    "train",
]
