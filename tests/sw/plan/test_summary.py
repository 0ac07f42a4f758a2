"""`rbonn.sw.plan.summary`: what is said of a plan is what simulation shows."""

from math import ceil

import pytest
from rbonn.sw.plan.cycles import cycles_of
from rbonn.sw.plan.plan import AcceleratorPlan
from rbonn.sw.plan.schedule import first_frame_latency
from rbonn.sw.plan.summary import PlanSummary, summarise

from ...random_accelerators import RandomAccelerator, random_accelerator


def summary_of(case: RandomAccelerator) -> PlanSummary:
    plan = AcceleratorPlan(
        case.network.name, case.network.hash(), case.board.name, 12_000_000, case.foldings
    )
    return summarise(case.network, plan, case.board, case.elaborate())


def test_cycles_are_those_of_a_play_where_stages_hold_each_other_up() -> None:
    case = random_accelerator(6, 23)
    summary, config = summary_of(case), case.elaborate().config
    played = cycles_of(config)
    assert summary.latency_cycles == played.latency > first_frame_latency(config)
    assert summary.initiation_interval_cycles == ceil(played.interval)
    assert summary.frames_per_second == pytest.approx(12_000_000 / played.interval)
    assert summary.cycles_are_exact


def test_a_summary_says_where_cycles_are_only_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cycles_of, "__defaults__", (0,))
    case = random_accelerator(6, 23)
    summary = summary_of(case)
    assert not summary.cycles_are_exact
    assert summary.latency_cycles == first_frame_latency(case.elaborate().config)
