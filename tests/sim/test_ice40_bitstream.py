"""`rbonn.sim.ice40_bitstream`: what `icebox_vlog` leaves out without a word is found."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest
from rbonn.boards import ICEBREAKER
from rbonn.sim.chip import around_chip
from rbonn.sim.ice40_bitstream import account_for, check_pll, compare_counts, join_pad
from rbonn.sim.ice40_tiles import Tile, Wire, nets_of, tiles_of
from rbonn.sw.errors import SimulationError, UnavailableLevelError

TILES = {
    place: Tile(kind, ())
    for place, kind in {(0, 5): "dsp0", (0, 9): "ipcon", (1, 1): "logic", (6, 1): "ramb", (1, 0): "io"}.items()
}  # fmt: skip
NETS = {
    (0, 0, "glb_netwk_0"): "n1",
    (0, 5, "sp12_v_b_3"): "n1",
    (0, 9, "neigh_op_lft_2"): "n1",
    (0, 9, "local_g1_4"): "n1",
    (1, 1, "lutff_0/in_1"): "n2",
    (6, 1, "ram/RDATA_3"): "n2",
    (1, 0, "io_0/D_IN_0"): "n2",
}
PLL = """SB_PLL40_PAD #(
  .FEEDBACK_PATH("SIMPLE"),
  .PLLOUT_SELECT("GENCLK"),
  .DIVR(4'b0000),
  .DIVF(7'b0101111),
  .DIVQ(3'b100),
  .FILTER_RANGE(3'b001),
  .TEST_MODE(1'b0)
) PLL_12_31 (
  .PACKAGEPIN(n3584),
  .LOCK(n422)
);
// Warning: unmatched port 'clk12_0__io'
"""
CLOCK_HZ = 36_000_000


def test_nets_are_read_from_the_comments_below_their_declarations() -> None:
    text = """
wire n1;
// (0, 0, 'glb_netwk_0')
// (1, 1, 'lutff_0/in_1')

reg n2 = 0;
// (1, 2, 'lutff_0/out')

wire n3;
wire uart_0__rx__io;
// (6, 0, 'io_0/PAD')
"""
    assert nets_of(text) == {
        (0, 0, "glb_netwk_0"): "n1", (1, 1, "lutff_0/in_1"): "n1", (1, 2, "lutff_0/out"): "n2", (6, 0, "io_0/PAD"): "uart_0__rx__io"
    }  # fmt: skip


def test_tiles_are_read_with_their_bits() -> None:
    text = ".io_tile 1 0\n0010\n0001\n\n.ram_data 6 1\n00ff\n\n.logic_tile 1 1\n10\n"
    assert tiles_of(text) == {(1, 0): Tile("io", ("0010", "0001")), (1, 1): Tile("logic", ("10",))}
    assert [tiles_of(text)[1, 0].bit(0, column) for column in range(4)] == [0, 0, 1, 0]


def test_logic_block_rams_pins_and_wires_that_pass_by_are_accounted_for() -> None:
    account_for(TILES, NETS, set())


@pytest.mark.parametrize(
    ("wire", "kind"),
    [((0, 5, "lutff_3/in_1"), "dsp0"), ((0, 9, "lutff_0/in_3"), "ipcon"), ((0, 9, "slf_op_0"), "ipcon")],
)  # fmt: skip
def test_a_net_at_a_hard_block_is_not_unless_it_is_a_multipliers(wire: Wire, kind: str) -> None:
    nets = NETS | {wire: "n3"}
    with pytest.raises(UnavailableLevelError, match=rf"leaves out: {kind} tile {wire[0]} {wire[1]}\.$"):  # fmt: skip
        account_for(TILES, nets, set())
    account_for(TILES, nets, {wire})


@pytest.mark.parametrize(
    ("part", "what"),
    [("flip-flops", "4 flip-flops"), ("SB_RAM40_4K", "1 block RAMs"), ("SB_MAC16", "2 multipliers")],
)  # fmt: skip
def test_lost_parts_are_missed(part: str, what: str) -> None:
    built = SimpleNamespace(resources=SimpleNamespace(ff=5, block_rams=2, dsp=3))
    parts = Counter({"flip-flops": 5, "SB_RAM40_4K": 1, "SB_RAM40_4KNR": 1, "SB_MAC16": 3})
    compare_counts(parts, built)
    parts[part] -= 1
    with pytest.raises(SimulationError, match=f"The bitstream has {what}"):
        compare_counts(parts, built)


def test_the_oscillators_pin_is_joined_to_the_pll() -> None:
    assert ".PACKAGEPIN(clk12_0__io)" in join_pad(PLL, "clk12_0__io")


def test_another_port_without_a_pin_is_refused() -> None:
    text = PLL + "// Warning: unmatched port 'uart_0__rx__io'\n"
    with pytest.raises(SimulationError, match="connected to the pin of uart_0__rx__io"):
        join_pad(text, "clk12_0__io")
    with pytest.raises(SimulationError, match="connected to the pin of clk12_0__io"):
        join_pad(PLL.replace("SB_PLL40_PAD", "SB_PLL40_CORE"), "clk12_0__io")


def test_the_pll_must_be_set_as_the_board_wants_it() -> None:
    check_pll(PLL, ICEBREAKER, CLOCK_HZ)
    with pytest.raises(SimulationError, match=r"DIVF = 39, which for 36 MHz should be 47"):
        check_pll(PLL.replace("0101111", "0100111"), ICEBREAKER, CLOCK_HZ)
    with pytest.raises(SimulationError, match="PLLOUT_SELECT"):
        check_pll(PLL.replace("GENCLK", "GENCLK_HALF"), ICEBREAKER, CLOCK_HZ)
    with pytest.raises(SimulationError, match="0 PLLs"):
        check_pll("", ICEBREAKER, CLOCK_HZ)


CHIP = "module chip (input clk12_0__io, input uart_0__rx__io, output uart_0__tx__io{more});\nendmodule\n"


def test_a_chip_gets_the_ports_of_the_top_level() -> None:
    text = around_chip(CHIP.format(more=", output led"), ICEBREAKER)
    assert "module top(input clk, input rst, input rx, output tx);" in text
    assert "chip chip(.clk12_0__io(clk_pad), .uart_0__rx__io(rx_pad), .uart_0__tx__io(tx_pad));" in text  # fmt: skip


def test_unknown_inputs_and_missing_pins_of_a_chip_are_named() -> None:
    with pytest.raises(SimulationError, match="io_3_0_1 is unknown"):
        around_chip(CHIP.format(more=", input io_3_0_1"), ICEBREAKER)
    with pytest.raises(SimulationError, match="uart_0__rx__io is missing"):
        around_chip(CHIP.format(more="").replace("input uart_0__rx__io, ", ""), ICEBREAKER)
