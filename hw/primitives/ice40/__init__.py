"""Forms for iCE40."""

from .counting import Ice40Counting

__all__ = ["Ice40Counting"]
