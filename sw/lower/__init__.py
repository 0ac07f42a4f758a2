"""Trained torch modules become integer networks: one pass per file, and the proof that nothing was lost."""

from .agreement import Agreement, Difference, compare
from .lowering import lower

__all__ = ["Agreement", "Difference", "compare", "lower"]
