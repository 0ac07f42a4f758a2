"""What the project knows about a board: its device, its clock, its link, and how it is programmed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from amaranth.build import Platform

from .pll import PllSetting, ecp5_pll, ice40_pll
from .programming import Programming

Family = Literal["ice40", "ecp5"]


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a device has, as nextpnr counts it.

    Parameters
    ----------
    lut4 : int - four-input lookup tables, each with a flip-flop
    block_rams : int - block RAMs (iCE40: SB_RAM40_4K; ECP5: DP16KD)
    block_ram_bits : int - bits of one block RAM
    dsp : int - multipliers (iCE40: SB_MAC16; ECP5: MULT18X18D)
    single_port_rams : int - large RAMs without initial contents (SB_SPRAM256KA, 256 kbit each)
    plan_lut4 : tuple of int - lookup tables that a plan may fill by estimate, the first number that suffices; none: `PLAN_SHARE` of `lut4`
    """

    lut4: int
    block_rams: int
    block_ram_bits: int
    dsp: int = 0
    single_port_rams: int = 0
    plan_lut4: tuple[int, ...] = ()

    PLAN_SHARE = Fraction(4, 5)
    """Part of a device's lookup tables that is planned: more is hard to route, and estimates err."""

    @property
    def lut4_budgets(self) -> tuple[int, ...]:
        """Lookup tables that a plan may fill by estimate, rising."""
        return self.plan_lut4 or (int(self.lut4 * self.PLAN_SHARE),)

    @property
    def ff(self) -> int:
        """Flip-flops: one beside each lookup table."""
        return self.lut4


@dataclass(frozen=True, slots=True)
class Uart:
    """The board's serial port towards the host.

    Parameters
    ----------
    bauds : tuple[int, ...] - speeds the USB bridge and the host's driver make exactly, fastest first
    usb_ids : tuple[tuple[int, int], ...] - vendor and product numbers of the bridge, to find its port; none: pins for a bridge of the user's
    via : str - chip of the bridge, or where the pins are
    resource : str - name of the platform's UART resource
    """

    bauds: tuple[int, ...]
    usb_ids: tuple[tuple[int, int], ...]
    via: str
    resource: str = "uart"

    TOLERANCE = Fraction(5, 1000)
    """Largest relative error of the board's baud rate: over ten bits it moves the last sample by a twentieth of a bit."""
    LEAST_DIVISOR = 8
    """Fewest clock cycles per bit, so that a sample lies within a sixteenth of a bit of the middle."""

    def baud(self, clock_hz: Fraction | int) -> int:
        """The fastest of `bauds` that a clock of `clock_hz` divides down to.

        Raises
        ------
        ValueError - none of them
        """
        for baud in self.bauds:
            divisor = round(Fraction(clock_hz) / baud)
            if (
                divisor >= self.LEAST_DIVISOR
                and abs(Fraction(clock_hz) / divisor - baud) <= self.TOLERANCE * baud
            ):
                return baud
        raise ValueError(
            f"Clock must be near a multiple of one of the baud rates {self.bauds}, not {float(clock_hz):g} Hz"
        )


@dataclass(frozen=True, slots=True)
class Board:
    """A board that accelerators are built for.

    Parameters
    ----------
    name : str - name on the command line, e.g. ``ulx3s-25f``
    title : str - name on the box
    family : str - ``ice40`` or ``ecp5``
    device, package : str - part as its maker calls it
    capacity : Capacity - what the device has
    oscillator : str - name of the platform's clock resource
    oscillator_hz : int - its frequency
    clock_hz : int - clock of the accelerator unless the user asks for another one
    uart : Uart - link to the host
    memory : str - memory chips beside the device, in words; accelerators keep everything on the device
    programming : Programming - how a bitstream gets onto it
    platform : Callable[[], Platform] - makes a fresh amaranth-boards platform; each build needs its own
    held_high : tuple[str, ...] - output resources that the design holds at 1
    pll_on_pad : bool - iCE40: whether a PLL lies at the oscillator's pin, else the clock reaches it through the fabric
    remark : str - what else has to be known or done to use it, empty where nothing
    """

    name: str
    title: str
    family: Family
    device: str
    package: str
    capacity: Capacity
    oscillator: str
    oscillator_hz: int
    clock_hz: int
    uart: Uart
    memory: str
    programming: Programming
    platform: Callable[[], Platform]
    held_high: tuple[str, ...] = ()
    pll_on_pad: bool = True
    remark: str = ""

    @property
    def link(self) -> str:
        """How the host reaches the board at the default clock, for tables."""
        return f"uart {self.uart.baud(self.clock_hz)} baud"

    @property
    def bitstream_suffix(self) -> str:
        """Suffix of the file that the programmer takes."""
        return {"ice40": ".bin", "ecp5": ".bit"}[self.family]

    def pll(self, clock_hz: int) -> PllSetting:
        """PLL setting that makes `clock_hz` from the board's oscillator.

        Raises
        ------
        ValueError - the PLL cannot make it
        """
        search = {"ice40": ice40_pll, "ecp5": ecp5_pll}[self.family]
        return search(self.oscillator_hz, clock_hz)
