"""Drives Verilog in Icarus as `stream_driver.drive` drives a component: same inputs, same stalls, same checks, same `Run`.

What is driven is a component's own Verilog, as a build synthesises it, or the netlist that synthesis made of it (`netlists`).
Cycle for cycle the same happens as in Amaranth's simulator, so two runs may be compared as a whole. Besides the rules of the
stream contract, what is offered must not contain unknown bits: Icarus knows which memories and registers were never written.

Examples
--------
>>> assert drive_verilog(component, inputs, n_outputs=n, stalls=Stalls(1)) == drive(component, inputs, n_outputs=n, stalls=Stalls(1))
>>> drive_verilog(netlist(component, "ecp5"), inputs, n_outputs=n, cells="ecp5")
"""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from rbonn.sim.icarus import started
from rbonn.sw.build.design import TOP, component_verilog

from .netlists import cell_models
from .stream_driver import Run, Stalls, StreamError

PATTERN_CYCLES = 4096
"""After so many cycles the stalls repeat, unlike those of `stream_driver`."""

BENCH = (Path(__file__).parent / "verilog_bench.sv").read_text()


class Port(NamedTuple):
    """A stream of the top module: its name, the bits of its payload, and whether the bench feeds it."""

    name: str
    width: int
    is_input: bool


def drive_verilog(
    source: str | Any,
    inputs: Sequence[int] | Mapping[str, Sequence[int]],
    *,
    n_outputs: int,
    stalls: Stalls | None = None,
    cells: str | None = None,
    ready_after_valid: bool = False,
    reset_after: int | None = None,
    idle_limit: int = 200,
    settle_cycles: int = 16,
) -> Run:
    """Feed all `inputs` and collect `n_outputs` outputs; see `stream_driver.drive` for all that is not said here.

    Parameters
    ----------
    source : str - Verilog with a module `top`; or a component, whose Verilog is made first
    cells : str - family whose cell models `source` needs: "ice40" or "ecp5"

    Raises StreamError, with the cycle. Skips the test where Icarus Verilog is missing.
    """
    if shutil.which("iverilog") is None or shutil.which("vvp") is None:
        pytest.skip("Icarus Verilog is not installed")
    verilog = source if isinstance(source, str) else component_verilog(source)
    streams = dict(inputs) if isinstance(inputs, Mapping) else {"i": inputs}
    ports = _streams_of(verilog)
    missing = set(streams) - {port.name for port in ports if port.is_input}
    if missing:
        raise ValueError(f"Inputs must be streams of the module, not {sorted(missing)}")
    if reset_after is not None and not re.search(r"^\s*input rst;", verilog, re.MULTILINE):
        raise ValueError("A module to be reset must have a port rst")
    options = {
        "outputs": n_outputs,
        "idle_limit": idle_limit,
        "settle_cycles": settle_cycles,
        "after_valid": int(ready_after_valid),
        "reset_after": -1 if reset_after is None else reset_after,
    }
    trace = _simulate(_compiled(verilog, cells), ports, streams, stalls, options)
    limits = [None] if reset_after is None else [reset_after, None]
    phases = [list(group) for _, group in itertools.groupby(trace, key=lambda fields: fields[0])]
    assert len(phases) <= len(limits), "the bench wrote a phase too many"
    run = Run()
    for limit, phase in zip(limits, phases, strict=False):
        items = {name: len(words[:limit]) for name, words in streams.items()}
        wanted = n_outputs if limit is None else None
        fed = [port.name for port in ports if port.is_input]
        run = _Reader(items, fed, wanted, idle_limit, stalls is not None).read(phase)
    return run


