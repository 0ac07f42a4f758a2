# amaranth: UnusedElaboratable=no
import re

import pytest
from rbonn.boards import ICEBREAKER, ULX3S_25F, ULX3S_85F
from rbonn.sw.build.design import ClockError, board_design, component_verilog

from .echo import Echo


def test_the_tools_read_the_verilog_that_is_returned():
    for board in (ICEBREAKER, ULX3S_85F):
        design = board_design(board, Echo())
        script = design.files["top.ys"]
        assert "read_verilog top.v" in script
        assert "rtlil" not in script
        assert [command[0] for command in design.commands] == [
            "yosys",
            f"nextpnr-{board.family}",
            {"ice40": "icepack", "ecp5": "ecppack"}[board.family],
        ]
        assert design.clock_hz == board.clock_hz


def test_the_verilog_has_every_port_of_the_board_and_the_design_inside():
    verilog = board_design(ICEBREAKER, Echo()).verilog
    ports = re.search(r"^module top\((.*)\);", verilog, re.MULTILINE)[1].split(", ")
    assert sorted(ports) == ["clk12_0__io", "uart_0__rx__io", "uart_0__tx__io"]
    assert re.search(r"^module \\top\.top ", verilog, re.MULTILINE)
    assert "/" not in re.sub(r"/\*.*?\*/", "", verilog), "a path of this machine"


def test_the_same_design_gives_the_same_text_every_time():
    first, second = board_design(ULX3S_25F, Echo()), board_design(ULX3S_25F, Echo())
    assert first.verilog == second.verilog
    assert first.files == second.files
    assert first.commands == second.commands
    assert board_design(ULX3S_25F, Echo(5)).verilog != first.verilog


def test_options_reach_the_tools():
    design = board_design(
        ICEBREAKER,
        Echo(),
        30_000_000,
        seed=7,
        synthesis_options=["-dff"],
        place_and_route_options=["--placer static"],
    )
    assert "synth_ice40 -dff -top top" in design.files["top.ys"]
    command = design.commands[1]
    assert command[command.index("--seed") + 1] == "7"
    assert command[command.index("--freq") + 1] == "30.000000"
    assert command[command.index("--placer") + 1] == "static"
    assert "--timing-allow-fail" in command
    assert "-device u" in board_design(ICEBREAKER, Echo()).files["top.ys"]
    assert "-nowidelut" in board_design(ULX3S_25F, Echo()).files["top.ys"]


def test_a_clock_that_the_board_cannot_make_is_refused():
    with pytest.raises(ClockError) as caught:
        board_design(ULX3S_25F, Echo(), 48_000_000)
    assert caught.value.message.startswith("ulx3s-25f: PLL output must be")
    assert "75 MHz" in caught.value.hint


def test_a_component_alone_has_its_members_as_ports():
    verilog = component_verilog(Echo(), name="echo")
    assert "module echo(" in verilog
    ports = re.search(r"module echo\((.*)\);", verilog)[1].split(", ")
    assert sorted(ports) == ["clk", "rst", "rx", "tx"]
