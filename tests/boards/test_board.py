from fractions import Fraction

import pytest
from amaranth.build import Platform
from rbonn import boards
from rbonn.boards import BOARDS, ICEBREAKER, ORANGECRAB_25F, ULX3S_25F, ULX3S_45F, ULX3S_85F
from rbonn.boards.build_only import PROGRAMMING_TOOLS
from rbonn.boards.programming import Programmer, Programming

# What nextpnr's utilisation table calls available, by device (also checked by the builds of tests/sw/build).
AVAILABLE = {
    "iCE40UP5K": (5_280, 30, 4_096, 8, 4),
    "iCE40HX1K": (1_280, 16, 4_096, 0, 0),
    "iCE40HX8K": (7_680, 32, 4_096, 0, 0),
    "LFE5U-12F": (24_288, 56, 18_432, 28, 0),
    "LFE5U-25F": (24_288, 56, 18_432, 28, 0),
    "LFE5U-45F": (43_848, 108, 18_432, 72, 0),
    "LFE5U-85F": (83_640, 208, 18_432, 156, 0),
    "LFE5UM5G-45F": (43_848, 108, 18_432, 72, 0),
    "LFE5UM5G-85F": (83_640, 208, 18_432, 156, 0),
}


@pytest.mark.parametrize("board", BOARDS.values(), ids=lambda board: board.name)
def test_each_board_agrees_with_its_platform_and_device(board):
    platform = board.platform()
    assert isinstance(platform, Platform)
    assert platform.device == board.device
    assert platform.package == board.package
    assert platform.default_clk == board.oscillator
    assert platform.default_clk_frequency == board.oscillator_hz
    assert platform.lookup(board.uart.resource).name == "uart"
    assert not set(PROGRAMMING_TOOLS) & set(platform.required_tools)
    c = board.capacity
    assert (c.lut4, c.block_rams, c.block_ram_bits, c.dsp, c.single_port_rams) == AVAILABLE[
        board.device
    ]
    assert c.ff == c.lut4


@pytest.mark.parametrize("board", BOARDS.values(), ids=lambda board: board.name)
def test_each_board_makes_its_clock_exactly_and_divides_it_to_a_fast_baud_rate(board):
    assert board.pll(board.clock_hz).output_hz == board.clock_hz
    baud = board.uart.baud(board.clock_hz)
    assert baud == board.uart.bauds[0]
    assert baud >= 1_000_000 or board.uart.via == "iCELink"
    assert board.link == f"uart {baud} baud"


@pytest.mark.parametrize("board", BOARDS.values(), ids=lambda board: board.name)
def test_each_board_says_how_it_is_reached_and_written(board):
    assert board.memory
    assert board.uart.via
    assert board.programming.programmers
    # A serial port without a bridge is on pins, and says on which.
    assert bool(board.uart.usb_ids) != board.uart.via.startswith("pins")
    for name in board.held_high:
        assert board.platform().lookup(name).ios[0].dir == "o"


def test_platforms_run_nothing_that_only_programs():
    commands = ORANGECRAB_25F.platform().command_templates
    assert len(commands) == 3
    assert not any(tool in command for tool in PROGRAMMING_TOOLS for command in commands)


def test_programming_says_whether_it_reaches_the_device_and_whose_cable_it_takes():
    flash_only = Programming((Programmer("a", ()),), usb_ids=((1, 2),))
    assert (flash_only.loads_device, flash_only.needs_cable) == (False, False)
    both = Programming((Programmer("a", ()), Programmer("b", (), ())), usb_ids=())
    assert (both.loads_device, both.needs_cable, both.names) == (True, True, ("a", "b"))


def test_the_larger_ulx3s_make_100_mhz_and_a_baud_rate_from_it():
    for board in (ULX3S_45F, ULX3S_85F):
        assert board.pll(100_000_000).output_hz == 100_000_000
        assert board.uart.baud(100_000_000) == 2_000_000


def test_lookup_tables_are_planned_in_rising_budgets_below_what_there_is():
    for board in BOARDS.values():
        budgets = board.capacity.lut4_budgets
        assert list(budgets) == sorted(budgets)
        assert 0 < budgets[-1] < board.capacity.lut4
    assert ULX3S_85F.capacity.lut4_budgets == (50_000, 60_000, 75_000)


def test_a_platform_is_fresh_each_time_because_a_build_uses_it_up():
    assert ULX3S_25F.platform() is not ULX3S_25F.platform()


def test_boards_are_found_by_name_in_any_case():
    assert boards.find("ULX3S-25f") is ULX3S_25F
    assert boards.find("icebreaker") is ICEBREAKER
    assert [board.name for board in BOARDS.values()] == list(BOARDS)


def test_an_unknown_board_is_refused_and_the_nearest_name_is_known():
    with pytest.raises(LookupError, match=r"Board must be one of icebreaker, .* not 'icebraker'"):
        boards.find("icebraker")
    assert boards.nearest_name("icebraker") == "icebreaker"
    assert boards.nearest_name("ulx3s-25") == "ulx3s-25f"
    assert boards.nearest_name("?") is None


@pytest.mark.parametrize(
    ("clock_hz", "baud"),
    [
        (24_000_000, 3_000_000),
        (16_000_000, 2_000_000),
        (50_000_000, 2_000_000),
        (75_000_000, 3_000_000),
        (18_000_000, 2_000_000),
        (12_000_000, 1_500_000),
        (Fraction(100_000_000, 3), 500_000),  # 3 and 2 Mbaud would be 1 and 2 % off
    ],
)
def test_the_baud_rate_is_the_fastest_that_the_clock_divides_to(clock_hz, baud):
    found = ICEBREAKER.uart.baud(clock_hz)
    divisor = round(clock_hz / found)
    assert abs(clock_hz / divisor / found - 1) <= 0.005
    assert found == baud


def test_a_clock_without_a_baud_rate_is_refused():
    with pytest.raises(ValueError, match="near a multiple of one of the baud rates"):
        ICEBREAKER.uart.baud(500_000)
