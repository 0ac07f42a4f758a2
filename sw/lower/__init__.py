"""Trained torch modules become integer networks: one pass per file, and the proof that nothing was lost."""

from .agreement import Agreement, Difference, compare
from .checkpoint import Trained, lower_checkpoint, read_trained
from .lowering import lower

__all__ = [
    "Agreement",
    "Difference",
    "Trained",
    "compare",
    "lower",
    "lower_checkpoint",
    "read_trained",
]
