"""`sim/cells/ecp5.v`: the models of cells, against those of yosys where it has them, and against its mapping of memories."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import rbonn.sim
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...cell_bench import assert_equal, bench, theirs
from ..netlists import cells_of, netlist
from .vectors import play

MODELS = (Path(rbonn.sim.__path__[0]) / "cells" / "ecp5.v").read_text()


def test_ccu2c_is_that_of_yosys_for_all_inputs_and_random_tables() -> None:
    rng = random.Random(1)
    pins = [f"{pin}{half}" for half in (0, 1) for pin in "ABCD"]
    wires = ", ".join(f".{pin}(pins[{k}])" for k, pin in enumerate(pins))
    cells = ""
    for k in range(40):
        parameters = ", ".join(
            [
                f".INIT0({rng.getrandbits(16)}), .INIT1({rng.getrandbits(16)})",
                f'.INJECT1_0("{rng.choice(("YES", "NO"))}"), .INJECT1_1("{rng.choice(("YES", "NO", "NO"))}")',
            ]
        )
        for prefix, name in (("", "ours"), ("yosys_", "theirs")):
            outputs = f".S0({name}[{3 * k}]), .S1({name}[{3 * k + 1}]), .COUT({name}[{3 * k + 2}])"
            cells += (
                f"{prefix}CCU2C #({parameters}) {name}{k}(.CIN(pins[8]), {wires}, {outputs});\n"
            )
    models = MODELS + theirs("ecp5", "CCU2C", "LUT2", "LUT4")
    inputs = [{"pins": pins} for pins in range(512)]
    assert_equal(bench(cells, 120, pins=9) + models, inputs, values=512)


def test_dpr16x4_is_that_of_yosys() -> None:
    rng = random.Random(2)
    cells = """
  TRELLIS_DPR16X4 #(.INITVAL(64'h0123456789abcdef)) own(.DI(data), .WAD(address), .WRE(write), .WCK(clk), .RAD(other), .DO(ours));
  yosys_TRELLIS_DPR16X4 #(.INITVAL(64'h0123456789abcdef)) yosys(.DI(data), .WAD(address), .WRE(write), .WCK(clk), .RAD(other), .DO(theirs));
"""
    widths = {"address": 4, "other": 4, "data": 4, "write": 1}
    rows = [{name: rng.getrandbits(bits) for name, bits in widths.items()} for _ in range(300)]
    models = MODELS + theirs("ecp5", "TRELLIS_DPR16X4")
    assert_equal(bench(cells, 4, **widths) + models, rows, values=16)


FLIP_FLOP = """
  TRELLIS_FF #(.CEMUX("CE"), .REGSET("RESET")) own0(.CLK(clk), .LSR(reset), .CE(enable), .DI(data), .Q(ours[0]));
  TRELLIS_FF #(.CEMUX("CE"), .REGSET("SET")) own1(.CLK(clk), .LSR(reset), .CE(enable), .DI(data), .Q(ours[1]));
  yosys_TRELLIS_FF #(.CEMUX("CE"), .REGSET("RESET")) yosys0(.CLK(clk), .LSR(reset), .CE(enable), .DI(data), .Q(theirs[0]));
  yosys_TRELLIS_FF #(.CEMUX("CE"), .REGSET("SET")) yosys1(.CLK(clk), .LSR(reset), .CE(enable), .DI(data), .Q(theirs[1]));
"""


def flip_flop(cells: str) -> str:
    return bench(cells, 2, enable=1, reset=1, data=1) + MODELS + theirs("ecp5", "TRELLIS_FF")


def test_a_flip_flop_is_that_of_yosys() -> None:
    rng = random.Random(4)
    rows = [{"enable": rng.getrandbits(1), "reset": 0, "data": rng.getrandbits(1)} for _ in range(99)]  # fmt: skip
    assert play(flip_flop(FLIP_FLOP), rows)[0]["ours"] == 0b10
    assert_equal(flip_flop(FLIP_FLOP), rows, values=3)


@pytest.mark.parametrize(
    ("parameter", "reset", "message"),
    [('.CEMUX("INV")', 0, "these parameters"), ('.CEMUX("CE")', 1, "resets")],
)
def test_a_flip_flop_refuses_what_it_does_not_model(
    parameter: str, reset: int, message: str
) -> None:
    row = {"enable": 1, "reset": reset, "data": 1}
    with pytest.raises(AssertionError, match=f"TRELLIS_FF: no model of {message}"):
        play(flip_flop(FLIP_FLOP.replace('.CEMUX("CE")', parameter)), [row])


def multiplier_top(parameters: str, signs: tuple[int, int] | None, enable: int = 0) -> str:
    """A module of one MULT18X18D; with `signs` None they are inputs."""
    a, b = ("signed_a", "signed_b") if signs is None else signs
    pins = [f".A{k}(a[{k}]), .B{k}(b[{k}])" for k in range(18)] + [f".P{k}(p[{k}])" for k in range(36)]  # fmt: skip
    signals = "" if signs is not None else "\n  input signed_a;\n  input signed_b;"
    return f"""
