"""Forms for any device: the reference for all others."""

from .counting import PortableCounting

__all__ = ["PortableCounting"]
