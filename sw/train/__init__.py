"""Training of binary networks by recurrent bilinear optimisation; what comes out are checkpoints that `lower` reads."""

from .checkpoint import load_checkpoint, read_checkpoint
from .distributed import is_main_process
from .experiment import Experiment, find_experiment, load_experiment, shipped_experiments
from .experiment_summary import experiment_summary
from .fit import train
from .loop import TrainingError
from .recurrent import RecurrentOptimisation
from .training_result import TrainingResult

__all__ = [
    "Experiment",
    "RecurrentOptimisation",
    "TrainingError",
    "TrainingResult",
    "experiment_summary",
    "find_experiment",
    "is_main_process",
    "load_checkpoint",
    "load_experiment",
    "read_checkpoint",
    "shipped_experiments",
    "train",
]
