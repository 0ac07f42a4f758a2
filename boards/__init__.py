"""The boards that accelerators are built for, on top of amaranth-boards.

A board is one file with one or more `Board` objects, listed in `BOARDS` below. To add one:

1. copy `icebreaker.py` (iCE40) or `ulx3s.py` (ECP5); `platform` is the class of amaranth-boards, or your own subclass of
   `amaranth.vendor.LatticeICE40Platform` or `LatticeECP5Platform` with the pins of the oscillator and a UART resource;
2. `capacity` is what nextpnr's utilisation table calls available; `clock_hz` must be a frequency that `board.pll` makes;
   on an iCE40 `pll_on_pad` says whether a PLL lies at the oscillator's pin;
3. add the object to `BOARDS`. Nothing else names boards.

A program that has a board of its own passes the `Board` object itself to `rbonn.sw.build.build`.
"""

import difflib

from .board import Board, Capacity, Family, Uart
from .board_top import BoardTop
from .icebreaker import ICEBREAKER
from .pll import Ecp5PllSetting, Ice40PllSetting, PllSetting, ecp5_pll, ice40_pll
from .ulx3s import ULX3S_12F, ULX3S_25F, ULX3S_45F, ULX3S_85F

__all__ = [
    "BOARDS",
    "ICEBREAKER",
    "ULX3S_12F",
    "ULX3S_25F",
    "ULX3S_45F",
    "ULX3S_85F",
    "Board",
    "BoardTop",
    "Capacity",
    "Ecp5PllSetting",
    "Family",
    "Ice40PllSetting",
    "PllSetting",
    "Uart",
    "ecp5_pll",
    "find",
    "ice40_pll",
    "nearest_name",
]

BOARDS: dict[str, Board] = {
    board.name: board for board in (ICEBREAKER, ULX3S_12F, ULX3S_25F, ULX3S_45F, ULX3S_85F)
}
"""Every board by its name."""


def find(name: str) -> Board:
    """The board of that name (upper and lower case are the same).

    Raises
    ------
    LookupError - there is none; `rbonn.sw.build.find_board` says so to a user
    """
    try:
        return BOARDS[name.lower()]
    except KeyError:
        raise LookupError(f"Board must be one of {', '.join(BOARDS)}, not {name!r}") from None


def nearest_name(name: str) -> str | None:
    """The board's name that looks most like `name`, or None where none does."""
    return next(iter(difflib.get_close_matches(name.lower(), BOARDS, n=1, cutoff=0.4)), None)
