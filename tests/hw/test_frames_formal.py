"""Thresholds, codes, pools, windows, regrouped lanes and the label, proved for the first frames whatever comes in, however both sides stall and whenever they reset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from amaranth.hdl import Cat, Const, Mux, Value
from rbonn.hw.argmax import ArgMax, ArgMaxConfig
from rbonn.hw.avg_pool import AvgPoolConfig
from rbonn.hw.global_avg_pool import GlobalAvgPool, GlobalAvgPoolConfig
from rbonn.hw.max_pool import MaxPool, MaxPoolConfig
from rbonn.hw.pair_sums import PairSums, PairSumsConfig
from rbonn.hw.running_sums import running_sums
from rbonn.hw.sliding_window import SlidingWindow, SlidingWindowConfig
from rbonn.hw.square_pool import SquarePool, SquarePoolConfig
from rbonn.hw.thermometer import Thermometer, ThermometerConfig
from rbonn.hw.threshold import Threshold, ThresholdConfig
from rbonn.hw.width_converter import WidthConverterConfig, _Narrow, _Widen
from rbonn.hw.window_walk import walk_windows

from .formal import prove
from .formal_frames import Answer, FrameBench
from .planted import Fault, each_fault

pytestmark = pytest.mark.formal

Fold = Callable[[Sequence[Value]], Value]


def thresholds(config: ThresholdConfig) -> list[Answer]:
    """One lane, signed."""
    return [
        Answer(lambda x, t=t: x[0].as_signed() >= t, [k]) for k, t in enumerate(config.thresholds)
    ]


def levels(config: ThermometerConfig) -> list[Answer]:
    """One lane, unsigned."""
    return [
        Answer(lambda x: Cat(x[0] >= level for level in config.thresholds), [k])
        for k in range(config.elements_per_frame)
    ]


def labels(config: ArgMaxConfig) -> list[Answer]:
    """Each score, the lowest class of the largest so far, and whether it is the last."""

    def answer(x: Sequence[Value]) -> Value:
        label: Value = Const(0, config.label_bits)
        largest: Value = x[0].as_signed()
        for c in range(1, len(x)):
            is_larger = x[c].as_signed() > largest
            label = Mux(is_larger, Const(c, config.label_bits), label)
            largest = Mux(is_larger, x[c].as_signed(), largest)
        return Cat(x[-1], label, Const(len(x) == config.n_classes, 1))

    return [Answer(answer, range(k + 1)) for k in range(config.n_classes)]


def squares(config: SquarePoolConfig, fold: Fold) -> list[Answer]:
    """`fold` of the words of each square and group of channels, of one lane."""
    answers = []
    for row in range(config.out_height):
        for column in range(config.out_width):
            for group in range(config.groups):
                pixels = [
                    (row * config.size + y) * config.width + column * config.size + x
                    for y in range(config.size)
                    for x in range(config.size)
                ]
                answers.append(Answer(fold, [pixel * config.groups + group for pixel in pixels]))
    return answers


def images(config: GlobalAvgPoolConfig, fold: Fold) -> list[Answer]:
    """`fold` of all pixels of each group of channels, of one lane."""
    places = range(config.inputs_per_frame)
    return [Answer(fold, places[group :: config.groups]) for group in range(config.groups)]


def largest(words: Sequence[Value]) -> Value:
    return reduce(lambda a, b: Mux(a > b, a, b), words)


def total(words: Sequence[Value]) -> Value:
    """Of unsigned words, with the bits that the pools keep."""
    bits = len(words[0]) + (len(words) - 1).bit_length()
    return sum(words, start=Const(0, 1))[:bits]


def taps(config: SlidingWindowConfig) -> list[Answer]:
    """Word by word, from when all rows of the image that the window looks at have come."""
    answers = []
    for place in range(config.out_height * config.out_width):
        top, left = (at * config.stride - config.padding for at in divmod(place, config.out_width))
        last_row = min(top + config.kernel_height, config.height) - 1
        for group in range(0, config.groups, config.group_words):
            for row in range(top, top + config.kernel_height):
                for column in range(left, left + config.kernel_width):
                    is_inside = 0 <= row < config.height and 0 <= column < config.width
                    first = (row * config.width + column) * config.groups + group
                    for word in range(first, first + config.group_words):
                        needed = (last_row + 1) * config.row_words
                        answers.append(_tap(config, word if is_inside else None, needed))
    return answers


def _tap(config: SlidingWindowConfig, word: int | None, needed: int) -> Answer:
    if word is None:
        return Answer(lambda x: Const(config.pad_code, config.input_width), [0], needed)
    return Answer(lambda x: x[0], [word], needed)


def regrouped(config: WidthConverterConfig) -> list[Answer]:
    """Bits; none before the word that they are shifted in is complete, or the frame."""
    word_inputs, answers = config.pieces_per_word, []
    for first in range(0, config.elements_per_frame, config.o_lanes):
        places = [divmod(bit, config.i_lanes) for bit in range(first, first + config.o_lanes)]
        inputs = sorted({number for number, _ in places})
        complete = -(-(inputs[-1] + 1) // word_inputs) * word_inputs
        needed = min(complete, config.inputs_per_frame)
        answers.append(
            Answer(
                lambda x, places=places, inputs=inputs: Cat(
                    x[inputs.index(number)][lane] for number, lane in places
                ),
                inputs,
                needed,
            )
        )
    return answers


def pairs(config: PairSumsConfig) -> list[Answer]:
    """Of two bits a transfer: their sum, and of their difference whether it is 1."""
    return [
        Answer(lambda x: Cat(x[0][0] + x[0][1], x[0][0] & ~x[0][1]), [k])
        for k in range(config.inputs_per_frame)
    ]


class Case(NamedTuple):
    """A stage and its answers. The rest, and cycles looked at: two frames and their way through, where `stalls` are all that there are.

    Larger shapes have few stalls; the same blocks meet any number of them in smaller ones.
    """

    config: Any
    answers: Callable[..., list[Answer]]
    patience: int
    depth: int
    fold: Fold | None = None
    frames: int = 2
    stalls: int | None = None


CASES = {
    "threshold": Case(ThresholdConfig(3, (-1, 2, 4), 1, signed=True), thresholds, 1, 9),
    "thermometer": Case(ThermometerConfig(3, (2, 5), 1, 2), levels, 1, 8),
    "argmax": Case(ArgMaxConfig(3, 2), labels, 1, 10),
    "pair sums": Case(PairSumsConfig(1, 2, 2), pairs, 0, 8),
    "max pool": Case(MaxPoolConfig(2, 2, 1, 2, 1, 2), squares, 0, 11, largest),
    "max pool, groups": Case(MaxPoolConfig(2, 2, 2, 1, 1, 2), squares, 0, 20, largest, stalls=2),
    "max pool, rest": Case(MaxPoolConfig(3, 3, 1, 1, 1, 2), squares, 0, 22, largest, stalls=2),
    "average pool": Case(AvgPoolConfig(2, 2, 1, 1, 1, 2, signed=False), squares, 2, 13, total),
    "average pool, memory": Case(AvgPoolConfig(2, 4, 1, 1, 1, 2, signed=False), squares, 2, 22, total, stalls=2),
    "global average pool": Case(GlobalAvgPoolConfig(3, 1, 1, 1, signed=False), images, 2, 12, total),
    "global average pool, memory": Case(GlobalAvgPoolConfig(2, 3, 1, 1, signed=False), images, 2, 18, total, stalls=2),
    "sliding window": Case(SlidingWindowConfig(2, 1, 1, 1, 1, 2, 2, 2, 1, 1), taps, 2, 13),
    "sliding window, groups": Case(SlidingWindowConfig(2, 1, 2, 1, 1, 2, 1, outer_groups=2), taps, 2, 13, frames=5),
    "width converter": Case(WidthConverterConfig(1, 2, 3, 3), regrouped, 2, 13, frames=4),
}  # fmt: skip

QUICK = (
    "threshold",
    "argmax",
    "average pool",
    "global average pool",
    "sliding window",
    "width converter",
)


def prove_case(name: str, folder: Path, patience: int = 0) -> str:
    case = CASES[name]
    answers = case.answers(case.config, *filter(None, [case.fold]))
    bench = FrameBench(
        case.config.component(),
        case.config.inputs_per_frame,
        answers,
        case.patience + patience,
        case.frames,
        case.stalls,
    )
    return prove(bench, folder, depth=case.depth)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in CASES]
)
def test_answers_are_those_of_the_frame(name: str, tmp_path: Path) -> None:
    assert prove_case(name, tmp_path) == "PASS"


def test_the_time_until_an_answer_is_the_least_that_can_be_proved(tmp_path: Path) -> None:
    assert prove_case("argmax", tmp_path, patience=-1) == "FAIL"


@pytest.mark.slow
@each_fault(
    Fault("counts what is not taken", Threshold, "with m.If(self.i.valid & self.i.ready):", "with m.If(self.i.valid):", "threshold"),
    Fault("keeps the last image's largest", ArgMax, "is_first | ~difference[-1]", "~difference[-1]", "argmax"),
    Fault("takes without room", ArgMax, "self.i.ready.eq(~valid | queue.i.ready)", "self.i.ready.eq(1)", "argmax"),
    Fault("withdraws an offer", Thermometer, "self.i.valid | ~self.i.ready", "self.i.valid", "thermometer"),
    Fault("takes two at once", PairSums, "self.i.ready.eq(~self.o.valid | self.o.ready)", "self.i.ready.eq(1)", "pair sums"),
    Fault("reads the word at hand again", MaxPool, "read.addr.eq(place.next_word)", "read.addr.eq(place.word)", "max pool, groups"),
    Fault("leaves the newest sum out", running_sums, "takes_result, results[-1], found", "takes_result, found, found", "average pool"),
    Fault("an offer that is no sum", running_sums, "stage.o.valid.eq(kept[1] & completes)", "stage.o.valid.eq(completes)", "average pool"),
    Fault("adds frame to frame", GlobalAvgPool, "is_first_pixel.eq(is_last_pixel)", "is_first_pixel.eq(0)", "global average pool"),
    Fault("loads over a row that is read", SlidingWindow, "n_free - row_is_loaded", "n_free", "sliding window"),
    Fault("reads a row that is not there", SlidingWindow, "is_complete.eq(~n_beyond[-1])", "is_complete.eq(1)", "sliding window, groups"),
    Fault("no padding below", walk_windows, " | is_at_least(row, config.height)", "", "sliding window"),
    Fault("asks for what fills a word up", _Widen, "self.i.ready.eq(free & ~fill)", "self.i.ready.eq(free)", "width converter"),
    Fault("gives what fills a word up", _Narrow, "chunk == config.last_chunks - 1", "chunk == config.last_chunks", "width converter"),
    Fault("a row too many", SquarePool, "row == config.out_height * config.size - 1", "row == config.out_height * config.size", "max pool, rest"),
)  # fmt: skip
def test_a_planted_fault_is_found(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    assert prove_case(fault.case, tmp_path) == "FAIL"
