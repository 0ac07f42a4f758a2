"""iCE40-HX8K breakout board (Lattice): iCE40HX8K, 12 MHz oscillator, FT2232H for programming and UART."""

from amaranth_boards.ice40_hx8k_b_evn import ICE40HX8KBEVNPlatform

from .board import Board
from .devices import HX8K
from .ftdi import FT2232H, ftdi_uart
from .programming import Programmer, Programming, spi

ICE40_HX8K_EVN = Board(
    name="ice40-hx8k-evn",
    title="iCE40-HX8K breakout board",
    family="ice40",
    device="iCE40HX8K",
    package="CT256",
    capacity=HX8K,
    oscillator="clk12",
    oscillator_hz=12_000_000,
    clock_hz=48_000_000,
    uart=ftdi_uart("FT2232H", FT2232H),
    memory="4 MB flash",
    programming=Programming(
        (*spi(), Programmer("iceprog", (), ("-S",))),
        (FT2232H,),
        by_hand="jumpers J6 as for the flash",
        volatile_by_hand="jumpers J6 as for CRAM programming",
    ),
    platform=ICE40HX8KBEVNPlatform,
    pll_on_pad=False,
)
