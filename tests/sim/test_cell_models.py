"""`rbonn.sim.cell_models` and the models of packed cells, against those of yosys."""

from __future__ import annotations

import random
import re

import pytest
from rbonn.sim.cell_models import CELLS, cell_models, own_models, yosys_models
from rbonn.sw.errors import UnavailableLevelError

from ..cell_bench import assert_equal, bench, theirs
from ..hw.primitives.vectors import play

OFTEN = ("ADDSUBTOP", "ADDSUBBOT", "CI", "CE")
SELDOM = (
    "AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP", "OLOADBOT", "OHOLDTOP", "OHOLDBOT",
)  # fmt: skip


def ours(family: str) -> str:
    return CELLS.joinpath(f"{family}_chip.v").read_text()


def test_models_come_with_what_they_are_made_of() -> None:
    text = cell_models("ice40", ["ICESTORM_RAM", "ICESTORM_PLL"])
    modules = set(re.findall(r"^module (\w+)", text, re.MULTILINE))
    assert modules == {"ICESTORM_RAM", "SB_RAM40_4K", "ICESTORM_PLL", "rbonn_pll40"}
    assert "=== 1'bz" not in text


def test_cells_without_a_model_are_named_together() -> None:
    with pytest.raises(UnavailableLevelError, match=r"cells SB_HFOSC, SB_RGBA_DRV\.$"):
        cell_models("ice40", ["SB_LUT4", "SB_RGBA_DRV", "SB_HFOSC"])
    assert "SB_LUT4" in yosys_models("ice40")[1]


def rows(count: int, **widths: int) -> list[dict[str, int]]:
    rng = random.Random(count)
    return [{name: rng.getrandbits(bits) for name, bits in widths.items()} for _ in range(count)]


def test_a_logic_cell_is_that_of_yosys() -> None:
    rng = random.Random(3)
    cells = ""
    for k in range(24):
        sequential, is_set, is_async, fixed, value = (rng.getrandbits(1) for _ in range(5))
        parameters = (
            f".LUT_INIT(16'd{rng.getrandbits(16)}), .CARRY_ENABLE(1), .DFF_ENABLE({sequential}), .SET_NORESET({is_set}), "
            f".ASYNC_SR({is_async}), .CIN_CONST({fixed}), .CIN_SET({value}), .NEG_CLK({k % 2})"
        )
        for module, name in (("ICESTORM_LC", "ours"), ("yosys_ICESTORM_LC", "theirs")):
            cells += (
                f"{module} #({parameters}) {name}{k}(.I0(pins[0]), .I1(pins[1]), .I2(pins[2]), .I3(pins[3]), .CIN(pins[4]), .CEN(pins[5]), "
                f".SR(pins[6]), .CLK(clk ^ {k % 2}), .LO({name}[{3 * k}]), .O({name}[{3 * k + 1}]), .COUT({name}[{3 * k + 2}]));\n"
            )
    models = ours("ice40") + theirs("ice40", "ICESTORM_LC")
    assert_equal(bench(cells, 72, pins=7) + models, rows(400, pins=7), values=100)


def test_a_pll_locks_after_a_while_and_makes_a_clock_only_out_of_reset() -> None:
    top = """
module top(clk, resetb, clock, lock);
  input clk;
  input resetb;
  output clock;
  output lock;
  ICESTORM_PLL pll(.REFERENCECLK(clk), .RESETB(resetb), .BYPASS(1'b0), .PLLOUT_A_GLOBAL(clock), .LOCK(lock));
endmodule
"""
    inputs = [{"resetb": int(k < 20 or k > 25)} for k in range(60)]
    locked = [row["lock"] for row in play(top + ours("ice40"), inputs)]
    assert locked == [0] * 16 + [1] * 4 + [0] * 6 + [0] * 16 + [1] * 18


def test_a_bypassed_pll_is_refused() -> None:
    top = """
module top(clk, bypass, lock);
  input clk;
  input bypass;
  output lock;
  SB_PLL40_CORE pll(.REFERENCECLK(clk), .RESETB(1'b1), .BYPASS(bypass), .LOCK(lock));
endmodule
"""
    with pytest.raises(AssertionError, match="no model of a PLL that is bypassed"):
        play(top + ours("ice40"), [{"bypass": 0}, {"bypass": 1}])


