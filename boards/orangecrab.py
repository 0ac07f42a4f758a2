"""OrangeCrab r0.2 (Greg Davill): Lattice ECP5 of two sizes, 48 MHz oscillator, written through its bootloader on the USB; UART on pins.

References
----------
USB numbers of the bootloader: the udev rule of orangecrab-fpga.github.io, getting started.
"""

from amaranth.build import Attrs, Platform
from amaranth_boards import orangecrab_r0_2
from amaranth_boards.resources import UARTResource

from .board import Board, Capacity, Uart
from .build_only import build_only
from .devices import ECP5_25, ECP5_85
from .ftdi import BAUDS
from .programming import Programmer, Programming

_BOOTLOADER = (0x1209, 0x5AF0)


def _platform(platform_class: type[Platform]) -> Platform:
    """A platform with the UART where boards of this form, Feathers, have it."""
    platform = build_only(platform_class)
    platform.add_resources(
        [UARTResource(0, rx="0", tx="1", conn=("io", 0), attrs=Attrs(IO_TYPE="LVCMOS33"))]
    )
    return platform


def _board(size: str, platform_class: type[Platform], capacity: Capacity) -> Board:
    return Board(
        name=f"orangecrab-{size.lower()}",
        title=f"OrangeCrab r0.2 {size}",
        family="ecp5",
        device=f"LFE5U-{size}",
        package="MG285",
        capacity=capacity,
        oscillator="clk",
        oscillator_hz=48_000_000,
        clock_hz=84_000_000,
        uart=Uart(bauds=BAUDS, usb_ids=(), via="pins: 0 is RX, 1 is TX, 3.3 V"),
        memory="128 MB DDR3, 16 MB flash",
        programming=Programming(
            (Programmer("dfu-util", ("-d", "1209:5af0", "-a", "0", "-D")),),
            (_BOOTLOADER,),
            by_hand="hold the button while you plug it in: the bootloader starts",
        ),
        platform=lambda: _platform(platform_class),
    )


ORANGECRAB_25F = _board("25F", orangecrab_r0_2.OrangeCrabR0_2_25FPlatform, ECP5_25)
ORANGECRAB_85F = _board("85F", orangecrab_r0_2.OrangeCrabR0_2_85FPlatform, ECP5_85)
