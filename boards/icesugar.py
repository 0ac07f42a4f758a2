"""iCESugar (MuseLab): Lattice iCE40UP5K, 12 MHz and UART from a microcontroller, iCELink, that also writes the flash."""

from amaranth_boards.icesugar import ICESugarPlatform

from .board import Board
from .devices import UP5K
from .icelink import ICELINK_USB, icelink_uart
from .programming import Programmer, Programming

ICESUGAR = Board(
    name="icesugar",
    title="iCESugar",
    family="ice40",
    device="iCE40UP5K",
    package="SG48",
    capacity=UP5K,
    oscillator="clk12",
    oscillator_hz=12_000_000,
    clock_hz=36_000_000,
    uart=icelink_uart(),
    memory="8 MB flash",
    programming=Programming((Programmer("icesprog", ()),), (ICELINK_USB,)),
    platform=ICESugarPlatform,
    remark="without icesprog, copy top.bin to the drive iCELINK that the board is on the USB",
)
