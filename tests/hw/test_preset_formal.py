"""Presets as thresholds and biases, proved equal to comparison and addition for every row that can come, in accumulators as wide as planned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rbonn.hw.popcount import PopcountConfig
from rbonn.hw.primitives import COUNTING_FORMS
from rbonn.hw.primitives.portable import PortableCounting
from rbonn.hw.processing_element import ProcessingElementConfig, least_accumulator_bits
from rbonn.sw.build.presets import layer_presets
from rbonn.sw.network import Affine, Bipolar, Dense, EdgeType, Int, Threshold

from .formal import prove
from .formal_counting import ElementBench, Rows, Together

pytestmark = pytest.mark.formal

CELLS = {"ecp5": "ecp5"}

WIDE = tuple(range(-18, 19))
"""Every threshold of 16 columns and beyond, always and never reached."""


def rows_of(form: str, simd: int, n_beats: int, output: str, numbers: Sequence[int] = ()) -> Rows:
    """Rows with `numbers` as thresholds, or as biases of sums, with presets and width as a build plans them."""
    n_columns, n_rows = simd * n_beats, len(numbers)
    popcount = PopcountConfig(simd, form)
    if output == "matches":
        bits = n_columns.bit_length()
        return Rows(ProcessingElementConfig(popcount, bits, n_columns, output), n_beats)
    node = Dense("sums", ("image",), np.ones((n_rows, n_columns), np.int8), Bipolar())
    source, limits = EdgeType(Bipolar(), (1, 1, n_columns)), np.array(numbers)
    if output == "bits":
        consumer = Threshold("bits", ("sums",), limits)
    else:
        consumer = Affine("biased", ("sums",), np.ones(n_rows, np.int64), limits, 0, Int(16))
    presets = layer_presets(node, node.output(source), source, consumer)
    bits = max(presets.accumulator_bits, least_accumulator_bits(simd, output))
    element = ProcessingElementConfig(popcount, bits, n_columns, output, is_unfolded=n_beats == 1)
    thresholds = tuple(numbers) if output == "bits" else ()
    return Rows(element, n_beats, tuple(int(v) for v in presets.values.ravel()), thresholds)


def prove_rows(folder: Path, *several: Rows) -> str:
    bench = Together([ElementBench(rows) for rows in several])
    cells = CELLS.get(several[0].element.popcount.form)
    return prove(bench, folder, depth=bench.depth, mode="prove", cells=cells, resets=False)


def fault_is_found(folder: Path, rows: Rows) -> bool:
    """Whether two rows are enough for a wrong result."""
    bench = ElementBench(rows)
    cells = CELLS.get(rows.element.popcount.form)
    depth = bench.depth + 2 * rows.n_beats
    return prove(bench, folder, depth=depth, cells=cells, resets=False) == "FAIL"


@pytest.mark.parametrize("form", COUNTING_FORMS)
def test_the_sign_says_whether_the_sum_reaches_any_threshold(form: str, tmp_path: Path) -> None:
    """By induction: for runs of any length. The accumulator equals the wide sum after every beat, so no number overflows.

    Rows of several beats, of one and of one lane each; and thresholds near 0 only, for which fewer bits are planned.
    """
    shapes = ((4, 4), (16, 1), (1, 16))  # columns of a beat, beats
    several = [rows_of(form, *shape, "bits", WIDE) for shape in shapes]
    narrow = rows_of(form, 3, 5, "bits", (-1, 0, 2))
    assert narrow.element.accumulator_bits < several[0].element.accumulator_bits
    assert prove_rows(tmp_path, *several, narrow) == "PASS"


@pytest.mark.slow
@pytest.mark.parametrize("form", ["ice40_carry_lanes", "ecp5"])
def test_rows_of_576_columns_reach_their_thresholds_too(form: str, tmp_path: Path) -> None:
    """By induction; thresholds at both ends, around 0 and in between, in accumulators of 11 bits."""
    thresholds = (-577, -576, -575, *range(-550, 551, 50), -1, 1, 575, 576, 577)
    rows = rows_of(form, 8, 72, "bits", thresholds)
    assert rows.element.accumulator_bits == 11
    assert prove_rows(tmp_path, rows) == "PASS"


@pytest.mark.parametrize("form", COUNTING_FORMS)
def test_sums_with_any_bias_and_bare_matches_never_overflow(form: str, tmp_path: Path) -> None:
    """By induction, as above."""
    sums = [rows_of(form, 4, 3, "sums", biases) for biases in ((0,), tuple(range(-40, 41)), (7, 8))]
    sums += [rows_of(form, 15, 1, "sums", (0,))]
    assert sums[-1].element.accumulator_bits == 5  # -15 to 15
    assert prove_rows(tmp_path, *sums, rows_of(form, 4, 3, "matches")) == "PASS"


@pytest.mark.parametrize("form", ["portable", "ice40"])
def test_an_accumulator_one_bit_too_narrow_is_found(form: str, tmp_path: Path) -> None:
    """In both places of the preset."""
    rows = rows_of(form, 3, 5, "sums", (-40, 40))
    narrow = replace(rows.element, accumulator_bits=rows.element.accumulator_bits - 1)
    assert fault_is_found(tmp_path, replace(rows, element=narrow))


def test_a_register_of_the_matches_one_bit_too_narrow_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bits = ProcessingElementConfig.register_bits.fget
    monkeypatch.setattr(
        ProcessingElementConfig, "register_bits", property(lambda self: bits(self) - 1)
    )
    assert fault_is_found(tmp_path, rows_of("ice40", 4, 4, "bits", WIDE))


@pytest.mark.parametrize("form", ["portable", "ice40"])
def test_a_preset_that_is_one_off_is_found(form: str, tmp_path: Path) -> None:
    rows = rows_of(form, 4, 3, "bits", WIDE)
    off = tuple(value + (k == 11) for k, value in enumerate(rows.presets))
    assert fault_is_found(tmp_path, replace(rows, presets=off))


def test_a_row_that_goes_on_where_the_last_one_ended_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Continuing(PortableCounting):
        def accumulated(self, m, accumulator, count, lane, start, is_first):
            return super().accumulated(m, accumulator, count, lane, accumulator, is_first)

    monkeypatch.setitem(COUNTING_FORMS, "continuing", Continuing())
    assert fault_is_found(tmp_path, rows_of("continuing", 2, 2, "bits", (0,)))
