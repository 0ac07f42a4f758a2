"""Counting and accumulating on ECP5."""

from ..portable import PortableCounting


class Ecp5Counting(PortableCounting):
    """See `CountingForm`."""

    carry_lanes = True
    preset_last = False
