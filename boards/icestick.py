"""iCEstick (Lattice): iCE40HX1K, 12 MHz oscillator, FT2232H for programming and UART."""

from amaranth_boards.icestick import ICEStickPlatform

from .board import Board
from .devices import HX1K
from .ftdi import FT2232H, ftdi_uart
from .programming import Programming, spi

ICESTICK = Board(
    name="icestick",
    title="iCEstick",
    family="ice40",
    device="iCE40HX1K",
    package="TQ144",
    capacity=HX1K,
    oscillator="clk12",
    oscillator_hz=12_000_000,
    clock_hz=48_000_000,
    uart=ftdi_uart("FT2232H", FT2232H),
    memory="4 MB flash",
    programming=Programming(spi(), (FT2232H,)),
    platform=ICEStickPlatform,
    pll_on_pad=False,
)
