"""`rbonn.sw.project`: what a board says of itself."""

from dataclasses import replace
from itertools import permutations

import pytest
from rbonn.boards import ICEBREAKER, UPDUINO_V3
from rbonn.sw.errors import UnknownNameError
from rbonn.sw.network import Dense
from rbonn.sw.plan.folding import Folding
from rbonn.sw.plan.planner import make_plan
from rbonn.sw.project import Project

from ..random_networks import random_network

NETWORK = random_network((4, 4, 1), [], [6, 4])
PLAN = make_plan(NETWORK, ICEBREAKER)
PROJECT = Project(NETWORK, ICEBREAKER, PLAN)


def design_hash(project: Project = PROJECT, **changes: object) -> bytes:
    return replace(project, **changes).info.design_hash


def test_the_design_hash_tells_circuits_apart() -> None:
    first = next(iter(PLAN.foldings))
    edges = list(PROJECT.traceable)[:3]
    circuits = [
        PROJECT,
        replace(PROJECT, plan=replace(PLAN, clock_hz=24_000_000)),
        replace(PROJECT, plan=replace(PLAN, foldings=PLAN.foldings | {first: Folding(1, 1)})),
        replace(PROJECT, board=UPDUINO_V3, plan=make_plan(NETWORK, UPDUINO_V3)),
        replace(PROJECT, traced=tuple(edges[:1])),
        *(replace(PROJECT, traced=order) for order in permutations(edges)),
    ]
    assert len({design_hash(circuit) for circuit in circuits}) == len(circuits)


def test_the_design_hash_knows_neither_weights_nor_how_the_clock_was_asked_for() -> None:
    nodes = [replace(n, weights=-n.weights) if isinstance(n, Dense) else n for n in NETWORK.nodes]
    others = replace(NETWORK, nodes=tuple(nodes))
    assert others.hash() != NETWORK.hash()
    project = Project(others, ICEBREAKER, replace(PLAN, network_hash=others.hash()))
    assert design_hash(project) == design_hash()
    assert project.info.weights_hash != PROJECT.info.weights_hash
    assert design_hash(plan=replace(PLAN, proof=None)) == design_hash()
    # The PLL makes 36 MHz of both.
    asked = replace(PLAN, clock_hz=36_000_100)
    assert design_hash(plan=asked) == design_hash()


def test_every_edge_that_can_be_traced_is_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    traced = replace(PROJECT, traced=tuple(PROJECT.traceable))
    assert [trace.edge for trace in traced.traces] == list(PROJECT.traceable)
    assert traced.info.trace_bytes == sum(trace.n_bytes for trace in traced.traces)
    with pytest.raises(UnknownNameError, match="no stage boundary 'image'") as caught:
        _ = replace(PROJECT, traced=("image",)).traces
    assert caught.value.hint == f"There are {', '.join(PROJECT.traceable)}."
