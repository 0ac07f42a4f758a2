"""How far costs are from what synthesis found, for `calibrate.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from calibrate_sample import DRAWS, Case
from rbonn.sw.plan.costs import stage_cost
from scipy.stats import spearmanr

FLOOR = 20
"""Lookup tables below which a block's error is a part of so many: of a fork with 6 an error of 1 says nothing."""


def judged(cases: Sequence[Case], table: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Errors of all blocks together, of each family, and of each kind of block in each family; and every row.

    Rows that yosys could not map are counted as `failed` and are in no error.
    """
    rows = [_row(case, table[case.digest]) for case in cases if case.digest in table]
    found = [row for row in rows if "failed" not in row]
    families = sorted({row["family"] for row in found})
    blocks = [
        {"block": block, "family": family} | summary(mine)
        for block in DRAWS
        for family in families
        if (mine := [row for row in found if (row["block"], row["family"]) == (block, family)])
    ]
    return {
        "not_synthesised": len(cases) - len(rows),
        "failed": [row for row in rows if "failed" in row],
        "all": summary(found),
        "families": {f: summary([row for row in found if row["family"] == f]) for f in families},
        "blocks": blocks,
        "rows": found,
    }


def _row(case: Case, found: dict[str, Any]) -> dict[str, Any]:
    named = {"family": case.family, "block": case.block, "name": case.name}
    if "failed" in found:
        return named | {"failed": found["failed"]}
    cost = stage_cost(case.config, case.family)
    kinds = ("lut4", "ff", "block_rams", "dsp")
    return named | {kind: [found[kind], getattr(cost, kind)] for kind in kinds}


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Errors of lookup tables as parts of at least `FLOOR`, and of what was found whatever it is; how many block RAMs and multipliers are wrong."""
    found, predicted = (np.array([row["lut4"][k] for row in rows], float) for k in range(2))
    errors = np.abs(predicted - found) / np.maximum(found, FLOOR)
    plain = np.abs(predicted - found)[found > 0] / found[found > 0]
    ranks = spearmanr(found, predicted).statistic if len(set(found)) > 1 and len(set(predicted)) > 1 else None  # fmt: skip
    flip_flops = [abs(row["ff"][1] - row["ff"][0]) / max(row["ff"][0], FLOOR) for row in rows]
    return {
        "rows": len(rows),
        "rank_correlation": None if ranks is None else round(float(ranks), 4),
        "median": _percent(np.median(errors)),
        "quantile_95": _percent(np.quantile(errors, 0.95)),
        "worst": _percent(errors.max()),
        "within_20": _percent(np.mean(errors <= 0.2)),
        "median_without_floor": _percent(np.median(plain)) if len(plain) else None,
        "within_20_without_floor": _percent(np.mean(plain <= 0.2)) if len(plain) else None,
        "ff_median": _percent(np.median(flip_flops)),
        "ff_worst": _percent(max(flip_flops)),
        "block_rams_wrong": sum(row["block_rams"][0] != row["block_rams"][1] for row in rows),
        "dsp_wrong": sum(row["dsp"][0] != row["dsp"][1] for row in rows),
    }


def _percent(part: float) -> float:
    return round(100 * float(part), 1)
