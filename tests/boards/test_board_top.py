# amaranth: UnusedElaboratable=no
import pytest
from amaranth import Elaboratable, Module
from amaranth.sim import Simulator
from rbonn.boards import (
    BOARDS,
    COLORLIGHT_5A75B,
    COLORLIGHT_I5,
    COLORLIGHT_I9,
    ECPIX5_85,
    ICE40_HX8K_EVN,
    ICEBREAKER,
    ICESTICK,
    ICESUGAR,
    ORANGECRAB_85F,
    ULX3S_25F,
    UPDUINO_V3,
)
from rbonn.boards.board_top import POWER_ON_US, BoardTop, PowerOnReset
from rbonn.sw.build.design import board_design
from rbonn.sw.build.toolchain import FAMILY_TOOLS

from ..sw.build.echo import Echo


def watch_reset(cycles: int, locked: list[int]) -> list[int]:
    """The reset after each cycle of that sequence of `locked`."""
    dut = PowerOnReset(cycles)
    seen = []

    async def bench(ctx):
        for value in locked:
            ctx.set(dut.locked, value)
            await ctx.tick("power_on")
            seen.append(ctx.get(dut.reset))

    class Around(Elaboratable):
        def elaborate(self, platform):
            m = Module()
            m.submodules.dut = dut
            return m

    simulator = Simulator(Around())
    simulator.add_clock(1e-6, domain="power_on")
    simulator.add_testbench(bench)
    simulator.run()
    return seen


@pytest.mark.parametrize("cycles", [1, 2, 5, 480])
def test_the_reset_ends_the_stated_number_of_cycles_after_the_lock(cycles):
    locked = [0] * 7 + [1] * (cycles + 20)
    reset = watch_reset(cycles, locked)
    assert reset.index(0) + 1 == 7 + cycles + 3
    assert set(reset[reset.index(0) :]) == {0}


def test_the_reset_returns_when_the_lock_is_lost_and_lasts_as_long_again():
    reset = watch_reset(5, [1] * 20 + [0] + [1] * 20)
    lost = reset.index(1, reset.index(0))
    assert lost + 1 == 20 + 4
    assert sum(reset[lost:]) == 5
    assert reset[-1] == 0


def test_a_reset_of_no_cycles_is_refused():
    with pytest.raises(ValueError, match="Reset cycles must be at least 1, not 0"):
        PowerOnReset(0)


def test_the_reset_outlasts_the_time_in_which_block_rams_read_zeros():
    for board in BOARDS.values():
        top = BoardTop(board, board.clock_hz, Echo())
        seconds = top.reset_cycles / float(top.pll.output_hz)
        assert POWER_ON_US >= 15
        assert seconds == pytest.approx(POWER_ON_US * 1e-6, rel=1e-6)


def test_a_clock_that_the_pll_cannot_make_is_refused():
    with pytest.raises(ValueError, match="PLL output must be 16 to 275 MHz, not 10 MHz"):
        BoardTop(ICEBREAKER, 10_000_000, Echo())


def test_the_ice40s_pll_takes_its_setting_and_the_pad():
    verilog = board_design(ICEBREAKER, Echo(), 30_000_000).verilog
    pll = verilog[verilog.index("SB_PLL40_PAD") :].split(";")[0]
    for parameter in (".DIVR(32'd0)", ".DIVF(32'd79)", ".DIVQ(32'd5)", ".FILTER_RANGE(32'd1)"):
        assert parameter in pll
    assert '.FEEDBACK_PATH("SIMPLE")' in pll
    assert ".PACKAGEPIN(clk12_0__io)" in pll
    assert ".RESETB(1'h1)" in pll


