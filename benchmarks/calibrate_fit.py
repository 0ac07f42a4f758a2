"""Coefficients of `sw.plan.coefficients` from the rows of the designed sample, for `calibrate.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from calibrate_sample import BOARD_OF, Case
from rbonn.boards import Family
from rbonn.sw.plan.costs import stage_terms
from scipy.optimize import lsq_linear

FLOOR = 20
"""Lookup tables, or flip-flops, below which a block's error counts as if it were of a block so large."""

STIFFNESS = 0.1
"""Weight of a coefficient's distance from 1, what the structure says, beside the relative errors: a tenth less costs as much as an error of a per cent in one row."""

LARGE, ROUNDS = 0.1, 30
"""A relative error from which a row counts less, and how often that is weighed."""

COUNTED = frozenset({"adder", "array.chains", "converter.shifted", "fifo.two", "lut_ram.cells"})
"""Terms that are counted cell by cell: their coefficients are 1."""


@dataclass(frozen=True)
class Row:
    """A configuration, its amounts of each kind by coefficient, and what synthesis found."""

    case: Case
    amounts: dict[str, dict[str, float]]
    found: dict[str, Any]


def rows_of(cases: Sequence[Case], table: dict[str, dict[str, Any]]) -> list[Row]:
    """Those cases that were synthesised."""
    rows = []
    for case in cases:
        found = table.get(case.digest)
        if found is None or "failed" in found:
            continue
        terms = stage_terms(case.config, case.family)
        rows.append(Row(case, {"lut4": terms.lut4, "ff": terms.ff}, found))
    return rows


def fitted(rows: Sequence[Row], family: Family, kind: str) -> dict[str, float]:
    """Coefficients of one kind that explain the rows of a family best: relative errors, large ones counting less than squares, none below 0."""
    mine = [row for row in rows if row.case.family == family]
    every = sorted({name for row in mine for name in row.amounts[kind]})
    counted = {name: 1.0 for name in every if name in COUNTED}
    names = [name for name in every if name not in COUNTED]
    amounts = np.array([[row.amounts[kind].get(name, 0.0) for name in names] for row in mine])
    found = np.array([row.found[kind] for row in mine], float)
    scale = np.maximum(found, FLOOR)
    found -= [sum(row.amounts[kind].get(name, 0.0) for name in counted) for row in mine]

    matrix = np.concatenate([amounts / scale[:, None], STIFFNESS * np.eye(len(names))])
    aim = np.concatenate([found / scale, np.full(len(names), STIFFNESS)])
    weights = np.ones(len(aim))
    for _ in range(ROUNDS):  # least squares, in which rows count the less the further they are off
        root = np.sqrt(weights)
        solution = lsq_linear(matrix * root[:, None], aim * root, bounds=(0, np.inf))
        weights = 1 / np.sqrt(1 + ((matrix @ solution.x - aim) / LARGE) ** 2)
    found_values = zip(names, solution.x, strict=True)
    return {name: round(float(value), 3) for name, value in found_values} | counted


def coefficients_module(rows: Sequence[Row]) -> str:
    """The text of `sw.plan.coefficients`."""
    lines = [HEAD]
    for name, kind in (("LOOKUP_TABLES", "lut4"), ("FLIP_FLOPS", "ff")):
        lines.append(f"{name}: dict[str, dict[str, float]] = {{")
        for family in BOARD_OF:
            lines.append(f'    "{family}": {{')
            for term, value in sorted(fitted(rows, family, kind).items()):
                lines.append(f'        "{term}": {value:g},')
            lines.append("    },")
        lines.append("}")
    return "\n".join(lines) + "\n"


HEAD = '''"""What one of each term of a cost takes (`terms`), fitted by `python benchmarks/calibrate.py fit`: 1 is what the structure says.

A term that is not here occurs in no configuration that was fitted, and counts as 1.
"""
'''
