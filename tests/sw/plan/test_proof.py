"""`rbonn.sw.plan.proof`: what is said of how good a plan is."""

import pytest
from rbonn.sw.plan.proof import Proof


def test_what_no_plan_is_below_is_proved() -> None:
    proof = Proof("cycles", 4096, 4096)
    assert proof.is_optimal
    assert proof.gap == 0
    assert proof.text() == "proved: no plan has fewer cycles"
    cells = Proof("logic cells", 2880, 2880)
    assert cells.text() == "proved: no plan at this frame rate has fewer logic cells"


def test_what_is_left_open_is_told_in_per_cent_of_the_bound() -> None:
    proof = Proof("cycles", 4078, 3840)
    assert not proof.is_optimal
    assert proof.gap == pytest.approx(0.062, abs=1e-3)
    assert proof.text() == "at most 6.2 % from the best (bound 3840 cycles)"


def test_a_budget_that_is_not_the_boards_largest_is_named() -> None:
    proved, left_open = Proof("cycles", 4096, 4096, 60_000), Proof("LUT4", 110, 100, 45_000)
    assert proved.text() == "proved: no plan within 60000 LUT4 has fewer cycles"
    bound = "bound 100 LUT4 at this frame rate within 45000 LUT4"
    assert left_open.text() == f"at most 10.0 % from the best ({bound})"