module top(clk, enable, reset, source, {"signed_a, signed_b, " if signs is None else ""}a, b, p);
  input clk;
  input enable;
  input reset;
  input source;{signals}
  input [17:0] a;
  input [17:0] b;
  output [35:0] p;
  MULT18X18D #({parameters}) block(.CLK0(clk), .CE{enable}(enable), .RST0(reset), .SIGNEDA({a}), .SIGNEDB({b}),
    .SOURCEA(source), .SOURCEB(1'b0), {", ".join(pins)});
endmodule
"""


def product(row: dict[str, int]) -> int:
    """36 bits of what the block multiplies in a cycle."""
    a, b = (row[pin] - (row[f"signed_{pin}"] and row[pin] >> 17) * (1 << 18) for pin in ("a", "b"))
    return a * b & (1 << 36) - 1


@pytest.mark.parametrize("places", range(8))
def test_mult18x18d_multiplies_with_any_signs_and_registers(places: int) -> None:
    """The registers against a list of what was in them."""
    rng = random.Random(places)
    has_input, has_middle, has_output = (bool(places >> k & 1) for k in range(3))
    chosen = [("INPUTA", has_input), ("INPUTB", has_input), ("PIPELINE", has_middle), ("OUTPUT", has_output)]  # fmt: skip
    parameters = ", ".join(f'.REG_{name}_CLK("{"CLK0" if there else "NONE"}")' for name, there in chosen)  # fmt: skip
    ends = [0, 1, (1 << 17) - 1, 1 << 17, (1 << 18) - 1]
    rows = [
        {
            "enable": int(rng.random() < 0.8),
            "reset": 0,
            "source": 0,
            "signed_a": rng.getrandbits(1),
            "signed_b": rng.getrandbits(1),
            "a": rng.choice([*ends, rng.getrandbits(18)]),
            "b": rng.choice([*ends, rng.getrandbits(18)]),
        }
        for _ in range(400)
    ]
    held = [0] * (has_input + has_middle + has_output)
    expected = []
    for row in rows:
        way = [product(row), *held]
        expected.append(way[-1])
        if row["enable"]:
            held = way[:-1]
    enable = places % 4
    parameters += "".join(f', .REG_{name}_CE("CE{enable}")' for name, _ in chosen)
    results = play(multiplier_top(parameters, None, enable) + MODELS, rows)
    assert [row["p"] for row in results] == expected


@pytest.mark.parametrize(
    "parameters",
    [
        '.REG_INPUTA_CLK("CLK0")',
        '.REG_OUTPUT_CLK("CLK1")',
        '.REG_INPUTC_CLK("CLK0")',
        '.REG_PIPELINE_CE("CE2")',
        '.RESETMODE("ASYNC")',
        '.MULT_BYPASS("ENABLED")',
        '.SOURCEB_MODE("C_SHIFT")',
    ],
)
def test_mult18x18d_refuses_what_it_does_not_model(parameters: str) -> None:
    row = {"enable": 1, "reset": 0, "source": 0, "a": 1, "b": 1}
    with pytest.raises(AssertionError, match="MULT18X18D: no model of these parameters"):
        play(multiplier_top(parameters, (1, 1)) + MODELS, [row])


@pytest.mark.parametrize("pin", ["reset", "source"])
def test_mult18x18d_refuses_resets_and_shifted_operands(pin: str) -> None:
    row = {"enable": 1, "reset": 0, "source": 0, "a": 1, "b": 1, pin: 1}
    with pytest.raises(AssertionError, match="no model of shifted operands and resets"):
        play(multiplier_top('.REG_OUTPUT_CLK("CLK0")', (1, 1)) + MODELS, [row])


class Ram(wiring.Component):
    """A memory with two ports that yosys maps: a writing one, and a reading one, or one that does both."""

    def __init__(self, width: int, depth: int, contents: list[int], mode: str) -> None:
        self.arguments, self.mode = {"shape": width, "depth": depth, "init": contents}, mode
        ports = {
            "read": In(range(depth)),
            "enable": In(1),
            "address": In(range(depth)),
            "data": In(width),
            "write": In(1),
            "o": Out(width),
        }
        super().__init__(ports if mode != "rom" else {k: ports[k] for k in ("read", "enable", "o")})

    def elaborate(self, platform) -> Module:
        m = Module()
        attributes: dict[str, object] = {"ram_style": "block", "rom_style": "block"}
        if self.mode == "no_rw_check":
            attributes["no_rw_check"] = 1
        m.submodules.memory = memory = Memory(**self.arguments, attrs=attributes)
        transparent = []
        if self.mode != "rom":
            write = memory.write_port()
            m.d.comb += [
                write.addr.eq(self.address),
                write.data.eq(self.data),
                write.en.eq(self.write),
            ]
            if self.mode == "transparent":
                transparent = [write]
        read = memory.read_port(transparent_for=transparent)
        m.d.comb += [
            read.addr.eq(self.read),
            read.en.eq(self.enable),
            self.o.eq(read.data),
        ]
        return m


class Expected:
    """What a `Ram` has read, for each row of inputs; None where a collision leaves it open."""

    def __init__(self, width: int, depth: int, contents: list[int], mode: str) -> None:
        self.words, self.mode = [*contents, *[0] * (depth - len(contents))], mode
        self.o: int | None = 0

    def step(self, row: dict[str, int]) -> None:
        before = list(self.words)
        if row["write"]:
            self.words[row["address"]] = row["data"]
        if row["enable"]:
            collides = row["write"] and row["address"] == row["read"]
            if collides and self.mode == "no_rw_check":
                self.o = None
            else:
                self.o = (self.words if self.mode == "transparent" else before)[row["read"]]


SHAPES = [
    *((36, 512, mode) for mode in ("rom", "no_rw_check", "old", "transparent")),
    (3, 100, "rom"),
    (40, 70, "no_rw_check"),
    (18, 600, "old"),
    (9, 1100, "transparent"),
    (4, 2100, "no_rw_check"),
    pytest.param(2, 4100, "old", marks=pytest.mark.slow),
    pytest.param(1, 8200, "no_rw_check", marks=pytest.mark.slow),
    pytest.param(1, 16384, "rom", marks=pytest.mark.slow),
]


@pytest.mark.synth
@pytest.mark.parametrize(("width", "depth", "mode"), SHAPES)
def test_a_memory_that_yosys_maps_on_dp16kd_keeps_its_words(
    width: int, depth: int, mode: str
) -> None:
    rng = random.Random(f"{width} {depth} {mode}")
    contents = [rng.getrandbits(width) for _ in range(depth - 3)]
    mapped = netlist(Ram(width, depth, contents, mode), "ecp5")
    assert "DP16KD" in cells_of(mapped)
    expected = Expected(width, depth, contents, mode)
    rows, wanted = [], []
    near = [rng.randrange(depth) for _ in range(8)]
    for cycle in range(600):
        row = {
            "read": rng.choice(near) if cycle % 2 else rng.randrange(depth),
            "enable": int(rng.random() < 0.8),
            "address": rng.choice(near),
            "data": rng.getrandbits(width),
            "write": int(mode != "rom" and rng.random() < 0.5),
        }
        wanted.append(expected.o)
        expected.step(row)
        rows.append(row)
    results = [row["o"] for row in play(mapped, rows, family="ecp5")]
    assert len(set(wanted)) > min(2**width, 100) // 2
    assert all(want is None or got == want for got, want in zip(results, wanted, strict=True))
    if mode == "no_rw_check":
        unknown = [got is None for got, want in zip(results, wanted, strict=True) if want is None]
        assert unknown
        assert all(unknown), "the model has to show what a device leaves open"