def test_a_packed_multiplier_is_that_of_yosys_with_its_ports_bit_by_bit() -> None:
    """Every parameter and every input is drawn; resets and holds are seldom, so that something is there to be held."""
    rng = random.Random(6)
    yosys = yosys_models("ice40")[1]["SB_MAC16"]
    declared = re.findall(r"parameter \[(\d):0\] (?!NEG)(\w+) =", yosys)
    assert len(declared) == 19
    pins = ", ".join(f".{pin}(controls[{k}])" for k, pin in enumerate((*OFTEN, *SELDOM)))
    in_bits = ", ".join(f".{x}_{k}({x.lower()}[{k}])" for x in "ABCD" for k in range(16))
    in_words = ", ".join(f".{x}({x.lower()})" for x in "ABCD")
    cells = ""
    for n in range(12):
        drawn = ", ".join(f".{name}({rng.getrandbits(int(high) + 1)})" for high, name in declared)
        out_bits = "".join(f", .O_{k}(ours[{35 * n + k}])" for k in range(32))
        out_word = f", .O(theirs[{35 * n} +: 32])"
        for kind, name, ports in (
            ("ICESTORM_DSP", "ours", in_bits + out_bits),
            ("yosys_SB_MAC16", "theirs", in_words + out_word),
        ):
            carries = ", ".join(
                f".{port}({name}[{35 * n + 32 + k}])"
                for k, port in enumerate(("CO", "ACCUMCO", "SIGNEXTOUT"))
            )
            cells += (
                f"{kind} #({drawn}, .NEG_TRIGGER({n % 2})) {name}{n}(.CLK(clk ^ {n % 2}), {pins}, "
                f".ACCUMCI(a[3]), .SIGNEXTIN(b[4]), {ports}, {carries});\n"
            )
    widths = dict.fromkeys("abcd", 16) | {"controls": len(OFTEN) + len(SELDOM)}
    inputs = rows(400, **widths)
    for row in inputs[1:]:
        seldom = rng.getrandbits(len(SELDOM)) & rng.getrandbits(len(SELDOM)) & rng.getrandbits(len(SELDOM))  # fmt: skip
        row["controls"] = row["controls"] % (1 << len(OFTEN)) | seldom << len(OFTEN)
    inputs[0]["controls"] = -1 % (1 << widths["controls"])  # resets give every register a value
    models = own_models("ice40", around=True)["ICESTORM_DSP"] + yosys + theirs("ice40", "SB_MAC16")
    assert_equal(bench(cells, 35 * 12, **widths) + models, inputs, values=300)


def test_half_a_slice_is_a_lookup_table_and_half_an_adder_as_in_yosys() -> None:
    rng = random.Random(4)
    cells = ""
    for k in range(20):
        inits = rng.getrandbits(16), rng.getrandbits(16)
        inject = rng.choice(("YES", "NO"))
        low, high = (
            f'TRELLIS_COMB #(.MODE("CCU2"), .CCU2_INJECT1("{inject}"), .INITVAL(16\'d{init}))'
            for init in inits
        )
        cells += f"""
  wire middle{k};
  {low} low{k}(.A(pins[0]), .B(pins[1]), .C(pins[2]), .D(pins[3]), .FCI(pins[8]), .F(ours[{4 * k}]), .FCO(middle{k}));
  {high} high{k}(.A(pins[4]), .B(pins[5]), .C(pins[6]), .D(pins[7]), .FCI(middle{k}), .F(ours[{4 * k + 1}]), .FCO(ours[{4 * k + 2}]));
  yosys_CCU2C #(.INIT0(16'd{inits[0]}), .INIT1(16'd{inits[1]}), .INJECT1_0("{inject}"), .INJECT1_1("{inject}")) both{k}(
    .A0(pins[0]), .B0(pins[1]), .C0(pins[2]), .D0(pins[3]), .A1(pins[4]), .B1(pins[5]), .C1(pins[6]), .D1(pins[7]), .CIN(pins[8]),
    .S0(theirs[{4 * k}]), .S1(theirs[{4 * k + 1}]), .COUT(theirs[{4 * k + 2}]));
  TRELLIS_COMB #(.INITVAL(16'd{inits[0]})) table{k}(.A(pins[0]), .B(pins[1]), .C(pins[2]), .D(pins[3]), .F(ours[{4 * k + 3}]));
  yosys_LUT4 #(.INIT(16'd{inits[0]})) lut{k}(.A(pins[0]), .B(pins[1]), .C(pins[2]), .D(pins[3]), .Z(theirs[{4 * k + 3}]));
"""
    models = ours("ecp5") + theirs("ecp5", "CCU2C", "LUT2", "LUT4")
    inputs = [{"pins": pins} for pins in range(512)]
    assert_equal(bench(cells, 80, pins=9) + models, inputs, values=512)


