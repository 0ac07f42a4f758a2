"""iCEBreaker (1BitSquared): Lattice iCE40UP5K, 12 MHz oscillator, FT2232H for programming and UART."""

from amaranth_boards.icebreaker import ICEBreakerPlatform

from .board import Board, Capacity, Uart

ICEBREAKER = Board(
    name="icebreaker",
    title="iCEBreaker",
    family="ice40",
    device="iCE40UP5K",
    package="SG48",
    # Three quarters of the logic cells: with nine tenths the placer finds no place for the last ones.
    capacity=Capacity(
        lut4=5_280,
        block_rams=30,
        block_ram_bits=4_096,
        dsp=8,
        single_port_rams=4,
        plan_lut4=(3_960,),
    ),
    oscillator="clk12",
    oscillator_hz=12_000_000,
    clock_hz=36_000_000,
    uart=Uart(
        bauds=(3_000_000, 2_000_000, 1_500_000, 1_000_000, 500_000, 115_200),
        usb_ids=((0x0403, 0x6010),),
    ),
    programmer="ice40_generic",
    loads_sram=False,
    platform=ICEBreakerPlatform,
)
