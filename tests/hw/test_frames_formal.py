"""Thresholds, thermometer codes, maxima of squares and the label, proved for the first frames whatever comes in, however both sides stall and whenever they reset."""

from __future__ import annotations

import math
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Cat, Const, Mux, Value
from rbonn.hw.argmax import ArgMax, ArgMaxConfig
from rbonn.hw.max_pool import MaxPoolConfig
from rbonn.hw.square_pool import SquarePool, SquarePoolConfig
from rbonn.hw.thermometer import Thermometer, ThermometerConfig
from rbonn.hw.threshold import Threshold, ThresholdConfig

from .formal import prove
from .formal_frames import Answer, FrameBench
from .planted import Fault, each_fault

pytestmark = pytest.mark.formal


def thresholds(config: ThresholdConfig) -> list[Answer]:
    """One lane, signed."""
    return [
        Answer(lambda x, k=k, t=t: x[k].as_signed() >= t, k + 1)
        for k, t in enumerate(config.thresholds)
    ]


def levels(config: ThermometerConfig) -> list[Answer]:
    """One lane, unsigned."""
    return [
        Answer(lambda x, k=k: Cat(x[k] >= level for level in config.thresholds), k + 1)
        for k in range(config.elements_per_frame)
    ]


def labels(config: ArgMaxConfig) -> list[Answer]:
    """Each score, the lowest class of the largest so far, and whether it is the last."""

    def answer(x: list[Value], k: int) -> Value:
        label: Value = Const(0, config.label_bits)
        largest: Value = x[0].as_signed()
        for c in range(1, k + 1):
            is_larger = x[c].as_signed() > largest
            label = Mux(is_larger, Const(c, config.label_bits), label)
            largest = Mux(is_larger, x[c].as_signed(), largest)
        return Cat(x[k], label, Const(k == config.n_classes - 1, 1))

    return [Answer(lambda x, k=k: answer(x, k), k + 1) for k in range(config.n_classes)]


def squares(config: SquarePoolConfig, fold: Any) -> list[Answer]:
    """`fold` of the words of each square and group of channels, of one lane."""
    answers = []
    for row in range(config.out_height):
        for column in range(config.out_width):
            for group in range(config.groups):
                places = [
                    ((row * config.size + y) * config.width + column * config.size + x)
                    * config.groups
                    + group
                    for y in range(config.size)
                    for x in range(config.size)
                ]
                answers.append(Answer(lambda x, p=places: fold([x[k] for k in p]), max(places) + 1))
    return answers


def largest(words: list[Value]) -> Value:
    return reduce(lambda a, b: Mux(a > b, a, b), words)


THRESHOLD = ThresholdConfig(3, (-1, 2, 4), 1, signed=True)
THERMOMETER = ThermometerConfig(3, (2, 5), 1, 2)
ARGMAX = ArgMaxConfig(3, 2)
MAX = MaxPoolConfig(3, 3, 1, 1, 1, 2)

CASES: dict[str, tuple[Any, list[Answer], int, int]] = {
    "threshold": (THRESHOLD, thresholds(THRESHOLD), 1, 9),
    "thermometer": (THERMOMETER, levels(THERMOMETER), 1, 8),
    "argmax": (ARGMAX, labels(ARGMAX), 1, 10),
    "max pool": (MAX, squares(MAX, largest), 1, 21),
}
"""Config, answers of a frame, cycles in which they may be missing, cycles looked at: two frames and their way through."""

QUICK = ("threshold", "argmax")


def prove_case(name: str, folder: Path, patience: int = 0) -> str:
    config, answers, most, depth = CASES[name]
    bench = FrameBench(config.component(), config.inputs_per_frame, answers, most + patience)
    assert depth > math.prod((2, config.inputs_per_frame)) + most
    return prove(bench, folder, depth=depth)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in CASES]
)
def test_answers_are_those_of_the_frame(name: str, tmp_path: Path) -> None:
    assert prove_case(name, tmp_path) == "PASS"


def test_the_time_until_an_answer_is_the_least_that_can_be_proved(tmp_path: Path) -> None:
    assert prove_case("argmax", tmp_path, patience=-1) == "FAIL"


@each_fault(
    Fault("counts what is not taken", Threshold, "with m.If(self.i.valid & self.i.ready):", "with m.If(self.i.valid):", "threshold"),
    Fault("keeps the last image's largest", ArgMax, "is_first | ~difference[-1]", "~difference[-1]", "argmax"),
    Fault("takes without room", ArgMax, "self.i.ready.eq(~valid | queue.i.ready)", "self.i.ready.eq(1)", "argmax"),
    Fault("withdraws an offer", Thermometer, "self.i.valid | ~self.i.ready", "self.i.valid", "thermometer"),
    Fault("a row too many", SquarePool, "row == config.out_height * config.size - 1", "row == config.out_height * config.size", "max pool"),
)  # fmt: skip
def test_a_planted_fault_is_found(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    assert prove_case(fault.case, tmp_path) == "FAIL"
