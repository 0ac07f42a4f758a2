"""`rbonn.sim.ice40_bitstream`: what `icebox_vlog` leaves out without a word is found."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest
from rbonn.boards import ICEBREAKER
from rbonn.sim.chip import around_chip
from rbonn.sim.ice40_bitstream import account_for, check_pll, compare_counts, join_pad
from rbonn.sw.errors import SimulationError, UnavailableLevelError

KINDS = {(0, 5): "dsp0", (0, 1): "ipcon", (1, 1): "logic", (6, 1): "ramb", (1, 0): "io"}
NETS = """
wire n1;
// (0, 0, 'glb_netwk_0')
// (1, 1, 'lutff_0/in_1')
// (6, 1, 'ram/RDATA_3')
"""
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


def test_logic_block_rams_and_pins_are_accounted_for() -> None:
    account_for(NETS, KINDS)


@pytest.mark.parametrize(("x", "y", "kind"), [(0, 5, "dsp0"), (0, 1, "ipcon")])
def test_a_net_that_reaches_a_hard_block_is_not(x: int, y: int, kind: str) -> None:
    with pytest.raises(UnavailableLevelError, match=rf"leaves out: {kind} tile {x} {y}\.$"):
        account_for(f"{NETS}// ({x}, {y}, 'lutff_3/out')\n", KINDS)


@pytest.mark.parametrize(("ff", "rams", "what"), [(4, 2, "4 flip-flops"), (5, 1, "1 block RAMs")])
def test_lost_parts_are_missed(ff: int, rams: int, what: str) -> None:
    built = SimpleNamespace(resources=SimpleNamespace(ff=5, block_rams=2))
    compare_counts(Counter({"flip-flops": 5, "SB_RAM40_4K": 1, "SB_RAM40_4KNR": 1}), built)
    with pytest.raises(SimulationError, match=f"The bitstream has {what}"):
        compare_counts(Counter({"flip-flops": ff, "SB_RAM40_4K": rams}), built)


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
