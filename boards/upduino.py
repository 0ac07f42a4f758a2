"""UPduino v3 (tinyVision.ai): Lattice iCE40UP5K, 12 MHz oscillator behind a jumper, FT232H for programming and UART.

References
----------
UART: upduino.pcf of github.com/tinyvision-ai-inc/UPduino-v3.0: serial_txd 14, serial_rxd 15, with spi_cs 16 high; amaranth-boards has no UART.
"""

from amaranth.build import Attrs, Pins, Platform, Resource
from amaranth_boards.resources import UARTResource
from amaranth_boards.upduino_v3 import UpduinoV3Platform

from .board import Board
from .devices import UP5K
from .ftdi import FT232H, ftdi_uart
from .programming import Programming, spi

_FLASH_DESELECTED = "flash_deselected"


class _Platform(UpduinoV3Platform):
    """The bridge's serial port lies on the wires of the flash, so that the flash must not be selected; and the accurate oscillator is the one at pin 20."""

    default_clk = "clk12"
    resources = (
        *(r for r in UpduinoV3Platform.resources if not r.name.startswith("spi_flash")),
        UARTResource(0, rx="15", tx="14", attrs=Attrs(IO_STANDARD="SB_LVCMOS")),
        Resource(_FLASH_DESELECTED, 0, Pins("16", dir="o"), Attrs(IO_STANDARD="SB_LVCMOS")),
    )


def _platform() -> Platform:
    return _Platform()


UPDUINO_V3 = Board(
    name="upduino-v3",
    title="UPduino v3",
    family="ice40",
    device="iCE40UP5K",
    package="SG48",
    capacity=UP5K,
    oscillator="clk12",
    oscillator_hz=12_000_000,
    clock_hz=36_000_000,
    uart=ftdi_uart("FT232H", FT232H),
    memory="4 MB flash",
    programming=Programming(spi("-c", "ft232"), (FT232H,)),
    platform=_platform,
    held_high=(_FLASH_DESELECTED,),
    pll_on_pad=False,
    remark="close the solder jumper OSC (R16): it brings the 12 MHz to pin 20; the device's own oscillator is too inaccurate for a serial port",
)
