"""What the devices have, as nextpnr's utilisation tables call it available, and how full a plan may make them."""

from .board import Capacity

# Three quarters of the logic cells: with nine tenths the placer finds no place for the last ones.
UP5K = Capacity(
    lut4=5_280,
    block_rams=30,
    block_ram_bits=4_096,
    dsp=8,
    single_port_rams=4,
    plan_lut4=(3_960,),
)
# The placer finds a place for the 1 096 cells of a plan that fills this with each of three seeds, for 1 211 cells with none of two.
HX1K = Capacity(lut4=1_280, block_rams=16, block_ram_bits=4_096, plan_lut4=(1_100,))
HX8K = Capacity(lut4=7_680, block_rams=32, block_ram_bits=4_096)

ECP5_25 = Capacity(lut4=24_288, block_rams=56, block_ram_bits=18_432, dsp=28)
"""Also of the 12F: nextpnr treats it as what it is, a 25F with another identity."""
ECP5_45 = Capacity(lut4=43_848, block_rams=108, block_ram_bits=18_432, dsp=72)
# Place and route of a full 85F takes long: it is filled to three fifths at first, more where that is worth it.
ECP5_85 = Capacity(
    lut4=83_640,
    block_rams=208,
    block_ram_bits=18_432,
    dsp=156,
    plan_lut4=(50_000, 60_000, 75_000),
)
