"""`rbonn.sim.ice40_multipliers`: multipliers come out of a bitstream as they went in, wherever they are and however they are set."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from rbonn.sim.cell_models import cell_models
from rbonn.sim.ice40_bitstream import add_multipliers, find_icebox
from rbonn.sim.ice40_multipliers import Multiplier, multipliers_of
from rbonn.sim.ice40_tiles import Place, Tile, Wire, nets_of, tiles_of
from rbonn.sw.build.process import last_error, run_tool
from rbonn.sw.build.toolchain import find_tool
from rbonn.sw.errors import SimulationError, ToolchainNotFoundError, UnavailableLevelError

from ..hw.primitives.vectors import play

PLACES = [(x, y) for x in (0, 25) for y in (5, 10, 15, 23)]
"""Of all multipliers of an iCE40UP5K."""

PINS = {"clk": 35, "i": 2} | {f"o{k}": pin for k, pin in enumerate((3, 4, 6, 9, 10, 11, 12, 13))}
"""Of the package SG48: the inputs and an output for each multiplier."""

WIDTHS = {
    "C_REG": 1, "A_REG": 1, "B_REG": 1, "D_REG": 1, "TOP_8x8_MULT_REG": 1, "BOT_8x8_MULT_REG": 1, "PIPELINE_16x16_MULT_REG1": 1,
    "PIPELINE_16x16_MULT_REG2": 1, "TOPOUTPUT_SELECT": 2, "TOPADDSUB_LOWERINPUT": 2, "TOPADDSUB_UPPERINPUT": 1, "TOPADDSUB_CARRYSELECT": 2,
    "BOTOUTPUT_SELECT": 2, "BOTADDSUB_LOWERINPUT": 2, "BOTADDSUB_UPPERINPUT": 1, "BOTADDSUB_CARRYSELECT": 2, "MODE_8x8": 1, "A_SIGNED": 1,
    "B_SIGNED": 1,
}  # fmt: skip
OFTEN = ("ADDSUBTOP", "ADDSUBBOT", "CI", "CE")
SELDOM = (
    "AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP", "OLOADBOT", "OHOLDTOP", "OHOLDBOT",
)  # fmt: skip
N_BITS = 16 * 4 + len(OFTEN) + len(SELDOM)


def drawn_parameters(seed: int) -> list[dict[str, int]]:
    """Of each multiplier; those of an odd seed are the complement of those of the even one before it, so that every bit is seen both ways."""
    rng = random.Random(seed // 2)
    chosen = []
    for _ in PLACES:
        values = {name: rng.randrange(1 << bits) for name, bits in WIDTHS.items()}
        if seed % 2:
            values = {name: value ^ (1 << WIDTHS[name]) - 1 for name, value in values.items()}
        # No carry and no sign from another multiplier.
        values["BOTADDSUB_CARRYSELECT"] = {2: 3 - seed % 2 * 2}.get(
            values["BOTADDSUB_CARRYSELECT"], values["BOTADDSUB_CARRYSELECT"]
        )
        values["BOTADDSUB_LOWERINPUT"] = {3: 2 - seed % 2}.get(
            values["BOTADDSUB_LOWERINPUT"], values["BOTADDSUB_LOWERINPUT"]
        )
        chosen.append(values)
    return chosen


def design(parameters: list[dict[str, int]]) -> str:
    """All multipliers with inputs from one shift register, each in another order, and a signature of all outputs of each."""
    cells = ""
    for k, ((x, y), values) in enumerate(zip(PLACES, parameters, strict=True)):
        bits = [f"s[{(place + 11 * k) % N_BITS}]" for place in range(N_BITS)]
        pins = [f".{port}({{{', '.join(bits[16 * n : 16 * n + 16])}}})" for n, port in enumerate("ABCD")]  # fmt: skip
        rest = bits[64:]
        pins += [f".{port}({rest.pop()})" for port in OFTEN]
        pins += [f".{port}(seldom{k}[{n}])" for n, port in enumerate(SELDOM)]
        seldom = [f"{rest.pop()} && s[{n}] && s[{n + 20}]" for n in reversed(range(len(SELDOM)))]
        settings = ", ".join(f".{name}({value})" for name, value in values.items())
        cells += f"""
  // Straight from registers: some reset at once, and must not glitch.
  reg [{len(SELDOM) - 1}:0] seldom{k} = 0;
  always @(posedge clk) seldom{k} <= {{{", ".join(seldom)}}};
  wire [32:0] all{k};
  reg [32:0] signature{k} = 0;
  (* BEL = "X{x}/Y{y}/mac16_0" *)
  SB_MAC16 #({settings}) block{k}(.CLK(clk), .ACCUMCI(1'b0), .SIGNEXTIN(1'b0), .O(all{k}[31:0]), .CO(all{k}[32]), {", ".join(pins)});
  always @(posedge clk) if (&cycles) signature{k} <= {{signature{k}[31:0], signature{k}[32] ^ signature{k}[12]}} ^ all{k};
  assign o{k} = signature{k}[32];
