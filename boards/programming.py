"""How bitstreams get onto boards: which programs write them, with which options, and what the board then is on the USB."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Programmer:
    """A program that writes a board. The bitstream's name follows its options.

    Parameters
    ----------
    name : str - name of the program
    flash : tuple of str - options with which it writes the flash, from which the device loads itself at power-up
    volatile : tuple of str or None - options with which it loads the device and leaves the flash as it is; None: it cannot
    """

    name: str
    flash: tuple[str, ...]
    volatile: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Programming:
    """The ways onto a board.

    Parameters
    ----------
    programmers : tuple of Programmer - the first that is installed is taken
    usb_ids : tuple of (int, int) - vendor and product numbers of which the board has one while it is written; none: a cable of the user's writes it
    by_hand : str - what has to be done before, empty where nothing
    volatile_by_hand : str - what has to be done before the device alone is loaded, empty where nothing
    """

    programmers: tuple[Programmer, ...]
    usb_ids: tuple[tuple[int, int], ...]
    by_hand: str = ""
    volatile_by_hand: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the programs."""
        return tuple(programmer.name for programmer in self.programmers)

    @property
    def loads_device(self) -> bool:
        """Whether some program loads the device past its flash."""
        return any(programmer.volatile is not None for programmer in self.programmers)

    @property
    def needs_cable(self) -> bool:
        """Whether the user has to say which cable writes it."""
        return not self.usb_ids


def jtag(board: str, *for_flash: str) -> Programmer:
    """What writes a board through JTAG: openFPGALoader, which calls it by that name, with further options where it writes the flash."""
    return Programmer("openFPGALoader", ("-b", board, *for_flash, "-f"), ("-b", board, "-m"))


def spi(*cable: str) -> tuple[Programmer, Programmer]:
    """What writes the flash of an iCE40 through an FTDI chip, openFPGALoader with options that name another chip than an FT2232H.

    The device itself is reached past its flash on few boards.
    """
    return Programmer("openFPGALoader", ("-b", "ice40_generic", *cable)), Programmer("iceprog", ())
