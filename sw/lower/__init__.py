"""Trained torch modules become integer networks: one pass per file, and the proof that nothing was lost."""

from .agreement import Agreement, Difference, compare
from .checkpoint import Trained, lower_checkpoint, read_trained
from .lowering import lower
from .residual_agreement import ResidualAgreement, compare_residual
from .stream_format import FixedPoint

__all__ = [
    "Agreement",
    "Difference",
    "FixedPoint",
    "ResidualAgreement",
    "Trained",
    "compare",
    "compare_residual",
    "lower",
    "lower_checkpoint",
    "read_trained",
]