"""
    outputs = ", ".join(f"output o{k}" for k in range(len(PLACES)))
    return f"""module original(input clk, input i, {outputs});
  reg [{N_BITS - 1}:0] s = 0;
  // By then every register of the multipliers is known.
  reg [7:0] cycles = 0;
  always @(posedge clk) if (!(&cycles)) cycles <= cycles + 8'd1;
  always @(posedge clk) s <= {{s[{N_BITS - 2}:0], i}};
{cells}endmodule
"""


def routed(verilog: str, folder: Path) -> tuple[str, dict[str, dict[str, int]], str]:
    """The unpacked bitstream of `verilog`, what nextpnr says of each multiplier by its place, and what `icebox_vlog` says of the bitstream."""
    (folder / "design.v").write_text(verilog)
    (folder / "design.ys").write_text("read_verilog design.v\nsynth_ice40 -device u -top original -json design.json\n")  # fmt: skip
    (folder / "design.pcf").write_text(
        "".join(f"set_io {name} {pin}\n" for name, pin in PINS.items())
    )
    place = ["--up5k", "--package", "sg48", "--json", "design.json", "--pcf", "design.pcf"]
    place += ["--asc", "design.asc", "--write", "routed.json", "--seed", "1"]
    steps = [
        [find_tool("yosys").path, "-q", "design.ys"],
        [find_tool("nextpnr-ice40").path, "-q", *place],
        [find_icebox(), "-n", "chip", "-d", "sg48", "-p", "design.pcf", "design.asc"],
    ]
    for number, command in enumerate(steps):
        log = folder / f"{number}.log"
        assert run_tool(command, folder, log, timeout_seconds=300) == 0, last_error(log)
    cells = json.loads((folder / "routed.json").read_text())["modules"]["top"]["cells"]
    settings = {
        cell["attributes"]["NEXTPNR_BEL"]: {name: int(value, 2) for name, value in cell["parameters"].items()}
        for cell in cells.values()
        if cell["type"] == "ICESTORM_DSP"
    }  # fmt: skip
    return (folder / "design.asc").read_text(), settings, (folder / "2.log").read_text()


@pytest.mark.slow
@pytest.mark.synth
@pytest.mark.parametrize("seed", [0, 1])
def test_every_multiplier_is_rebuilt_with_its_setting_and_its_nets(
    seed: int, tmp_path: Path
) -> None:
    try:
        find_icebox()
    except ToolchainNotFoundError as error:
        pytest.skip(error.message)
    parameters = drawn_parameters(seed)
    source = design(parameters)
    unpacked, settings, rebuilt = routed(source, tmp_path)
    tiles, nets = tiles_of(unpacked), nets_of(rebuilt)
    found, _ = multipliers_of(tiles, nets)
    assert [block.place for block in found] == PLACES
    for block, values in zip(found, parameters, strict=True):
        x, y = block.place
        assert block.parameters == settings[f"X{x}/Y{y}/mac16_0"] == values | {"NEG_TRIGGER": 0}
    names = ["SB_MAC16", *set(re.findall(r"^(SB_\w+)", rebuilt, re.MULTILINE))]
    ours, theirs = (
        ", ".join(f".o{k}({name}[{k}])" for k in range(len(PLACES))) for name in ("ours", "theirs")
    )
    top = f"""
