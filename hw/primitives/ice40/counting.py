"""Counting and accumulating on iCE40."""

from dataclasses import dataclass

from amaranth import *

from ..portable import PortableCounting


@dataclass(frozen=True)
class Ice40Counting(PortableCounting):
    """See `CountingForm`.

    Parameters
    ----------
    carry_lanes : bool - lanes at the carry-in of every adder: smaller; the router cannot always cope with it on an HX8K
    """

    carry_lanes: bool = False
    preset_last = True
