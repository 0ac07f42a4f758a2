"""Colorlight i5 v7.0 and i9 v7.2 (receiver cards as modules) on MuseLab's extension board: Lattice ECP5, 25 MHz oscillator, iCELink for programming and UART.

References
----------
Clock, LEDs, memory: github.com/wuxx/Colorlight-FPGA-Projects, README.md and colorlight_i9_v7.2.md; its factory/i5 and factory/i9 lift the write protection that the
flash is delivered with. UART: github.com/litex-hub/litex-boards, platforms/colorlight_i5.py; of the i9 the same pins of the module's connector (84 and 86).
"""

from amaranth.build import Attrs, Clock, Pins, Resource
from amaranth.vendor import LatticeECP5Platform
from amaranth_boards.resources import LEDResources, UARTResource

from .board import Board, Capacity
from .devices import ECP5_25, ECP5_45
from .icelink import DAPLINK_USB, icelink_uart
from .programming import Programming, jtag


def _resources(led: str) -> list[Resource]:
    attributes = Attrs(IO_TYPE="LVCMOS33")
    return [
        Resource("clk25", 0, Pins("P3", dir="i"), Clock(25e6), attributes),
        *LEDResources(pins=led, invert=True, attrs=attributes),
        UARTResource(0, rx="H18", tx="J17", attrs=attributes),
    ]


class ColorlightI5Platform(LatticeECP5Platform):
    """What an accelerator needs of a Colorlight i5 v7.0, in the style of amaranth-boards, which lacks it."""

    device = "LFE5U-25F"
    package = "BG381"
    speed = "6"
    default_clk = "clk25"
    resources = _resources(led="U16")
    connectors = ()


class ColorlightI9Platform(ColorlightI5Platform):
    """The same of a Colorlight i9 v7.2."""

    device = "LFE5U-45F"
    resources = _resources(led="L2")


def _board(
    number: str, platform: type[LatticeECP5Platform], capacity: Capacity, memory: str
) -> Board:
    return Board(
        name=f"colorlight-{number}",
        title=f"Colorlight {number}",
        family="ecp5",
        device=platform.device,
        package="BG381",
        capacity=capacity,
        oscillator="clk25",
        oscillator_hz=25_000_000,
        clock_hz=75_000_000,
        uart=icelink_uart(DAPLINK_USB),
        memory=memory,
        programming=Programming(
            (jtag(f"colorlight-{number}", "--unprotect-flash"),), (DAPLINK_USB,)
        ),
        platform=platform,
        remark="on MuseLab's extension board; its iCELink is the programmer and the serial port",
    )


COLORLIGHT_I5 = _board("i5", ColorlightI5Platform, ECP5_25, "8 MB SDRAM, 2 MB flash")
COLORLIGHT_I9 = _board("i9", ColorlightI9Platform, ECP5_45, "8 MB SDRAM, 8 MB flash")