module top(clk, i, ours, theirs);
  input clk;
  input i;
  output [{len(PLACES) - 1}:0] ours;
  output [{len(PLACES) - 1}:0] theirs;
  chip chip(.clk(clk), .i(i), {ours});
  original original(.clk(clk), .i(i), {theirs});
endmodule
"""
    rng = random.Random(seed)
    rows = [{"i": rng.getrandbits(1)} for _ in range(1500)]
    verilog = top + source + add_multipliers(rebuilt, tiles, nets) + cell_models("ice40", names)
    played = play(verilog, rows)
    assert all(row["ours"] is not None and row["ours"] == row["theirs"] for row in played)
    assert len({row["ours"] for row in played}) > 200


def working(place: Place) -> dict[Place, Tile]:
    """The tiles of a multiplier that works and of which nothing is set, and the one above them."""
    row = "0" * 36 + "1100001100" + "0" * 4 + "{}" + "0" * 3
    rows = tuple(row.format(int(number % 2 == 0)) for number in range(16))
    kinds = ("dsp0", "dsp1", "dsp2", "dsp3", "ipcon")
    return {(place[0], place[1] + above): Tile(kind, rows) for above, kind in enumerate(kinds)}


def with_bit(tile: Tile, row: int, column: int) -> Tile:
    """`tile` with a bit inverted."""
    bits = tile.rows[row]
    inverted = bits[:column] + str(1 - int(bits[column])) + bits[column + 1 :]
    return Tile(tile.kind, (*tile.rows[:row], inverted, *tile.rows[row + 1 :]))


def one(tiles: dict[Place, Tile], nets: dict[Wire, str]) -> Multiplier:
    (multiplier,), _ = multipliers_of(tiles, nets)
    return multiplier


def test_inputs_without_a_wire_are_what_the_chip_makes_of_them() -> None:
    verilog = one(working((0, 5)), {(0, 6, "lutff_2/in_3"): "n7", (0, 7, "mult/O_23"): "n8"}).verilog()  # fmt: skip
    assert ".CE(1'b1)" in verilog
    assert ".CLK(1'b0)" in verilog
    assert f".B({{{', '.join(['''1'b0'''] * 13)}, n7, 1'b0, 1'b0}})" in verilog
    assert "mac16_0_5_24, n8, mac16_0_5_22" in verilog
    assert verilog.count("wire mac16_0_5_") == 31
    assert ".CO(" not in verilog


def test_a_multiplier_without_nets_is_not_used() -> None:
    assert multipliers_of(working((0, 5)), {(0, 9, "lutff_2/in_3"): "n7"}) == ([], set())


def test_the_clock_edge_is_a_bit_of_the_third_tile() -> None:
    tiles = working((25, 10))
    tiles[25, 12] = with_bit(tiles[25, 12], 0, 0)
    multiplier = one(tiles, {(25, 12, "lutff_global/clk"): "n1"})
    assert {name for name, value in multiplier.parameters.items() if value} == {"NEG_TRIGGER"}


@pytest.mark.parametrize(("above", "row", "column"), [(0, 3, 36), (1, 15, 45), (3, 4, 50)])
def test_a_tile_that_does_not_work_as_a_multiplier_is_named(
    above: int, row: int, column: int
) -> None:
    tiles = working((0, 5))
    tiles[0, 5 + above] = with_bit(tiles[0, 5 + above], row, column)
    with pytest.raises(SimulationError, match=rf"^The dsp{above} tile at column 0, row {5 + above} is not"):  # fmt: skip
        multipliers_of(tiles, {(0, 5, "mult/O_0"): "n1"})


def test_a_carry_from_the_multiplier_below_is_refused() -> None:
    tiles = working((0, 10))
    tiles[0, 12] = with_bit(tiles[0, 12], 4, 7)  # bit 5 of that tile
    with pytest.raises(UnavailableLevelError, match="column 0, row 10 takes a carry or a sign"):
        multipliers_of(tiles, {(0, 10, "mult/O_0"): "n1"})
