"""Behavioural models of device cells, added to Verilog that instantiates some."""

from __future__ import annotations

import re
from importlib.resources import files

CELLS = files("rbonn.sim").joinpath("cells")
"""Folder of the models, one file per family."""


def with_cell_models(verilog: str) -> str:
    """`verilog` and the models of all cells that it instantiates and does not define."""
    for model in sorted(CELLS.iterdir(), key=lambda path: path.name):
        text = model.read_text(encoding="utf-8")
        cells = re.findall(r"^module (\w+)", text, re.MULTILINE)
        used = any(re.search(rf"^\s*{cell}\s+(#\(|\\?\w)", verilog, re.MULTILINE) for cell in cells)
        defined = any(re.search(rf"^module {cell}\b", verilog, re.MULTILINE) for cell in cells)
        if used and not defined:
            verilog = f"{verilog}\n{text}"
    return verilog
