"""The steps of a build in a folder of their own: synthesis, place and route with a seed, packing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...boards import Board
from ..errors import BuildFailedError
from .cache import BuildCache, key_of
from .carry_cells import lighten_carry_cells
from .design import CONSTRAINTS, TOP, Design
from .process import last_error, run_tool
from .report import FINISHED, cells_of, check_finished, check_fits, resources_of
from .routed import keep_routed
from .toolchain import Tool

Progress = Callable[[str, float], None]
"""Called with what is being done and with the part of the build that is behind, 0 to 1."""

LOGS = ("yosys.log", "nextpnr.log", "pack.log")

NETLIST = (f"{TOP}.json", "stat.json", "yosys.log")
"""What synthesis leaves. It is the same for every seed of place and route."""

CROWDED = {
    "ice40": (0.6, {"--placer": "static"}),
    "ecp5": (0.4, {"--placer": "static", "--router": "router2"}),
}
"""Part of a device's lookup tables or flip-flops from which another placer and router suit it, by family.

A large accelerator on an ECP5 then has a quarter less wire than with nextpnr's defaults, whose router does not finish with it. On an iCE40HX1K of whose logic cells 86 % are
taken, the default placer finds a place with two seeds of four, after minutes, this one with each, in a fifth of the time. Of a small design the defaults make as fast a one, sooner."""

# Lines of nextpnr's log, in their order, with the part of place and route that is behind when they appear.
_MILESTONES = (
    ("Info: Packing ", 0.02),
    ("Info: Creating initial ", 0.08),
    ("Info: Running main analytical placer", 0.12),
    ("Info: Running Static placer", 0.12),
    ("Info: Running simulated annealing placer for refinement", 0.45),
    ("Info: Routing..", 0.55),
    ("Info: Running router2", 0.70),
    ("Info: Router2 time", 0.90),
    ("Info: Router1 time", 0.92),
    (FINISHED, 1.0),
)

_SYNTHESIS_FROM, _PLACE_FROM, _PACK_FROM = 0.08, 0.40, 0.96


class Flow:
    """Runs the commands of a design.

    Parameters
    ----------
    design : Design - what is built
    tools : dict[str, Tool] - the programs, by name
    work : Path - existing folder where everything happens
    logs : Path - folder where the logs will lie afterwards, for error messages
    progress : Progress - told what is being done
    timeout_seconds : float | None - limit of each tool
    cache : BuildCache | None - netlists of builds before
    """

    def __init__(
        self,
        design: Design,
        tools: dict[str, Tool],
        work: Path,
        logs: Path,
        progress: Progress,
        timeout_seconds: float | None = None,
        cache: BuildCache | None = None,
    ) -> None:
        self.design = design
        self.tools = tools
        self.work = work
        self.logs = logs
        self.progress = progress
        self.timeout_seconds = timeout_seconds
        self.cache = cache
        self._is_synthesised = False

    def run(self, seed: int) -> None:
        """Builds the bitstream with a seed of place and route; a second time, with another one, of the same netlist.

        Raises
        ------
        DoesNotFitError - the design is too large
        NoPlaceError - the placer finds no place with this seed
        BuildFailedError - a tool failed, or took too long
        """
        synthesis, place_and_route, pack = self.design.commands
        if not self._is_synthesised:
            for name, text in {f"{TOP}.v": self.design.verilog, **self.design.files}.items():
                (self.work / name).write_text(text)
            self.progress("synthesis", _SYNTHESIS_FROM)
            self._synthesise(synthesis)
            self._is_synthesised = True
        cells = cells_of(self.work / "stat.json")
        self._place_and_route(suited(place_and_route, self.design.board, cells), seed)
        self.progress("packing the bitstream", _PACK_FROM)
        self._step(pack, "pack.log")

    def _synthesise(self, command: Sequence[str]) -> None:
        """Makes the netlist, or takes that of another build."""
        key = netlist_key(self.design, self.tools[command[0]])
        if self.cache is not None and self.cache.fetch(key, self.work):
            return
        for name in NETLIST:  # of a damaged entry
            (self.work / name).unlink(missing_ok=True)
        self._step(command, "yosys.log")
        if self.design.board.family == "ecp5":
            netlist = self.work / f"{TOP}.json"
            netlist.write_text(lighten_carry_cells(netlist.read_text()))
        if self.cache is not None:
            self.cache.store(key, [self.work / name for name in NETLIST])

    def place_and_route_report(self) -> dict[str, Any]:
        """The report that nextpnr wrote."""
        return json.loads((self.work / "nextpnr.json").read_text())

    def _place_and_route(self, command: Sequence[str], seed: int) -> None:
        command = with_seed(command, seed)
        step = f"place and route, seed {seed}"
        log = self.work / "nextpnr.log"
        log.unlink(missing_ok=True)

        def watch() -> None:
            behind = _milestone(log)
            self.progress(step, _PLACE_FROM + (_PACK_FROM - _PLACE_FROM) * behind)

        watch()
        self._step(command, log.name, watch)
        check_finished(log)
        keep_routed(self.work)

    def _step(
        self, command: Sequence[str], log_name: str, watch: Callable[[], None] | None = None
    ) -> None:
        """Runs one tool; its messages end up in `log_name`."""
        name, *arguments = command
        log, printed = self.work / log_name, self.work / f"{name}.out"
        try:
            status = run_tool(
                [self.tools[name].path, *arguments],
                self.work,
                printed,
                timeout_seconds=self.timeout_seconds,
                watch=watch,
            )
        finally:
            if printed.exists():
                with log.open("a") as file:
                    file.write(printed.read_text(errors="replace"))
                printed.unlink()
        if status == 0:
            return
        if name.startswith("nextpnr"):
            check_fits(self.design.board, log)
        raise BuildFailedError(
            f"{name}: failed with status {status}: {last_error(log)}",
            f"The whole log is {self.logs / log_name}.",
        )


def netlist_key(design: Design, yosys: Tool) -> str:
    """Digest of all that decides the netlist: the Verilog, the script with its files, the program."""
    files = {name: text for name, text in design.files.items() if not name.endswith(CONSTRAINTS)}
    return key_of(
        [
            "netlist 1",
            design.board.family,
            design.verilog,
            *(f"{name}\n{text}" for name, text in sorted(files.items())),
            str(yosys),
        ]
    )


def suited(command: Sequence[str], board: Board, cells: Mapping[str, int]) -> list[str]:
    """`command` with the placer and router that suit how full the device is, where it names none; `cells` by type after synthesis."""
    changed = list(command)
    used = resources_of(board.family, dict(cells), Counter())  # nothing is packed yet
    crowded, options = CROWDED[board.family]
    if max(used.lut4 / board.capacity.lut4, used.ff / board.capacity.ff) >= crowded:
        for option, value in options.items():
            changed += [option, value] if option not in changed else []
    return changed


def with_seed(command: Sequence[str], seed: int) -> list[str]:
    """`command` with that seed, where it has one."""
    changed = list(command)
    if "--seed" in changed:
        changed[changed.index("--seed") + 1] = str(seed)
    return changed


def _milestone(log: Path) -> float:
    """Part of place and route that is behind, by the log so far."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return 0.0
    return next((part for line, part in reversed(_MILESTONES) if line in text), 0.0)
