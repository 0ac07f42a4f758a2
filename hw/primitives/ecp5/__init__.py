"""Forms for ECP5."""

from .counting import Ecp5Counting

__all__ = ["Ecp5Counting"]
