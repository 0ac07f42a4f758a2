"""From a top level and a board to what the synthesis tools read: Verilog, constraints and the commands to run.

The Verilog is written once and read by simulation and synthesis alike, so what is simulated is what is built.
"""

from __future__ import annotations

import gc
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import Elaboratable

from ...boards import Board, BoardTop
from ..errors import BuildFailedError, RbonnError
from .memory_map import fast_script
from .process import last_error, run_tool
from .routed import WRITTEN
from .toolchain import Tool, find_tool, warm_up

CONSTRAINTS = (".pcf", ".lpf")
"""Ends of the names of files with pins and clocks, for place and route."""

TOP = "top"
"""Name of the outermost module, and of the build's files."""

# Amaranth's own conversion, without attributes that only name Python source lines or Amaranth's decoding.
_TO_VERILOG = """
read_rtlil top.il
proc -nomux -norom
memory_collect
attrmap -remove generator -remove top -remove src -remove amaranth.hierarchy -remove amaranth.decoding
attrmap -modattr -remove generator -remove src -remove amaranth.hierarchy -remove amaranth.decoding
write_verilog -norename top.v
"""

_PACK_OPTIONS = {"ice40": (), "ecp5": ("--compress",)}


class ClockError(RbonnError):
    """A clock was asked for that the board's PLL or its serial port cannot have."""


def clock_error(board: Board, problem: ValueError) -> ClockError:
    """What to say of a clock that `board` cannot have, from what its PLL or its serial port said."""
    return ClockError(
        f"{board.name}: {problem}",
        f"Ask for another clock; {board.clock_hz / 1e6:g} MHz is this board's own.",
    )


@dataclass(frozen=True, slots=True)
class Design:
    """What the tools read.

    Parameters
    ----------
    board : Board - where it will run
    asked_hz : int - clock that was asked for
    clock_hz : Fraction - clock that the PLL makes of it
    verilog : str - contents of ``top.v``
    files : dict[str, str] - further input files by name: constraints, yosys script
    commands : tuple[tuple[str, ...], ...] - tools with their arguments, in their order
    """

    board: Board
    asked_hz: int
    clock_hz: Fraction
    verilog: str
    files: dict[str, str]
    commands: tuple[tuple[str, ...], ...]


def board_design(
    board: Board,
    top: Elaboratable,
    clock_hz: int | None = None,
    *,
    seed: int = 1,
    synthesis_options: Sequence[str] | None = None,
    place_and_route_options: Sequence[str] = (),
) -> Design:
    """Elaborates `top` for `board`, with pins, PLL and reset around it.

    Parameters
    ----------
    board : Board - where it will run
    top : Elaboratable - component with ports ``rx`` and ``tx``
    clock_hz : int | None - its clock; None: the board's
    seed : int - seed of place and route
    synthesis_options : Sequence[str] | None - options of yosys' ``synth_<family>``; None: the project's for the family
    place_and_route_options : Sequence[str] - further options of nextpnr

    Raises
    ------
    ClockError - the board's PLL cannot make `clock_hz`
    ToolchainNotFoundError - there is no yosys
    """
    clock_hz = board.clock_hz if clock_hz is None else clock_hz
    try:
        made_hz = board.pll(clock_hz).output_hz
    except ValueError as error:
        raise clock_error(board, error) from error
    clock_mhz = float(made_hz) / 1e6
    if synthesis_options is None:
        synthesis_options = _synthesis_options(board)
    with _uncollected():
        plan = board.platform().prepare(
            BoardTop(board, clock_hz, top),
            TOP,
            emit_src=False,
            synth_opts=list(synthesis_options),
            script_after_synth=f"tee -q -o stat.json stat -json -top {TOP}",
            nextpnr_opts=[
                f"--seed {seed}",
                f"--freq {clock_mhz:.6f}",
                "--timing-allow-fail",
                "--report nextpnr.json",
                f"--write {WRITTEN}",
                *place_and_route_options,
            ],
            icepack_opts=list(_PACK_OPTIONS[board.family]),
            ecppack_opts=list(_PACK_OPTIONS[board.family]),
        )
    files = {name: _text(content) for name, content in plan.files.items()}
    script = files[f"{TOP}.ys"]
    from_rtlil, from_verilog = f"read_rtlil {TOP}.il\n", f"read_verilog {TOP}.v\n"
    assert script.count(from_rtlil) == 1, "amaranth's yosys script has changed"
    logs = {f"{TOP}.rpt": "yosys.log", f"{TOP}.tim": "nextpnr.log"}
    script, map_files = fast_script(
        board.family, find_tool("yosys"), script.replace(from_rtlil, from_verilog)
    )
    commands: list[list[str]] = json.loads(files[f"build_{TOP}.json"])["commands"]
    return Design(
        board=board,
        asked_hz=clock_hz,
        clock_hz=made_hz,
        verilog=_to_verilog(files[f"{TOP}.il"]),
        files={
            f"{TOP}.ys": script,
            **map_files,
            **{name: text for name, text in files.items() if name.endswith(CONSTRAINTS)},
        },
        commands=tuple(tuple(logs.get(word, word) for word in command) for command in commands),
    )


def _synthesis_options(board: Board) -> tuple[str, ...]:
    if board.family == "ecp5":
        # By default half of the lookup tables go into wide multiplexers, which gain no speed.
        return ("-nowidelut",)
    series = {"U": "u", "H": "hx", "L": "lp"}[board.device.removeprefix("iCE40")[:1]]
    return ("-device", series)


def component_verilog(component: Any, name: str = TOP) -> str:
    """Verilog of one component alone, with its signature's members as ports, as text.

    Made the same way as a board's, so that a simulation of it simulates what is built.

    Parameters
    ----------
    component : wiring.Component - the component
    name : str - name of its module

    Raises
    ------
    ToolchainNotFoundError - there is no yosys
    """
    with _uncollected():
        text = rtlil.convert(component, name=name, emit_src=False)
    return _to_verilog(text)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without Python's search for cyclic garbage: elaboration makes millions of objects that all stay, and looking through them again and again takes as long as making them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _to_verilog(rtlil_text: str) -> str:
    yosys: Tool = find_tool("yosys")
    warm_up(yosys)
    with tempfile.TemporaryDirectory(prefix="rbonn-") as name:
        folder = Path(name)
        (folder / "top.il").write_text(rtlil_text)
        (folder / "top.ys").write_text(_TO_VERILOG)
        log = folder / "yosys.log"
        if run_tool([yosys.path, "-q", "top.ys"], folder, log):
            raise BuildFailedError(
                f"yosys: no Verilog from the elaborated design: {last_error(log)}",
                "This is a defect of the project or of this yosys: please report it.",
            )
        return (folder / "top.v").read_text()


def _text(content: str | bytes) -> str:
    return content if isinstance(content, str) else content.decode()
