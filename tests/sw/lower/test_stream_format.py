import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rbonn.sw.errors import UnsupportedLayerError
from rbonn.sw.lower.residual_form import merge_constants
from rbonn.sw.lower.residual_stages import group_residual
from rbonn.sw.lower.stream_format import FixedPoint, Ranges, choose_format, measure_ranges
from rbonn.sw.lower.trace import trace

from .residual_modules import Shape, build


def ranges(**stream):
    return Ranges(stream, np.zeros(1), np.ones(1), 1)


@given(largest=st.floats(1e-3, 1e4), bits=st.integers(4, 24))
def test_the_finest_fraction_that_holds_the_range_and_an_eighth_more_is_chosen(largest, bits):
    stream = choose_format(ranges(a=largest / 2, b=largest), FixedPoint(bits))
    highest = 2 ** (bits - 1) - 1
    assert largest * 9 / 8 * 2.0**stream.fraction <= highest * (1 + 1e-12)
    assert stream.fraction == 24 or largest * 9 / 8 * 2.0 ** (stream.fraction + 1) > highest
    assert stream.datatype.bits == stream.bits == bits


def test_a_scale_that_would_not_fit_its_multiplier_limits_the_fraction():
    assert choose_format(ranges(a=1.0), FixedPoint(16), 16.0).fraction == 10
    assert choose_format(ranges(a=1.0), FixedPoint(16), 1.0).fraction == 14
    assert choose_format(ranges(a=0.0), FixedPoint(16)).fraction == 24


def test_a_wanted_fraction_that_holds_the_range_is_taken_without_margin():
    assert choose_format(ranges(a=7.99), FixedPoint(12, 8)).fraction == 8


def test_a_wanted_fraction_that_overflows_is_refused_with_edge_and_bits():
    with pytest.raises(
        UnsupportedLayerError,
        match=r"edge block2_sum reaches 33\.8, which needs 17 bits with 10 fractional bits; the stream has 12",
    ) as error:
        choose_format(ranges(block1=3.0, block2_sum=33.8), FixedPoint(12, 10))
    assert error.value.hint == "Choose a fraction of at most 5, or at least 17 bits."
    assert choose_format(ranges(block2_sum=33.8), FixedPoint(12, 5)).fraction == 5
    assert choose_format(ranges(block2_sum=33.8), FixedPoint(17, 10)).fraction == 10


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"stream_bits": 3}, "Stream bits must be 4 to 24, not 3"),
        ({"stream_bits": 25}, "Stream bits must be 4 to 24, not 25"),
        ({"stream_fraction": 25}, "Stream fraction must be -16 to 24, not 25"),
        ({"stream_fraction": -17}, "Stream fraction must be -16 to 24, not -17"),
        ({"head_bits": 1}, "Head bits must be 2 to 16, not 1"),
        ({"head_bits": 17}, "Head bits must be 2 to 16, not 17"),
    ],
)
def test_numbers_out_of_range_are_refused(numbers, message):
    with pytest.raises(ValueError, match=message):
        FixedPoint(**numbers)


def test_ranges_are_the_largest_magnitudes_over_all_batches():
    module, images = build(Shape(), 1)
    network = merge_constants(group_residual(trace(module, Shape().image_type)))
    many = np.concatenate([images, images[::-1], images])  # more than a batch
    whole, parts = measure_ranges(network, many), [measure_ranges(network, images[i : i + 1]) for i in range(40)]  # fmt: skip
    assert whole.n_images == 120
    names = {"stem_norm"} | {
        f"block{n}{end}" for n in (1, 2, 3) for end in ("", "_norm", "_sum", "_shortcut")
    }
    assert set(whole.stream) == names
    for name in names:
        assert whole.stream[name] == pytest.approx(max(part.stream[name] for part in parts))
    assert np.allclose(whole.lowest, np.min([part.lowest for part in parts], axis=0))
    assert np.allclose(whole.highest, np.max([part.highest for part in parts], axis=0))
