"""A bench that gives our models of cells and those of yosys the same inputs, and compares what they give."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rbonn.boards import Family
from rbonn.sim.cell_models import yosys_models

from .hw.primitives.vectors import Row, play


def theirs(family: Family, *names: str) -> str:
    """Yosys' models, with ``yosys_`` before their names."""
    _, modules = yosys_models(family)
    text = "".join(
        re.sub(r"specify.*?endspecify", "", modules[name], flags=re.DOTALL) for name in names
    )
    return re.sub(r"\b(" + "|".join(names) + r")\b(?=[ (])", r"yosys_\1", text)


def bench(cells: str, n_outputs: int, **inputs: int) -> str:
    """A module ``top`` around `cells`: a clock ``clk``, `inputs` (bits of each by its name), the outputs ``ours`` and ``theirs``."""
    ports = "".join(f"  input [{bits - 1}:0] {name};\n" for name, bits in inputs.items())
    return f"""
module top({", ".join(["clk", *inputs, "ours", "theirs"])});
  input clk;
{ports}  output [{n_outputs - 1}:0] ours;
  output [{n_outputs - 1}:0] theirs;
{cells}endmodule
"""


def assert_equal(verilog: str, rows: Sequence[Row], *, values: int, unknown: int = 0) -> None:
    """Plays `rows` to a `bench`: after the first `unknown` of them both give the same, in all at least so many different `values`."""
    played = play(verilog, rows)[unknown:]
    for number, row in enumerate(played):
        assert row["ours"] is not None, number
        assert row["ours"] == row["theirs"], number
    assert len({row["ours"] for row in played}) >= values
