"""`rbonn.sw.plan.play`: every transfer at both ends of random accelerators happens in the cycle that is played, in Amaranth's simulator."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache

import pytest
from rbonn.hw.accelerator import AcceleratorConfig, Source, Stage
from rbonn.hw.argmax import ArgMaxConfig
from rbonn.hw.fifo import FifoConfig
from rbonn.hw.fork import ForkConfig
from rbonn.hw.residual_add import ResidualAddConfig
from rbonn.hw.width_converter import WidthConverterConfig
from rbonn.sw.plan.layer_play import ParallelMoving, ProductMoving, SlidingMoving
from rbonn.sw.plan.play import PlayedAccelerator, play
from rbonn.sw.plan.regrouping_play import Copying, Folding
from rbonn.sw.plan.stage_play import Moving, Pipeline, Words

from ...random_accelerators import Simulated, random_accelerator, simulated

SEED = 1
"""Another one than that of `benchmarks/random_cycles.py`."""

CASES, FRAMES = range(12), 3


@cache
def shown(number: int) -> tuple[AcceleratorConfig, Simulated]:
    """An accelerator, and what its simulation shows."""
    case = random_accelerator(SEED, number)
    elaboration = case.elaborate()
    return elaboration.config, simulated(case, elaboration, FRAMES)


def is_equal(number: int) -> bool:
    """Whether every transfer that was simulated happens in the cycle that is played."""
    config, simulation = shown(number)
    stages = PlayedAccelerator(config)
    moves = all(stages.run_frame() for _ in range(FRAMES))
    n_accepted = len(simulation.accepted)
    return moves and (stages.given, stages.accepted[:n_accepted]) == (
        simulation.given,
        simulation.accepted[: len(stages.accepted)],
    )


@pytest.mark.parametrize("number", CASES)
def test_every_transfer_of_a_random_accelerator_happens_when_it_is_played(number: int) -> None:
    config, simulation = shown(number)
    assert simulation.is_right
    assert not simulation.is_stuck
    assert is_equal(number)
    assert play(config).first_frame_latency == simulation.given[config.n_classes - 1]


def later_product(stage: ProductMoving) -> None:
    stage.last += 1


def fewer_rows(stage: SlidingMoving) -> None:
    stage.free -= 1


def later_window(stage: ParallelMoving) -> None:
    stage.wants = [wanted + 1 for wanted in stage.wants]


def later_result(stage: Pipeline | Folding) -> None:
    stage.steps += 1


def smaller_copies(stage: Copying) -> None:
    stage.free -= 1


def smaller_fifo(stage: Words) -> None:
    stage.most -= 1


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (ProductMoving, later_product),
        (SlidingMoving, fewer_rows),
        (ParallelMoving, later_window),
        (Pipeline, later_result),
        (Folding, later_result),
        (Copying, smaller_copies),
        (Words, smaller_fifo),
    ],
)
def test_a_stage_that_is_played_one_off_is_found(
    kind: type[Moving], fault: Callable[[Moving], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = kind.__init__

    def wrong(self: Moving, *arguments: object) -> None:
        right(self, *arguments)
        fault(self)

    monkeypatch.setattr(kind, "__init__", wrong)
    assert not all(is_equal(number) for number in CASES)


def test_a_frame_that_fills_no_word_takes_longer() -> None:
    # Three bytes and a filled up place make two words.
    stages = (
        Stage("pairs", WidthConverterConfig(8, 1, 3, 3)),
        Stage("bytes", WidthConverterConfig(8, 3, 1, 3)),
        Stage("label", ArgMaxConfig(n_classes=3, score_bits=8)),
    )
    assert play(AcceleratorConfig(stages)).interval == Fraction(3)


@pytest.mark.parametrize(("places", "is_stuck"), [(2, False), (1, True)])
def test_a_network_that_stands_still_is_seen(places: int, is_stuck: bool) -> None:
    stages = (
        Stage("buffer", FifoConfig(8, 2, 3)),
        Stage("fork", ForkConfig(8, 2, 3)),
        Stage("words", WidthConverterConfig(8, 1, 3, 3), (Source("fork", 0),)),
        Stage("again", WidthConverterConfig(8, 3, 1, 3)),
        Stage("skip", FifoConfig(8, places, 3), (Source("fork", 1),)),
        Stage("add", ResidualAddConfig(8, 1, 3), (Source("again"), Source("skip"))),
        Stage("label", ArgMaxConfig(n_classes=3, score_bits=8)),
    )
    played = play(AcceleratorConfig(stages))
    assert played.is_stuck == is_stuck
    assert (played.interval is None) == is_stuck
