"""A board without a board: a network's whole top level, simulated as a program of its own, behind a pseudo-terminal."""

from __future__ import annotations

import subprocess
from importlib.resources import files
from pathlib import Path
from types import TracebackType

from ..hw.protocol import BENCHMARK_IMAGES, WARM_UP_IMAGES, Info
from ..hw.top import Top, TopConfig
from ..hw.uart import MIN_DIVISOR
from ..sw.build.design import TOP, component_verilog
from ..sw.errors import SimulationError
from ..sw.host.device import keeps_up
from ..sw.project import Forms, Project, baud_at
from .cell_models import with_cell_models
from .process import reason
from .run import Progress, fresh_folder
from .verilator import compile_program

_STOP_S = 10.0


def virtual_top(project: Project, forms: Forms | None = None) -> Top:
    """The top level of a project as it is for the board, but for the baud rate, which is the highest where the core keeps up with it: fewer cycles are simulated for a byte.

    A host that is told the board's rate sends batches if the core keeps up with that, so where it does not keep up with the highest the rate stays the board's.

    Parameters
    ----------
    forms : "device", "portable" or None - as `Project.simulated` takes it
    """
    info = project.info
    fastest = info.clock_hz // MIN_DIVISOR
    baud = fastest if keeps_up(info, fastest / 10) else baud_at(project.board, project.clock_hz)
    _, elaboration = project.simulated(forms)
    config = TopConfig(info, baud, traces=project.traces)
    return config.component(elaboration.config.component())


class VirtualBoard:
    """A top level that is simulated while the context lasts.

    with VirtualBoard(virtual_top(project), folder) as board, Device.open(board.port, 1_000_000) as device:
        print(device.infer(image).label)

    The simulation is a process that ends with this one, however that ends. It stands still while nothing is asked for. What a line break does to a board cannot be tried: a
    pseudo-terminal has none.

    Parameters
    ----------
    top : Top
    folder : Path - emptied first; receives the program and its log
    progress : called with (what, done, of) while it is compiled

    Members
    -------
    port : str - path of the pseudo-terminal; in the context

    Raises
    ------
    ToolchainNotFoundError, BuildFailedError - see `compile_program`
    SimulationError - the program does not start, for example because the system has no pseudo-terminals
    """

    port: str

    def __init__(self, top: Top, folder: Path, progress: Progress | None = None) -> None:
        folder = fresh_folder(folder.absolute())
        self.log = folder / "board.log"
        if progress:
            progress("compile", 0, 1)
        main = files("rbonn.sim").joinpath("virtual_board.cpp").read_text(encoding="utf-8")
        verilog = with_cell_models(component_verilog(top, TOP))
        program = compile_program(verilog, TOP, main, self.log)
        if progress:
            progress("compile", 1, 1)
        divisor = top.config.uart.divisor
        self._command = [str(program), str(divisor), str(_longest_cycles(top.config.info))]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> VirtualBoard:
        with self.log.open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                self._command,
                # It ends when this pipe is closed, which the system does where this process cannot.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        self.port = self._process.stdout.readline().strip()
        if not self.port:
            self.unplug()
            raise SimulationError(
                f"The simulated board does not start: {reason(self.log)}",
                f"The whole log is {self.log}",
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.unplug()

    def wait(self) -> None:
        """Returns when the board has ended by itself. Raises SimulationError: it should not have."""
        assert self._process is not None
        status = self._process.wait()
        raise SimulationError(
            f"The simulated board ended with status {status}: {reason(self.log)}",
            f"The whole log is {self.log}",
        )

    def unplug(self) -> None:
        """Ends the simulation at once; the port vanishes. A second time does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _longest_cycles(info: Info) -> int:
    """Cycles after which a board has done whatever it was asked for: BENCHMARK takes the longest."""
    return 2 * (WARM_UP_IMAGES + BENCHMARK_IMAGES) * max(info.interval_cycles, info.image_bytes)