def test_the_ecp5s_pll_takes_its_setting_with_and_without_clkos():
    direct = board_design(ULX3S_25F, Echo(), 50_000_000).verilog
    for parameter in (".CLKI_DIV(32'd1)", ".CLKFB_DIV(32'd2)", ".CLKOP_DIV(32'd12)"):
        assert parameter in direct
    assert "CLKOS" not in direct
    apart = board_design(ULX3S_25F, Echo(), 60_000_000).verilog
    for parameter in (".CLKFB_DIV(32'd1)", ".CLKOP_DIV(32'd24)", ".CLKOS_DIV(32'd10)"):
        assert parameter in apart
    assert 'FREQUENCY_PIN_CLKOS = "60.0"' in apart


def test_an_ecp5_is_reset_by_its_own_network_and_not_by_wires():
    verilog = board_design(ULX3S_25F, Echo()).verilog
    assert verilog.count("SGSR") == 1
    assert verilog.count('.GSR("DISABLED")') == 2
    assert "rst" not in verilog
    assert "SGSR" not in board_design(ICEBREAKER, Echo()).verilog


@pytest.mark.parametrize("board", BOARDS.values(), ids=lambda board: board.name)
def test_every_board_elaborates_with_its_serial_port_its_clock_and_what_it_holds_high(board):
    design = board_design(board, Echo())
    assert [command[0] for command in design.commands] == list(FAMILY_TOOLS[board.family])
    constraints = design.files["top.pcf" if board.family == "ice40" else "top.lpf"]
    for pin in ("uart_0__rx__io", "uart_0__tx__io", f"{board.oscillator}_0__io"):
        assert pin in constraints
        assert pin in design.verilog
    for name in board.held_high:
        assert f"{name}_0__io" in constraints
    if board.family == "ice40":
        assert ("SB_PLL40_PAD" in design.verilog) == board.pll_on_pad


@pytest.mark.parametrize(
    ("board", "sites"),
    [
        (ICEBREAKER, {"clk12": "35", "uart_rx": "6", "uart_tx": "9"}),
        (UPDUINO_V3, {"clk12": "20", "uart_rx": "15", "uart_tx": "14", "flash_deselected": "16"}),
        (ICESUGAR, {"clk12": "35", "uart_rx": "4", "uart_tx": "6"}),
        (ICESTICK, {"clk12": "21", "uart_rx": "9", "uart_tx": "8"}),
        (ICE40_HX8K_EVN, {"clk12": "J3", "uart_rx": "B10", "uart_tx": "B12"}),
        (ULX3S_25F, {"clk25": "G2", "uart_rx": "M1", "uart_tx": "L4", "esp32_boot": "L2"}),
        (ORANGECRAB_85F, {"clk": "A9", "uart_rx": "N17", "uart_tx": "M18"}),
        (ECPIX5_85, {"clk100": "K23", "uart_rx": "R26", "uart_tx": "R24"}),
        (COLORLIGHT_I5, {"clk25": "P3", "uart_rx": "H18", "uart_tx": "J17"}),
        (COLORLIGHT_I9, {"clk25": "P3", "uart_rx": "H18", "uart_tx": "J17"}),
        (COLORLIGHT_5A75B, {"clk25": "P6", "uart_rx": "M13", "uart_tx": "P11"}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_pins_are_those_of_the_board(board, sites):
    design = board_design(board, Echo())
    form, name = {
        "ice40": ("set_io {port} {site}\n", "top.pcf"),
        "ecp5": ('LOCATE COMP "{port}" SITE "{site}";', "top.lpf"),
    }[board.family]
    for pin, site in sites.items():
        resource, _, signal = pin.partition("_") if pin.startswith("uart") else (pin, "", "")
        port = f"{resource}_0__{signal}__io" if signal else f"{resource}_0__io"
        assert form.format(port=port, site=site) in design.files[name]
    mhz = board.oscillator_hz / 1e6
    frequency = {
        "ice40": f"set_frequency {board.oscillator}_0__io {mhz}",
        "ecp5": f'FREQUENCY PORT "{board.oscillator}_0__io" {mhz * 1e6} HZ;',
    }[board.family]
    assert frequency in design.files[name]
