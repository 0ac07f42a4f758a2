"""`rbonn.sw.plan.planner` on networks of the shapes that ship, with random weights, and on small residual ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from rbonn.boards import ICEBREAKER, ULX3S_25F, ULX3S_45F, ULX3S_85F
from rbonn.boards.board import Board
from rbonn.sw.build.device_forms import device_forms
from rbonn.sw.build.elaborate import elaborate
from rbonn.sw.network import (
    ArgMax,
    Bipolar,
    Conv,
    Dense,
    EdgeType,
    MaxPool,
    Network,
    Node,
    Thermometer,
    Threshold,
    UInt,
)
from rbonn.sw.plan.plan import AcceleratorPlan
from rbonn.sw.plan.planner import make_plan, total_cost

from ...random_residual_networks import BlockShape, random_residual_network, residual_networks

CLOCK_HZ = 100_000_000


def chain(levels: int, convolutions: Sequence[tuple[int, int]], hidden: Sequence[int]) -> Network:
    """Thermometer, 3 x 3 convolutions without border as (channels, pool behind), dense layers and a head, on 32 x 32 pixels."""
    rng = np.random.default_rng(0)
    thresholds = np.linspace(0, 255, levels + 2)[1:-1].astype(np.int64)
    nodes: list[Node] = [Thermometer("thermometer", ("image",), thresholds)]
    size, channels = 32, 3 * levels

    def add_bits(name: str, rows: int, columns: int) -> None:
        spread = rng.integers(-columns // 4, columns // 4, rows)
        nodes.append(Threshold(f"{name}_bits", (name,), spread))

    for k, (rows, pool) in enumerate(convolutions, 1):
        weights = rng.choice([-1, 1], (rows, 3, 3, channels)).astype(np.int8)
        nodes.append(Conv(f"conv{k}", (nodes[-1].name,), weights, Bipolar(), 1, 0, -1))
        add_bits(f"conv{k}", rows, 9 * channels)
        size, channels = size - 2, rows
        if pool > 1:
            nodes.append(MaxPool(f"pool{k}", (nodes[-1].name,), pool))
            size //= pool
    columns = size * size * channels
    for k, rows in enumerate(hidden, 1):
        weights = rng.choice([-1, 1], (rows, columns)).astype(np.int8)
        nodes.append(Dense(f"dense{k}", (nodes[-1].name,), weights, Bipolar()))
        add_bits(f"dense{k}", rows, columns)
        columns = rows
    weights = rng.choice([-1, 1], (10, columns)).astype(np.int8)
    nodes.append(Dense("head", (nodes[-1].name,), weights, Bipolar()))
    nodes.append(ArgMax("label", ("head",)))
    classes = tuple(str(k) for k in range(10))
    return Network("chain", EdgeType(UInt(8), (32, 32, 3)), tuple(nodes), 0, "head", classes)


def resnet20() -> Network:
    """The shape of `cifar10_resnet20_1w1a`, but for a thermometer of 3 levels."""
    groups = [[BlockShape(16)] * 6]
    groups += [[BlockShape(c, 2), *[BlockShape(c)] * 5] for c in (32, 64)]
    blocks = [block for group in groups for block in group]
    return random_residual_network((32, 32, 3), blocks, stem_channels=16, n_classes=10)


def interval(network: Network, plan: AcceleratorPlan, board: Board) -> int:
    return elaborate(network, plan.foldings, device_forms(board)).config.interval_cycles


@pytest.mark.slow
def test_resnet20_takes_4096_cycles_on_an_ulx3s_85f() -> None:
    network = resnet20()
    plan = make_plan(network, ULX3S_85F, clock_hz=CLOCK_HZ)
    assert interval(network, plan, ULX3S_85F) == 4096
    shapes = {1: (4, 144), 8: (2, 288), 14: (1, 576)}
    for block, (pe, simd) in shapes.items():
        folding = plan.foldings[f"block{block}_conv"]
        assert (folding.pe, folding.simd, folding.window) == (pe, simd, "parallel")
    cost = total_cost(network, plan.foldings, ULX3S_85F)
    assert cost.lut4 <= 60_000
    assert cost.block_rams <= 208
    assert cost.dsp <= 156


@pytest.mark.slow
def test_resnet20_fits_an_ulx3s_45f() -> None:
    network = resnet20()
    plan = make_plan(network, ULX3S_45F, clock_hz=CLOCK_HZ)
    assert interval(network, plan, ULX3S_45F) <= 16_384


@pytest.mark.slow
def test_cnv_classifies_9000_frames_per_second_on_an_ulx3s_85f() -> None:
    shape = [(64, 1), (64, 2), (128, 1), (128, 2), (256, 1), (256, 1)]
    network = chain(8, shape, [512, 512])
    assert network.weight_bits > 1_500_000
    plan = make_plan(network, ULX3S_85F, clock_hz=CLOCK_HZ)
    assert CLOCK_HZ / interval(network, plan, ULX3S_85F) >= 9_000


@pytest.mark.slow
def test_the_small_cnn_fits_an_icebreaker() -> None:
    network = chain(4, [(32, 2), (48, 1), (56, 2)], [])
    assert network.weight_bits == 55_472
    plan = make_plan(network, ICEBREAKER)
    assert ICEBREAKER.clock_hz / interval(network, plan, ICEBREAKER) >= 500


PLANNED_ALONE = """
import json
from dataclasses import asdict
from rbonn.boards import ULX3S_25F
from rbonn.sw.plan.planner import make_plan
from tests.random_residual_networks import BlockShape, random_residual_network

blocks = [BlockShape(8), BlockShape(16, 2, "conv1x1")]
network = random_residual_network((8, 8, 3), blocks, stem_channels=8)
plans = [make_plan(network, ULX3S_25F, frames_per_second=rate) for rate in (None, 20_000)]
print(json.dumps([asdict(plan) for plan in plans]))
"""


def test_the_same_network_has_the_same_plan_in_every_process() -> None:
    root, plans = Path(__file__).parents[3], set()
    for seed in ("1", "2"):
        surroundings = os.environ | {"PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", PLANNED_ALONE]
        plans.add(subprocess.check_output(command, cwd=root, env=surroundings))
    assert len(plans) == 1


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(residual_networks())
def test_every_small_residual_network_can_be_planned_and_takes_what_the_plan_says(
    network: Network,
) -> None:
    plan = make_plan(network, ULX3S_25F)
    plan.check(network, ULX3S_25F)
    assert set(plan.foldings) == {n.name for n in network.nodes if isinstance(n, Conv | Dense)}
    slower = make_plan(network, ULX3S_25F, frames_per_second=1_000)
    assert interval(network, slower, ULX3S_25F) <= ULX3S_25F.clock_hz / 1_000
