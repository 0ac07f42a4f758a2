"""The matrix-vector layer in the forms of every device: source and netlist equal NumPy, and the portable form, under random stalls.

The portable form runs in Amaranth's simulator, which knows no cells; the others in Icarus, with models of the cells, first as they are
written and then as synthesis leaves them. Both do the same in every cycle.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.boards import ICEBREAKER, ULX3S_25F
from rbonn.sw.build.design import component_verilog
from rbonn.sw.build.device_forms import DeviceForms, device_forms

from .netlists import cells_of, netlist
from .stream_driver import Run, Stalls, StreamError
from .test_matrix_vector_layer import Case
from .verilog_driver import drive_verilog

pytestmark = pytest.mark.synth

FORMS = {
    "ice40": DeviceForms("ice40"),
    "ice40_carry_lanes": DeviceForms("ice40_carry_lanes"),
    "ice40_no_twins": device_forms(ICEBREAKER),
    "ecp5": device_forms(ULX3S_25F),
}

LAYERS: dict[str, dict[str, Any]] = {
    "folded both ways": {"mh": 6, "mw": 33, "pe": 2, "simd": 11, "rows": (0, 1, 2)},
    "lanes at every carry": {"mh": 4, "mw": 32, "pe": 2, "simd": 16, "output": "sums"},
    "one beat": {"mh": 4, "mw": 7, "pe": 2, "simd": 7},
    "one lane": {"mh": 2, "mw": 5, "pe": 2, "simd": 1},
    "logic": {"mh": 4, "mw": 18, "pe": 2, "simd": 9, "memory": "logic"},
    "register": {"mh": 16, "mw": 20, "pe": 2, "simd": 20, "memory": "logic", "output": "sums", "rows": (0, 1, 2), "replay_memory": "register"},
    "wide register": {"mh": 4, "mw": 144, "pe": 2, "simd": 144, "memory": "logic", "output": "sums", "replay_memory": "register"},
    "LUT RAM": {"mh": 4, "mw": 16, "pe": 2, "simd": 8, "replay_memory": "lut_ram"},
    "absorbed leaves": {"mh": 4, "mw": 22, "pe": 2, "simd": 11, "weights": "absorbed"},
    "streamed weights": {"mh": 4, "mw": 24, "pe": 2, "simd": 12, "weights": "stream", "output": "matches"},
    "coded lanes": {"mh": 4, "mw": 34, "pe": 2, "simd": 17, "coded": True},
    "coded lanes, one beat": {"mh": 4, "mw": 9, "pe": 2, "simd": 9, "coded": True},
}  # fmt: skip

RAMS = {form: "DP16KD" if form == "ecp5" else "SB_RAM40_4K" for form in FORMS}
CARRIES = {form: "CCU2C" if form == "ecp5" else "SB_CARRY" for form in FORMS}

# Which forms, and cells that have to be there, so that no form is tested that synthesis made something else of.
TABLE = [
    ("folded both ways", FORMS, (CARRIES, RAMS)),
    ("lanes at every carry", ("ice40_no_twins", "ecp5"), (CARRIES, RAMS)),
    ("one beat", FORMS, (CARRIES,)),
    ("one lane", ("ecp5",), (CARRIES, RAMS)),
    ("logic", ("ice40", "ecp5"), (CARRIES,)),
    ("register", ("ice40_no_twins", "ecp5"), (CARRIES,)),
    ("register", ("ecp5",), ({"ecp5": "TRELLIS_DPR16X4"},)),
    ("wide register", ("ecp5",), (CARRIES,)),
    ("LUT RAM", ("ecp5",), ({"ecp5": "TRELLIS_DPR16X4"},)),
    ("absorbed leaves", ("ice40_no_twins", "ecp5"), (CARRIES, RAMS)),
    ("streamed weights", ("ice40_no_twins", "ecp5"), (CARRIES,)),
    ("coded lanes", ("ice40_carry_lanes", "ice40_no_twins", "ecp5"), (CARRIES, RAMS)),
    ("coded lanes, one beat", ("ice40_no_twins",), (CARRIES,)),
]


class Formed:
    """A case in the form of a device: its layer, with memories as that device has them, as Verilog and as a netlist."""

    def __init__(self, form: str, replay_memory: str = "block", **layer: Any) -> None:
        forms = FORMS[form]
        self.family = form.partition("_")[0]
        self.case = Case(**(forms.unit | layer))
        memories: dict[str, Any] = {}
        for name in ("weights", "presets"):
            part = getattr(self.case.config, name)
            if part is not None:
                memories[name] = replace(part, form=forms.block_memory)
        self.config = replace(
            self.case.config,
            replay_form=forms.block_memory,
            replay_memory=replay_memory,
            **memories,
        )
        self.source = component_verilog(self.config.component())
        self.cells = netlist(self.source, self.family)

    def run(self, verilog: str, stalls: Stalls | None, reset_after: int | None = None) -> Run:
        return drive_verilog(
            verilog,
            self.case.streams,
            n_outputs=len(self.case.outputs),
            cells=self.family,
            stalls=stalls,
            reset_after=reset_after,
        )

    def check(self, stalls: Stalls | None) -> Run:
        """Runs source and netlist and compares them with each other and with NumPy."""
        run = self.run(self.source, stalls)
        assert run.outputs == self.case.outputs
        assert run == self.run(self.cells, stalls)
        return run


def table_rows() -> list[Any]:
    """Layer, form and cells of each row; all but the first layer are slow."""
    rows = []
    for layer, forms, cells in TABLE:
        marks = () if layer == TABLE[0][0] else pytest.mark.slow
        for form in forms:
            names = {cell[form] for cell in cells}
            rows.append(pytest.param(layer, form, names, marks=marks, id=f"{layer}, {form}"))
    return rows


@pytest.mark.parametrize(("layer", "form", "cells"), table_rows())
def test_source_and_netlist_equal_the_portable_form(layer: str, form: str, cells: set[str]) -> None:
    formed = Formed(form, **LAYERS[layer])
    assert cells <= cells_of(formed.cells)
    run = formed.check(None)
    config = formed.config
    first = run.latency(0, config.unit.beats_per_row - 1)
    assert first == config.latency_cycles - config.early_cycles
    assert set(run.intervals(config.outputs_per_frame)) == {config.interval_cycles}
    for seed in range(2):
        formed.check(Stalls(seed))
    portable = Case(**{key: LAYERS[layer][key] for key in LAYERS[layer] if key != "replay_memory"})
    assert portable.run().outputs == run.outputs


@pytest.mark.parametrize(
    ("layer", "form"), [*(("folded both ways", form) for form in FORMS), ("wide register", "ecp5")]
)
def test_a_netlist_that_is_reset_anywhere_starts_afresh(layer: str, form: str) -> None:
    formed = Formed(form, **LAYERS[layer])
    for reset_after in range(1, len(formed.case.inputs) + 1, 3):
        run = formed.run(formed.cells, Stalls(reset_after), reset_after)
        assert run.outputs == formed.case.outputs


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(st.data())
def test_netlists_of_any_layer_equal_numpy(data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(sorted(FORMS)))
    pe, simd = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 18))
    formed = Formed(
        form,
        mh=pe * data.draw(st.integers(1, 3)),
        mw=simd * data.draw(st.integers(1, 3)),
        pe=pe,
        simd=simd,
        output=data.draw(st.sampled_from(["bits", "sums", "matches"])),
        seed=data.draw(st.integers(0, 999)),
        rows=data.draw(st.sampled_from([(0,), (0, 1), (0, 1, 2)])),
        n_frames=2,
        back_pressure=data.draw(st.sampled_from(["enable", "credit"])),
        weights=data.draw(st.sampled_from(["memory", "absorbed", "stream"])),
        memory=data.draw(st.sampled_from(["block", "logic"])),
    )
    formed.check(Stalls(data.draw(st.integers(0, 99))))


@pytest.mark.slow
def test_a_wrong_table_in_one_cell_of_the_netlist_is_seen() -> None:
    """In half of the cells at least: what some hold does not matter in this case."""
    formed = Formed("ecp5", **LAYERS["one beat"])
    tables = list(re.finditer(r"\.INIT1\(16'h(\w+)\)", formed.cells))
    n_seen = 0
    for found in tables[:: max(1, len(tables) // 6)]:
        at, end = found.span(1)
        wrong = f"{int(found[1], 16) ^ 0xFFFF:04x}"
        try:
            run = formed.run(formed.cells[:at] + wrong + formed.cells[end:], None)
        except StreamError:
            n_seen += 1
        else:
            n_seen += run.outputs != formed.case.outputs
    assert n_seen >= 3
