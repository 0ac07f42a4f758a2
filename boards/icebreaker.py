"""iCEBreaker (1BitSquared): Lattice iCE40UP5K, 12 MHz oscillator, FT2232H for programming and UART."""

from amaranth_boards.icebreaker import ICEBreakerPlatform

from .board import Board
from .devices import UP5K
from .ftdi import FT2232H, ftdi_uart
from .programming import Programming, spi

ICEBREAKER = Board(
    name="icebreaker",
    title="iCEBreaker",
    family="ice40",
    device="iCE40UP5K",
    package="SG48",
    capacity=UP5K,
    oscillator="clk12",
    oscillator_hz=12_000_000,
    clock_hz=36_000_000,
    uart=ftdi_uart("FT2232H", FT2232H),
    memory="16 MB flash",
    programming=Programming(spi(), (FT2232H,)),
    platform=ICEBreakerPlatform,
)
