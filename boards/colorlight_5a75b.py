"""Colorlight 5A-75B V7.0, a receiver card for LED panels: Lattice ECP5, 25 MHz oscillator, pins for a JTAG cable and for a UART.

References
----------
github.com/litex-hub/litex-boards, platforms/colorlight_5a_75b.py, revision 7.0: clock P6, the LED's pin P11 and the button's M13, on which amaranth-boards has the UART.
"""

from amaranth_boards.colorlight_5a75b_r7_0 import Colorlight_5A75B_R70Platform

from .board import Board, Uart
from .build_only import build_only
from .devices import ECP5_25
from .ftdi import BAUDS
from .programming import Programming, jtag

COLORLIGHT_5A75B = Board(
    name="colorlight-5a-75b",
    title="Colorlight 5A-75B V7.0",
    family="ecp5",
    device="LFE5U-25F",
    package="BG256",
    capacity=ECP5_25,
    oscillator="clk25",
    oscillator_hz=25_000_000,
    clock_hz=75_000_000,
    uart=Uart(bauds=BAUDS, usb_ids=(), via="pins of J19: KEY+ is RX, DATA_LED- is TX"),
    memory="4 MB SDRAM, 4 MB flash",
    programming=Programming((jtag("colorlight"),), ()),
    platform=lambda: build_only(Colorlight_5A75B_R70Platform),
)