def test_four_halves_and_their_writer_are_the_ram_of_yosys() -> None:
    """Pins as nextpnr wires them: contents lie in the order of the lookup table's inputs."""
    init = 0x0123456789ABCDEF
    cells = ""
    for k in range(4):
        # Bit of the address that each input of the lookup table has: A 3, B 1, C 2, D 0; the table's index is {D, C, B, A}.
        bits = sum((init >> (4 * word + k) & 1) << word for word in range(16))
        cells += (
            f'TRELLIS_COMB #(.MODE("DPRAM"), .INITVAL(16\'d{bits})) bit{k}(.A(other[3]), .B(other[1]), .C(other[2]), .D(other[0]), '
            f".WD(wd[{k}]), .WAD0(wad[0]), .WAD1(wad[1]), .WAD2(wad[2]), .WAD3(wad[3]), .WRE(write), .WCK(clk), .F(ours[{k}]));\n"
        )
    cells += f"""
  wire [3:0] wd, wad;
  TRELLIS_RAMW writer(.D0(address[0]), .B0(address[1]), .C0(address[2]), .A0(address[3]), .C1(data[0]), .A1(data[1]), .D1(data[2]), .B1(data[3]),
    .WDO0(wd[0]), .WDO1(wd[1]), .WDO2(wd[2]), .WDO3(wd[3]), .WADO0(wad[0]), .WADO1(wad[1]), .WADO2(wad[2]), .WADO3(wad[3]));
  yosys_TRELLIS_DPR16X4 #(.INITVAL(64'h{init:x})) yosys(.DI(data), .WAD(address), .WRE(write), .WCK(clk), .RAD(other), .DO(theirs));
"""
    widths = {"address": 4, "other": 4, "data": 4, "write": 1}
    models = ours("ecp5") + theirs("ecp5", "TRELLIS_DPR16X4")
    assert_equal(bench(cells, 4, **widths) + models, rows(300, **widths), values=16)


def test_a_flip_flop_of_the_ecp5_is_that_of_yosys() -> None:
    cells, count = "", 0
    for mode in ("LSR_OVER_CE", "ASYNC"):
        for enable in ("CE", "INV", "1"):
            for value in ("SET", "RESET"):
                parameters = f'.SRMODE("{mode}"), .CEMUX("{enable}"), .REGSET("{value}")'
                pins = ".CLK(clk), .LSR(reset), .CE(enable), "
                cells += f"TRELLIS_FF #({parameters}) own{count}({pins}.DI(data), .M(1'b0), .Q(ours[{count}]));\n"
                cells += f"yosys_TRELLIS_FF #({parameters}) yosys{count}({pins}.DI(data), .M(1'b0), .Q(theirs[{count}]));\n"
                count += 1
    # What comes over the other pin.
    cells += f'TRELLIS_FF #(.SD("0")) own{count}(.CLK(clk), .LSR(reset), .CE(enable), .DI(!data), .M(data), .Q(ours[{count}]));\n'
    cells += f"yosys_TRELLIS_FF yosys{count}(.CLK(clk), .LSR(reset), .CE(enable), .DI(data), .M(1'b0), .Q(theirs[{count}]));\n"
    widths = {"enable": 1, "reset": 1, "data": 1}
    models = ours("ecp5") + theirs("ecp5", "TRELLIS_FF")
    assert_equal(bench(cells, count + 1, **widths) + models, rows(300, **widths), values=10)
