"""Whole networks after place and route beside what their plans predict, for `calibrate.py`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rbonn.sw.plan.costs import accelerator_cost
from rbonn.sw.project import Project

PAIRS = (
    ("mnist_mlp_1w1a", "icebreaker", None),
    ("mnist_mlp_1w1a", "ulx3s-25f", None),
    ("mnist_cnn_1w1a", "icebreaker", None),
    ("mnist_cnn_1w1a", "ulx3s-25f", None),
    ("mnist_cnn_1w1a", "ulx3s-25f", 12_000),
)
"""Network, board, and frames per second to plan for; None: as many as fit."""


def compared(done: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A row of each pair that is not done."""
    known = {(row["network"], row["board"], row["asked_frames_per_second"]) for row in done}
    for network, board, rate in PAIRS:
        if (network, board, rate) not in known:
            yield _row(network, board, rate)


def _row(network: str, board: str, rate: float | None) -> dict[str, Any]:
    """Cells after placement: of an ECP5 its TRELLIS_COMB, those of LUT RAM included; of an iCE40 its logic cells."""
    project = Project.find(network, board, fps=rate)
    with tempfile.TemporaryDirectory() as folder:
        built = project.build(Path(folder), use_cache=False)
    cost, used = accelerator_cost(project.elaboration.config, project.board.family), built.resources
    cells = cost.lut4 + cost.carries
    return {
        "network": network,
        "board": board,
        "asked_frames_per_second": rate,
        "network_hash": project.network.hash()[:16],
        "cells": [used.logic_cells, cells],
        "error": round(100 * (cells / used.logic_cells - 1), 1),
        "lut4": [used.lut4, cost.lut4],
        "ff": [used.ff, cost.ff],
        "block_rams": [used.block_rams, cost.block_rams],
        "dsp": [used.dsp, cost.dsp],
        "tools": built.tools,
    }
