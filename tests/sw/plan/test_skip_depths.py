"""`rbonn.sw.plan.skip_depths`: computed depths are enough, and one place less is not, in Amaranth's simulator."""

import pytest
from rbonn.hw.accelerator import AcceleratorConfig, Source, Stage
from rbonn.hw.argmax import ArgMaxConfig
from rbonn.hw.fifo import FifoConfig
from rbonn.hw.fork import ForkConfig
from rbonn.hw.residual_add import ResidualAddConfig
from rbonn.hw.width_converter import WidthConverterConfig
from rbonn.sw.plan.skip_depths import skip_depths

from ...hw.stream_driver import Stalls, StreamError, drive

TRANSFERS = 24


def accelerator(words: tuple[int, ...], depth: int, late_fifo: int = 0) -> AcceleratorConfig:
    """Bytes, and beside them the same bytes grouped into words and ungrouped again, added."""
    stages = [
        Stage("buffer", FifoConfig(8, 2, TRANSFERS)),
        Stage("fork", ForkConfig(8, 2, TRANSFERS)),
    ]
    late = Source("fork", 0)
    for number, word in enumerate(words):
        for suffix, lanes in (("wide", (1, word)), ("narrow", (word, 1))):
            config = WidthConverterConfig(8, *lanes, TRANSFERS)
            stages.append(Stage(f"{suffix}{number}", config, (late,)))
            late = Source(f"{suffix}{number}")
    stages.append(Stage("delay", FifoConfig(8, late_fifo, TRANSFERS), (late,)))
    stages += [
        Stage("skip", FifoConfig(8, depth, TRANSFERS), (Source("fork", 1),)),
        Stage("add", ResidualAddConfig(8, 1, TRANSFERS), (Source("delay"), Source("skip"))),
        Stage("label", ArgMaxConfig(n_classes=TRANSFERS, score_bits=8)),
    ]
    return AcceleratorConfig(tuple(stages))


def run(config: AcceleratorConfig, **options):
    inputs = [(7 * k) % 61 for k in range(4 * TRANSFERS)]
    result = drive(config.component(), inputs, n_outputs=len(inputs), idle_limit=200, **options)
    assert [word & 255 for word in result.outputs] == [2 * value for value in inputs]
    return result


@pytest.mark.parametrize(
    ("words", "places"),
    # Of words of 6 and then of 8, the second 8 waits for the third 6 behind the first one.
    [((4,), 3), ((8,), 7), ((12,), 11), ((6, 8), 11), ((24,), 23)],
)
def test_the_live_depth_moves_under_any_stalls_and_one_place_less_stops(
    words: tuple[int, ...], places: int
) -> None:
    live = skip_depths(accelerator(words, TRANSFERS), ["skip"])["skip"].live
    assert live == places
    for stalls in (None, Stalls(0), Stalls(1), Stalls(2)):
        run(accelerator(words, live), stalls=stalls)
    with pytest.raises(StreamError):
        run(accelerator(words, live - 1))


@pytest.mark.parametrize("words", [(4,), (8,), (12,), (6, 8), (24,)])
@pytest.mark.parametrize("late_fifo", [0, 2, 9])
def test_the_full_rate_depth_costs_no_cycle_and_one_place_less_does(
    words: tuple[int, ...], late_fifo: int
) -> None:
    draft = accelerator(words, TRANSFERS, late_fifo)
    depth = skip_depths(draft, ["skip"])["skip"]
    result = run(accelerator(words, depth.full_rate, late_fifo))
    assert result.intervals(TRANSFERS)[1:] == [draft.interval_cycles] * 2
    slower = run(accelerator(words, depth.full_rate - 1, late_fifo))
    assert slower.intervals(TRANSFERS)[-1] > draft.interval_cycles


def test_a_fifo_that_no_join_reads_is_an_error() -> None:
    config = accelerator((4,), 4)
    with pytest.raises(ValueError, match="FIFO 'buffer' must lie between a fork and a join"):
        skip_depths(config, ["buffer"])
