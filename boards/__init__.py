"""The boards that accelerators are built for, on top of amaranth-boards.

A board is one file with one or more `Board` objects, listed in `BOARDS` below. To add one:

1. copy `icebreaker.py` (iCE40) or `ecpix5.py` (ECP5); `platform` is the class of amaranth-boards, or your own subclass of
   `amaranth.vendor.LatticeICE40Platform` or `LatticeECP5Platform` with the pins of the oscillator and a UART resource (`colorlight_i.py`);
2. `capacity` is the device's in `devices.py`; `clock_hz` must be a frequency that `board.pll` makes; on an iCE40 `pll_on_pad` says whether a PLL
   lies at the oscillator's pin;
3. `uart` and `programming` say how the host reaches it and how a bitstream gets onto it;
4. add the object to `BOARDS`. Nothing else names boards; `python benchmarks/boards.py` builds for it, docs/boards.md then has its row.

A program that has a board of its own passes the `Board` object itself to `rbonn.sw.build.build`.
"""

import difflib

from .board import Board, Capacity, Family, Uart
from .board_top import BoardTop
from .colorlight_5a75b import COLORLIGHT_5A75B
from .colorlight_i import COLORLIGHT_I5, COLORLIGHT_I9
from .ecpix5 import ECPIX5_45, ECPIX5_85
from .ice40_hx8k_evn import ICE40_HX8K_EVN
from .icebreaker import ICEBREAKER
from .icestick import ICESTICK
from .icesugar import ICESUGAR
from .orangecrab import ORANGECRAB_25F, ORANGECRAB_85F
from .pll import Ecp5PllSetting, Ice40PllSetting, PllSetting, ecp5_pll, ice40_pll
from .programming import Programmer, Programming
from .ulx3s import ULX3S_12F, ULX3S_25F, ULX3S_45F, ULX3S_85F
from .upduino import UPDUINO_V3

__all__ = [
    "BOARDS",
    "COLORLIGHT_5A75B",
    "COLORLIGHT_I5",
    "COLORLIGHT_I9",
    "ECPIX5_45",
    "ECPIX5_85",
    "ICE40_HX8K_EVN",
    "ICEBREAKER",
    "ICESTICK",
    "ICESUGAR",
    "ORANGECRAB_25F",
    "ORANGECRAB_85F",
    "ULX3S_12F",
    "ULX3S_25F",
    "ULX3S_45F",
    "ULX3S_85F",
    "UPDUINO_V3",
    "Board",
    "BoardTop",
    "Capacity",
    "Ecp5PllSetting",
    "Family",
    "Ice40PllSetting",
    "PllSetting",
    "Programmer",
    "Programming",
    "Uart",
    "ecp5_pll",
    "find",
    "ice40_pll",
    "nearest_name",
]

BOARDS: dict[str, Board] = {
    board.name: board
    for board in (
        ICEBREAKER,
        UPDUINO_V3,
        ICESUGAR,
        ICESTICK,
        ICE40_HX8K_EVN,
        ULX3S_12F,
        ULX3S_25F,
        ULX3S_45F,
        ULX3S_85F,
        ORANGECRAB_25F,
        ORANGECRAB_85F,
        ECPIX5_45,
        ECPIX5_85,
        COLORLIGHT_I5,
        COLORLIGHT_I9,
        COLORLIGHT_5A75B,
    )
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