class _Reader:
    """Makes a `Run` of what the bench saw, and checks the contract in it."""

    def __init__(
        self, items: dict[str, int], fed: list[str], n_outputs: int | None, idle_limit: int, probe: bool
    ) -> None:  # fmt: skip
        self.items = items
        self.fed = fed
        self.n_outputs = n_outputs
        self.idle_limit = idle_limit
        self.probe = probe
        self.run = Run(input_cycles={name: [] for name in items})
        self.cycle = 0

    def read(self, trace: Sequence[Sequence[str]]) -> Run:
        run, idle, pending = self.run, 0, None
        for cycle, (_, early, valid, ready, payload, offered, accepts) in enumerate(trace):
            self.cycle = cycle
            moved = False
            # The bits of the last two fields stand for the fed streams, the last one first.
            for name, is_offered, accept in zip(
                self.fed, reversed(offered), reversed(accepts), strict=True
            ):
                if accept not in "01":
                    raise StreamError(f"{name}.ready is unknown: {self._where()}")
                if is_offered == accept == "1":
                    run.input_cycles[name].append(cycle)
                    moved = True
            if valid not in "01":
                raise StreamError(f"o.valid is unknown: {self._where()}")
            if self.probe and early != valid:
                raise StreamError(f"o.valid depends on o.ready: {self._where()}")
            if valid == "1" and set(payload) - {"0", "1"}:
                raise StreamError(f"an offered payload has unknown bits {payload}: {self._where()}")
            if pending is not None and valid == "0":
                raise StreamError(f"an offered output was withdrawn: {self._where()}")
            if pending is not None and payload != pending:
                raise StreamError(
                    f"an offered payload changed from {int(pending, 2)} to {int(payload, 2)}: {self._where()}"
                )
            pending = payload if valid == "1" and ready == "0" else None
            if valid == ready == "1":
                run.outputs.append(int(payload, 2))
                run.output_cycles.append(cycle)
                moved = True
                if self.n_outputs is not None and len(run.outputs) > self.n_outputs:
                    raise StreamError(self._too_many())
            idle = 0 if moved else idle + 1
        if pending is not None and self._is_done() and self.n_outputs is not None:
            raise StreamError(self._too_many())
        if not self._is_done():
            raise StreamError(f"nothing moved for {self.idle_limit} cycles: {self._where()}")
        return run

    def _is_done(self) -> bool:
        accepted = all(len(self.run.input_cycles[name]) == n for name, n in self.items.items())
        return accepted and len(self.run.outputs) >= (self.n_outputs or 0)

    def _too_many(self) -> str:
        return f"more than the {self.n_outputs} expected outputs: {self._where()}"

    def _where(self) -> str:
        accepted = ", ".join(
            f"{len(self.run.input_cycles[name])} of {n} accepted on {name}"
            for name, n in self.items.items()
        )
        return f"cycle {self.cycle}, {accepted}, {len(self.run.outputs)} outputs taken"


def _streams_of(verilog: str) -> list[Port]:
    """The streams of the module `top`, by its ports ``<name>__valid``, ``<name>__ready`` and ``<name>__payload``."""
    module = re.search(rf"^module {TOP}\b.*?^endmodule", verilog, re.MULTILINE | re.DOTALL)
    assert module is not None, f"no module {TOP}"
    widths, is_input = {}, {}
    for direction, high, name in re.findall(
        r"^\s*(input|output) (?:\[(\d+):0\] )?(\w+);", module[0], re.MULTILINE
    ):
        widths[name] = int(high or 0) + 1
        is_input[name] = direction == "input"
    return [
        Port(name, widths.get(f"{name}__payload", 0), is_input[f"{name}__valid"])
        for name in (port.removesuffix("__valid") for port in widths if port.endswith("__valid"))
    ]


@lru_cache(maxsize=64)
def _compiled(verilog: str, cells: str | None) -> str:
    """The program for `vvp` that simulates `verilog` in its bench."""
    with tempfile.TemporaryDirectory(prefix="rbonn-") as name:
        folder = Path(name)
        (folder / "design.v").write_text(started(verilog))
        (folder / "bench.sv").write_text(BENCH + _bench(verilog))
        command = ["iverilog", "-g2012", "-DNO_ICE40_DEFAULT_ASSIGNMENTS", "-s", "bench", "-o", "program"]  # fmt: skip
        command += ["bench.sv", "design.v"]
        if cells is not None:
            (folder / "cells.v").write_text(cell_models(cells))
            command.append("cells.v")
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
        return (folder / "program").read_text()


