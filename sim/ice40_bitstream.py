"""An iCE40's bitstream as Verilog: unpacked, turned back into logic, and every used part of the chip accounted for.

`iceunpack` gives the configuration of each tile, `icebox_vlog` the logic that it makes: lookup tables, flip-flops and carries tile by tile, block RAMs with their
contents, pins, and the wires between them as they run. Three things it does not say aloud, so they are looked for here: hard blocks are left out, of which
multipliers are added and others refused (single-port RAMs, oscillators: no design of this project has them); a pin that leads to a PLL is left open; and a port
without a pin becomes an input that leads nowhere.

References
----------
Project IceStorm, github.com/YosysHQ/icestorm: icebox/icebox_vlog.py; docs/format.html (tiles), docs/ultraplus.html (tiles of the hard blocks).
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Set
from pathlib import Path

from ..boards import Board
from ..boards.pll import Ice40PllSetting
from ..sw.build.design import TOP
from ..sw.build.process import last_error, run_tool
from ..sw.build.result import BuildResult
from ..sw.build.toolchain import find_tool
from ..sw.errors import (
    BuildFailedError,
    SimulationError,
    ToolchainNotFoundError,
    UnavailableLevelError,
)
from .cell_models import cell_models
from .chip import CHIP, ports_of
from .ice40_multipliers import CELL, multipliers_of
from .ice40_tiles import Place, Tile, Wire, nets_of, tiles_of

REBUILDS = "icebox_vlog"

_RUNS = re.compile(r"(sp|span)(4|12)_|(neigh|logic)_op_|local_|glb_netwk_")
"""Wires on which a net only runs through a tile."""

_REST = re.compile(r"^/\* DSP.*\n", re.MULTILINE)
"""What `icebox_vlog` writes in place of a multiplier, for people to read."""

_UNMATCHED = re.compile(r"^// Warning: unmatched port '(.*)'$", re.MULTILINE)
_INSTANCE = re.compile(r"^(SB_\w+)", re.MULTILINE)
_PLL = re.compile(r"^(SB_PLL40_\w+) #\((.*?)^\) .*?^\);", re.MULTILINE | re.DOTALL)


def find_icebox() -> Path:
    """`icebox_vlog`. Raises ToolchainNotFoundError where it is missing."""
    path = shutil.which(REBUILDS)
    if path is None:
        raise ToolchainNotFoundError(
            f"{REBUILDS} is not installed; it turns a bitstream back into logic.",
            "Install it, on Debian and Ubuntu with: apt-get install fpga-icestorm",
        )
    return Path(path)


def icebox_files() -> list[Path]:
    """The program and what it knows of the chip. Raises ToolchainNotFoundError where it is missing."""
    program = find_icebox().resolve()
    return [program, *sorted(program.parent.glob("icebox*.py"))]


def bitstream_verilog(built: BuildResult, board: Board, clock_hz: int) -> tuple[str, Counter[str]]:
    """Verilog of the bitstream of `built`, as module `CHIP` with the pins as ports, and how many parts of each kind it has.

    Raises
    ------
    ToolchainNotFoundError - `icebox_vlog` or `iceunpack` is missing
    BuildFailedError - one of them failed
    UnavailableLevelError - a hard block is used that cannot be turned into logic
    SimulationError - something is missing from the Verilog, or the PLL is not set as the board wants it
    """
    icebox, unpack = find_icebox(), find_tool("iceunpack")
    with tempfile.TemporaryDirectory(prefix="rbonn-") as name:
        work = Path(name)
        shutil.copyfile(built.bitstream, work / f"{TOP}.bin")
        shutil.copyfile(built.bitstream.with_suffix(".pcf"), work / f"{TOP}.pcf")
        unpacked = work / f"{TOP}.asc"
        _run([unpack.path, f"{TOP}.bin", unpacked.name], work)
        options = ["-n", CHIP, "-d", board.package.lower(), "-p", f"{TOP}.pcf"]
        verilog = _run([icebox, *options, unpacked.name], work)
        tiles = tiles_of(unpacked.read_text(encoding="ascii"))
    nets = nets_of(verilog)
    verilog = add_multipliers(verilog, tiles, nets)
    parts = Counter(_INSTANCE.findall(verilog))
    parts["flip-flops"] = len(re.findall(r"^/\* FF .*\*/ always", verilog, re.MULTILINE))
    compare_counts(parts, built)
    verilog = join_pad(verilog, f"{board.oscillator}_0__io")
    check_pll(verilog, board, clock_hz)
    models = cell_models("ice40", [part for part in parts if part.startswith("SB_")])
    return f"{_tidied(verilog)}\n{models}", parts


def add_multipliers(verilog: str, tiles: Mapping[Place, Tile], nets: Mapping[Wire, str]) -> str:
    """`verilog` with the multipliers that it lacks. Raises UnavailableLevelError where any other hard block is used, else as `multipliers_of`."""
    multipliers, pins = multipliers_of(tiles, nets)
    account_for(tiles, nets, pins)
    body, end, rest = _REST.sub("", verilog).rpartition("endmodule")
    return body + "".join(multiplier.verilog() for multiplier in multipliers) + end + rest


def account_for(tiles: Mapping[Place, Tile], nets: Mapping[Wire, str], pins: Set[Wire]) -> None:
    """Checks that every tile of which a net uses an input or an output is one that becomes Verilog.

    Parameters
    ----------
    tiles, nets : dict - see `tiles_of`, `nets_of`
    pins : set of Wire - those of multipliers

    Raises
    ------
    UnavailableLevelError - a hard block is used
    """
    known = {"logic", "io", "ramb", "ramt"}
    others = {
        f"{tiles[x, y].kind} tile {x} {y}"
        for x, y, wire in nets.keys() - pins
        if (x, y) in tiles and tiles[x, y].kind not in known and not _RUNS.match(wire)
    }
    if others:
        raise UnavailableLevelError(
            f"The bitstream uses hard blocks that {REBUILDS} leaves out: {', '.join(sorted(others))}.",
            "Simulate this design with '--level netlist', or build it without single-port RAM and internal oscillators.",
        )


def compare_counts(parts: Counter[str], built: BuildResult) -> None:
    """Checks that as many flip-flops, block RAMs and multipliers came out as went in. Raises SimulationError where they differ."""
    rams = sum(count for part, count in parts.items() if part.startswith("SB_RAM40_4K"))
    used = built.resources
    for what, got, want in (
        ("flip-flops", parts["flip-flops"], used.ff),
        ("block RAMs", rams, used.block_rams),
        ("multipliers", parts[CELL], used.dsp),
    ):
        if got != want:
            raise SimulationError(
                f"The bitstream has {got} {what}, the design {want}.",
                "Part of the bitstream is damaged or not understood; run 'rbonn build' again.",
            )


def join_pad(verilog: str, oscillator: str) -> str:
    """`verilog` with the oscillator's pin joined to the PLL beside it, which needs no wire of the fabric.

    Raises
    ------
    SimulationError - another port has no pin
    """
    for port in _UNMATCHED.findall(verilog):
        if port != oscillator or not re.search(r"^SB_PLL40_PAD ", verilog, re.MULTILINE):
            raise SimulationError(
                f"Nothing in the bitstream is connected to the pin of {port}.",
                "The constraints and the bitstream are of different builds; run 'rbonn build' again.",
            )
        verilog = re.sub(r"\.PACKAGEPIN\(\w+\)", f".PACKAGEPIN({port})", verilog)
    return verilog


def check_pll(verilog: str, board: Board, clock_hz: int) -> None:
    """Checks that the bitstream's PLL is set as `board` wants it for `clock_hz`. Raises SimulationError where it is not, or there is none."""
    setting = board.pll(clock_hz)
    assert isinstance(setting, Ice40PllSetting)
    wanted = {
        "FEEDBACK_PATH": '"SIMPLE"',
        "PLLOUT_SELECT": '"GENCLK"',
        "DIVR": setting.divr,
        "DIVF": setting.divf,
        "DIVQ": setting.divq,
        "FILTER_RANGE": setting.filter_range,
    }
    plls = _PLL.findall(verilog)
    if len(plls) != 1:
        raise SimulationError(
            f"The bitstream has {len(plls)} PLLs instead of one.", "Run 'rbonn build' again."
        )
    found = dict(re.findall(r"\.(\w+)\((.*?)\)", plls[0][1]))
    for name, value in wanted.items():
        got = found[name]
        got = int(got.partition("'b")[2], 2) if "'b" in got else got
        if got != value:
            raise SimulationError(
                f"The bitstream's PLL has {name} = {got}, which for {clock_hz / 1e6:g} MHz should be {value}.",
                "Run 'rbonn build' again.",
            )


def _tidied(verilog: str) -> str:
    """Without comments, and without the second declaration of each port, which Verilator refuses."""
    verilog = re.sub(r"^//.*\n", "", verilog, flags=re.MULTILINE)
    ports = "|".join(ports_of(verilog))
    return re.sub(rf"^wire (?:{ports});\n", "", verilog, flags=re.MULTILINE)


def _run(command: list[str | Path], folder: Path) -> str:
    """What `command` prints. Raises BuildFailedError where it fails."""
    log = folder / "tool.log"
    if run_tool(command, folder, log):
        raise BuildFailedError(
            f"{Path(command[0]).name}: the bitstream cannot be unpacked: {last_error(log)}",
            "Run 'rbonn build' again; if that does not help, please report it.",
        )
    return log.read_text(encoding="utf-8", errors="replace")
