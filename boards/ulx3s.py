"""ULX3S (Radiona): Lattice ECP5 of four sizes, 25 MHz oscillator, FT231X for programming and UART."""

from amaranth.build import Attrs, Pins, Platform, Resource
from amaranth_boards import ulx3s

from .board import Board, Capacity, Uart

_ESP32_BOOT = "esp32_boot"


class _BuildOnly:
    """Leaves out of the required tools what only programming needs, and names the ESP32's boot pin."""

    @property
    def required_tools(self) -> list[str]:
        return [tool for tool in super().required_tools if tool != "openFPGALoader"]


def _platform(platform_class: type[Platform]) -> Platform:
    """A platform that also names pin L2: the ESP32 restarts, and may reload the FPGA, while it is low."""
    platform = type(platform_class.__name__, (_BuildOnly, platform_class), {})()
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
        # The bridge divides 3 MHz, so above 2 Mbaud it makes 3 Mbaud only.
        uart=Uart(
            bauds=(3_000_000, 2_000_000, 1_500_000, 1_000_000, 500_000, 115_200),
            usb_ids=((0x0403, 0x6015),),
        ),
        programmer="ulx3s",
        loads_sram=True,
        platform=lambda: _platform(platform_class),
        held_high=(_ESP32_BOOT,),
    )


_SMALL = Capacity(lut4=24_288, block_rams=56, block_ram_bits=18_432, dsp=28)

# nextpnr treats the 12F as what it is: a 25F with another identity.
ULX3S_12F = _board("12F", ulx3s.ULX3S_12F_Platform, _SMALL)
ULX3S_25F = _board("25F", ulx3s.ULX3S_25F_Platform, _SMALL)
ULX3S_45F = _board(
    "45F",
    ulx3s.ULX3S_45F_Platform,
    Capacity(lut4=43_848, block_rams=108, block_ram_bits=18_432, dsp=72),
)
# Place and route of a full 85F takes long: it is filled to three fifths at first, more where that is worth it.
ULX3S_85F = _board(
    "85F",
    ulx3s.ULX3S_85F_Platform,
    Capacity(
        lut4=83_640,
        block_rams=208,
        block_ram_bits=18_432,
        dsp=156,
        plan_lut4=(50_000, 60_000, 75_000),
    ),
)