def _bench(verilog: str) -> str:
    """The module `bench`: clock, reset, one feeder for each input stream, and the output stream `o`."""
    ports = _streams_of(verilog)
    fed = [port.name for port in ports if port.is_input]
    (output,) = [port for port in ports if not port.is_input]
    clocks = [name for name in ("clk", "rst") if re.search(rf"^\s*input {name};", verilog, re.M)]
    connections = [f".{name}({name})" for name in clocks]
    connections += [".o__valid(valid)", ".o__ready(ready)", ".o__payload(payload)"]
    lines = []
    for port in ports:
        if port.is_input:
            wires = [f"{port.name}__{part}" for part in ("valid", "payload", "ready")]
            connections += [f".{wire}({wire})" for wire in wires]
            lines += [
                f"wire {wires[0]}, {wires[2]}; wire [{port.width - 1}:0] {wires[1]};",
                f'feeder #("{port.name}", {port.width}, {PATTERN_CYCLES}) {port.name}({", ".join(wires)});',
            ]

    def each(call: str) -> str:
        return " ".join(f"{name}.{call};" for name in fed)

    def all_of(wire: str) -> str:
        return "{" + ", ".join(f"{name}{wire}" for name in reversed(fed)) + "}"

    return f"""
module bench;
  reg clk = 0, rst = 0, ready = 0, early = 0, waits = 0;
  wire valid;
  wire [{output.width - 1}:0] payload;
  {" ".join(lines)}
  {TOP} dut({", ".join(connections)});

  reg [{PATTERN_CYCLES - 1}:0] may_take;
  integer trace, file, code, outputs, idle_limit, settle_cycles, after_valid, reset_after;
  integer cycle, taken, wanted, idle, settled, phase;
  wire is_done = taken >= wanted && &{all_of(".is_done")};

  task run_phase(input integer limit, input integer n_outputs, input integer settle);
    begin
      {each("start(limit)")}
      wanted = n_outputs; cycle = 0; taken = 0; idle = 0; settled = 0; waits = 0;
      #1;
      while ((!is_done || settled < settle) && idle <= idle_limit) begin
        if (is_done) settled = settled + 1;
        {each("drive(cycle)")}
        ready = ~(may_take[cycle % {PATTERN_CYCLES}] && (waits || !after_valid));
        #1 early = valid;
        ready = ~ready;
        #1 $fwrite(trace, "%b %b %b %b %b %b %b\\n", phase[0], early, valid, ready, payload,
                   {all_of(".valid")}, {all_of("__ready")});
        idle = (valid && ready) || |{all_of(".moves")} || is_done ? 0 : idle + 1;
        taken = taken + (valid === 1 && ready);
        waits = valid === 1 && !ready;
        {each("account")}
        clk = 1;
        #1 clk = 0;
        cycle = cycle + 1;
      end
    end
  endtask

  initial begin
    trace = $fopen("trace.txt", "w");
    file = $fopen("options.txt", "r");
    code = $fscanf(file, "%d %d %d %d %d %h", outputs, idle_limit, settle_cycles, after_valid, reset_after, may_take);
    phase = 0;
    if (reset_after >= 0) begin
      run_phase(reset_after, 0, 0);
      {each("start(0)")}
      ready = 0;
      rst = 1;
      #1 clk = 1;
      #1 clk = 0;
      rst = 0;
      phase = 1;
    end
    if (idle <= idle_limit || !phase) run_phase(-1, outputs, settle_cycles);
    $finish(0);
  end
endmodule
"""


def _simulate(
    program: str,
    ports: Sequence[Port],
    streams: Mapping[str, Sequence[int]],
    stalls: Stalls | None,
    options: Mapping[str, int],
) -> list[list[str]]:
    """The fields of each cycle, as the bench writes them."""
    patterns = stalls or Stalls(seed=0, names=())

    def pattern(name: str) -> str:
        flags = itertools.islice(patterns.pattern(name), PATTERN_CYCLES)
        return f"{sum(go << cycle for cycle, go in enumerate(flags)):x}"

    with tempfile.TemporaryDirectory(prefix="rbonn-") as name:
        folder = Path(name)
        (folder / "program").write_text(program)
        fields = [*map(str, options.values()), pattern("o")]
        (folder / "options.txt").write_text("\n".join(fields) + "\n")
        for port in ports:
            words = streams.get(port.name, ())
            if port.is_input:
                lines = [str(len(words)), pattern(port.name), *(f"{word:x}" for word in words)]
                (folder / f"{port.name}.txt").write_text("\n".join(lines) + "\n")
        run = subprocess.run(
            ["vvp", "-n", "program"], cwd=folder, capture_output=True, text=True, check=False, timeout=120
        )  # fmt: skip
        assert run.returncode == 0, run.stdout + run.stderr
        return [line.split() for line in (folder / "trace.txt").read_text().splitlines()]
