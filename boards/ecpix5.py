"""ECPIX-5 (LambdaConcept): Lattice ECP5-5G of two sizes, 100 MHz oscillator, FT2232H for programming and UART.

References
----------
Revision R03: github.com/litex-hub/litex-boards, issue 530; openFPGALoader's board ``ecpix5_r03``.
"""

from amaranth.build import Platform
from amaranth_boards import ecpix5

from .board import Board, Capacity
from .build_only import build_only
from .devices import ECP5_45, ECP5_85
from .ftdi import FT2232H, ftdi_uart
from .programming import Programmer, Programming, jtag


def _board(size: str, platform_class: type[Platform], capacity: Capacity) -> Board:
    return Board(
        name=f"ecpix5-{size}",
        title=f"ECPIX-5 {size}",
        family="ecp5",
        device=f"LFE5UM5G-{size}F",
        package="BG554",
        capacity=capacity,
        oscillator="clk100",
        oscillator_hz=100_000_000,
        clock_hz=90_000_000,
        uart=ftdi_uart("FT2232H", FT2232H),
        memory="512 MB DDR3, flash",
        programming=Programming(
            (jtag("ecpix5"), Programmer("ecpprog", (), ("-S",))),
            (FT2232H,),
        ),
        platform=lambda: build_only(platform_class),
        remark="before revision R03; that one has an FT4232H: write it with `--cable ft4232`, and name its port",
    )


ECPIX5_45 = _board("45", ecpix5.ECPIX545Platform, ECP5_45)
ECPIX5_85 = _board("85", ecpix5.ECPIX585Platform, ECP5_85)
