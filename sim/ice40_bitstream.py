"""An iCE40's bitstream as Verilog: unpacked, turned back into logic, and every used part of the chip accounted for.

`iceunpack` gives the configuration of each tile, `icebox_vlog` the logic that it makes: lookup tables, flip-flops and carries tile by tile, block RAMs with their
contents, pins, and the wires between them as they run. Three things it does not say aloud, so they are looked for here: multipliers, single-port RAMs and other
hard blocks are left out; a pin that leads to a PLL is left open; and a port without a pin becomes an input that leads nowhere.

References
----------
Project IceStorm, github.com/YosysHQ/icestorm: icebox/icebox_vlog.py; docs/format.html (tiles), docs/ultraplus.html (tiles of the hard blocks).
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
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

REBUILDS = "icebox_vlog"

_TILE = re.compile(r"^\.(\w+)_tile (\d+) (\d+)$", re.MULTILINE)
_SEGMENT = re.compile(r"^// \((\d+), (\d+), '(.*)'\)$", re.MULTILINE)
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
        tiles = work / f"{TOP}.asc"
        _run([unpack.path, f"{TOP}.bin", tiles.name], work)
        options = ["-S", "-n", CHIP, "-d", board.package.lower(), "-p", f"{TOP}.pcf"]
        verilog = _run([icebox, *options, tiles.name], work)
        kinds = {
            (int(x), int(y)): kind
            for kind, x, y in _TILE.findall(tiles.read_text(encoding="ascii"))
        }
    parts = Counter(_INSTANCE.findall(verilog))
    parts["flip-flops"] = len(re.findall(r"^/\* FF .*\*/ always", verilog, re.MULTILINE))
    account_for(verilog, kinds)
    compare_counts(parts, built)
    verilog = join_pad(verilog, f"{board.oscillator}_0__io")
    check_pll(verilog, board, clock_hz)
    models = cell_models("ice40", [part for part in parts if part.startswith("SB_")])
    return f"{_tidied(verilog)}\n{models}", parts


def account_for(verilog: str, kinds: dict[tuple[int, int], str]) -> None:
    """Checks that every tile whose pins a net reaches is of a kind that `icebox_vlog` turns into logic.

    Parameters
    ----------
    verilog : str - with comments, which have every segment of every net but those of plain wires
    kinds : dict - kind of each tile (``logic``, ``ramb``, ``io``, ``dsp0``, ``ipcon`` ...) by column and row

    Raises
    ------
    UnavailableLevelError - a hard block is used
    """
    known = {"logic", "io", "ramb", "ramt"}
    others = {
        f"{kinds[place]} tile {place[0]} {place[1]}"
        for x, y, segment in _SEGMENT.findall(verilog)
        if (place := (int(x), int(y))) in kinds
        and kinds[place] not in known
        and not segment.startswith("glb_netwk_")
    }
    if others:
        raise UnavailableLevelError(
            f"The bitstream uses hard blocks that {REBUILDS} leaves out: {', '.join(sorted(others))}.",
            "Simulate this design with '--level netlist', or build it without multipliers and single-port RAM.",
        )


def compare_counts(parts: Counter[str], built: BuildResult) -> None:
    """Checks that as many flip-flops and block RAMs came out as went in. Raises SimulationError where they differ."""
    rams = sum(count for part, count in parts.items() if part.startswith("SB_RAM40_4K"))
    used = built.resources
    for what, got, want in (
        ("flip-flops", parts["flip-flops"], used.ff),
        ("block RAMs", rams, used.block_rams),
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
