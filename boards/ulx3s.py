"""ULX3S (Radiona): Lattice ECP5 of four sizes, 25 MHz oscillator, FT231X for programming and UART.

References
----------
Pin L2, wifi_gpio0: github.com/emard/ulx3s, doc/constraints/ulx3s_v20.lpf, which has the UART where amaranth-boards has it (L4 to the FT231X, M1 from it).
"""

from amaranth.build import Attrs, Pins, Platform, Resource
from amaranth_boards import ulx3s

from .board import Board, Capacity
from .build_only import build_only
from .devices import ECP5_25, ECP5_45, ECP5_85
from .ftdi import FT231X, ftdi_uart
from .programming import Programming, jtag

_ESP32_BOOT = "esp32_boot"


def _platform(platform_class: type[Platform]) -> Platform:
    """A platform that also names pin L2: the ESP32 restarts, and may reload the FPGA, while it is low."""
    platform = build_only(platform_class)
    platform.add_resources(
        [Resource(_ESP32_BOOT, 0, Pins("L2", dir="o"), Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP"))]
    )
    return platform


def _board(size: str, platform_class: type[Platform], capacity: Capacity) -> Board:
    return Board(
        name=f"ulx3s-{size.lower()}",
        title=f"ULX3S {size}",
        family="ecp5",
        device=f"LFE5U-{size}",
        package="BG381",
        capacity=capacity,
        oscillator="clk25",
        oscillator_hz=25_000_000,
        clock_hz=75_000_000,
        uart=ftdi_uart("FT231X", FT231X),
        memory="32 MB SDRAM, flash",
        programming=Programming((jtag("ulx3s"),), (FT231X,)),
        platform=lambda: _platform(platform_class),
        held_high=(_ESP32_BOOT,),
    )


ULX3S_12F = _board("12F", ulx3s.ULX3S_12F_Platform, ECP5_25)
ULX3S_25F = _board("25F", ulx3s.ULX3S_25F_Platform, ECP5_25)
ULX3S_45F = _board("45F", ulx3s.ULX3S_45F_Platform, ECP5_45)
ULX3S_85F = _board("85F", ulx3s.ULX3S_85F_Platform, ECP5_85)
