"""`rbonn.sw.build.carry_cells`: which pins are opened or changed, that cells compute the same, and that place and route does with fewer of them."""

import itertools
import json
import re
import subprocess
from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.primitives import COUNTING_FORMS, Lane
from rbonn.sw.build.carry_cells import lighten_carry_cells
from rbonn.sw.build.design import component_verilog
from rbonn.sw.build.toolchain import find_tool


def cell(init0: int = 0, **pins: int | str) -> dict:
    """A CCU2C whose first half has a table; pins not named are 1."""
    connections = {f"{pin}{half}": ["1"] for half in (0, 1) for pin in "ABCD"}
    connections |= {name: [bit] for name, bit in pins.items()}
    parameters = {"INIT0": f"{init0:016b}", "INIT1": "0" * 16, "INJECT1_0": "NO"}
    return {"type": "CCU2C", "parameters": parameters, "connections": connections}


def opened(*cells: dict, outputs: tuple[int, ...] = ()) -> list[dict]:
    """The connections of the cells afterwards; the module has some of their nets as outputs."""
    ports = {"o": {"direction": "output", "bits": list(outputs)}}
    module = {"ports": ports, "cells": {str(k): cell for k, cell in enumerate(cells)}}
    design = json.loads(lighten_carry_cells(json.dumps({"modules": {"top": module}})))
    return [cell["connections"] for cell in design["modules"]["top"]["cells"].values()]


def test_a_carry_out_that_nobody_reads_is_opened_and_one_that_is_read_stays() -> None:
    first, last = opened(cell(CIN="0", COUT=7), cell(0xFFFF, CIN=7, COUT=8))
    assert first["COUT"] == [7]
    assert last["CIN"] == [7]
    assert last["COUT"] == ["x"]
    (alone,) = opened(cell(COUT=8), outputs=(8,))
    assert alone["COUT"] == [8]


@pytest.mark.parametrize(
    ("first", "outputs", "is_open"),
    [
        (cell(0x0006, CIN="0", A0=2, B0=3), (), True),
        (cell(0x0006, CIN="x", A0=2, B0=3), (), True),
        (cell(0x6006, CIN="0", A0=2, B0=3), (), False),  # propagates where C and D are 1
        (cell(0x6006, CIN="0", A0=2, B0=3, C0="0"), (), True),
        (cell(0x00F6, CIN="0", A0=2, B0=3, C0=4), (), True),
        (cell(0x0106, CIN="0", A0=2, B0=3, C0=4), (), False),
        (cell(0x0006, CIN="0", A0=2, B0=3, S0=5), (5,), False),  # the sum is the carry-in
        (cell(0x0006, CIN="0", A0=2, B0=3, S0=5), (), True),
        (cell(0x0006, CIN=9, A0=2, B0=3), (9,), False),
    ],
)
def test_a_carry_in_is_opened_where_it_is_constant_and_changes_nothing(
    first: dict, outputs: tuple[int, ...], is_open: bool
) -> None:
    before = list(first["connections"]["CIN"])
    assert opened(first, outputs=outputs)[0]["CIN"] == (["x"] if is_open else before)


def computed(cell: dict, signals: dict[int, int], carry: int) -> list[tuple[int, int]]:
    """(sum, carry-out) of both halves, as the cell's simulation model has them."""
    results = []
    for half in "01":
        init = int(cell["parameters"][f"INIT{half}"], 2)
        bits = [cell["connections"][f"{pin}{half}"][0] for pin in "ABCD"]
        pins = [signals[bit] if isinstance(bit, int) else int(bit) for bit in bits]
        propagate = init >> sum(value << place for place, value in enumerate(pins)) & 1
        generate = init >> (pins[0] | pins[1] << 1) & 1
        results.append((propagate ^ carry, carry if propagate else generate))
        carry = results[-1][1]
    return results


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_constant_0s_at_tables_become_1s_and_every_output_stays(data: st.DataObject) -> None:
    pins = [f"{pin}{half}" for half in (0, 1) for pin in "ABCD"]
    nets = {pin: data.draw(st.sampled_from(["0", "1", number])) for number, pin in enumerate(pins)}
    before = cell(data.draw(st.integers(0, 0xFFFF)), CIN=8, COUT=9, **nets)
    before["parameters"]["INIT1"] = f"{data.draw(st.integers(0, 0xFFFF)):016b}"
    module = {"ports": {}, "cells": {"cell": before}}
    design = json.loads(lighten_carry_cells(json.dumps({"modules": {"top": module}})))
    after = design["modules"]["top"]["cells"]["cell"]
    assert all(after["connections"][pin] != ["0"] for pin in pins)
    for values in itertools.product((0, 1), repeat=9):
        signals = dict(enumerate(values[:8]))
        assert computed(after, signals, values[8]) == computed(before, signals, values[8])


class Leaves(wiring.Component):
    """Registered counts of three lanes each, all on one chain."""

    activations: In(9)
    weights: In(9)
    o: Out(6)

    def elaborate(self, platform) -> Module:
        m = Module()
        inputs = Signal(unsigned(18))
        m.d.sync += inputs.eq(self.activations | self.weights << 9)
        lanes = [Lane(inputs[k], inputs[9 + k]) for k in range(9)]
        counts = COUNTING_FORMS["ecp5"].leaves(m, [lanes[k : k + 3] for k in (0, 3, 6)])
        m.d.sync += [self.o[2 * k : 2 * k + 2].eq(count) for k, count in enumerate(counts)]
        return m


@pytest.mark.synth
def test_place_and_route_adds_no_cells_to_an_open_chain(tmp_path: Path) -> None:
    (tmp_path / "top.v").write_text(component_verilog(Leaves()))
    script = "read_verilog top.v; synth_ecp5 -nowidelut -top top -json closed.json"
    subprocess.run([find_tool("yosys").path, "-q", "-p", script], cwd=tmp_path, check=True)
    (tmp_path / "open.json").write_text(lighten_carry_cells((tmp_path / "closed.json").read_text()))
    used = {}
    for name in ("closed", "open"):
        command = [find_tool("nextpnr-ecp5").path, "--25k", "--package", "CABGA381", "--json", f"{name}.json", "--report", f"{name}.report", "--lpf-allow-unconstrained"]  # fmt: skip
        run = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
        assert re.search("Program finished normally", run.stderr)
        report = json.loads((tmp_path / f"{name}.report").read_text())
        used[name] = report["utilization"]["TRELLIS_COMB"]["used"]
    # Eight halves and a constant; closed, a cell of two more at either end, and the other constant for them.
    assert used == {"closed": 8 + 1 + 4 + 1, "open": 8 + 1}
