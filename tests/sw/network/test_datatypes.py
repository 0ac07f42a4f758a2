import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rbonn.sw.network.datatypes import Bipolar, Int, UInt, from_codes, parse, to_codes

TYPES = st.one_of(st.just(Bipolar()), st.integers(1, 62).map(UInt), st.integers(2, 62).map(Int))


@given(TYPES)
def test_a_type_is_read_back_from_its_text(datatype):
    assert parse(str(datatype)) == datatype


@pytest.mark.parametrize(
    "text", ["", "int", "int0", "uint01", "int8 ", "float32", "Int8", "int128"]
)
def test_any_other_text_is_refused(text):
    with pytest.raises(ValueError, match=r"Data type must be|Bits must be"):
        parse(text)


@pytest.mark.parametrize(
    ("kind", "bits"), [(UInt, 0), (UInt, 63), (Int, 1), (Int, 63), (Int, 8.0), (UInt, "8")]
)
def test_types_have_a_range_of_bits(kind, bits):
    with pytest.raises(ValueError, match=r"Bits must be an integer from [12] to 62, not"):
        kind(bits)


@given(TYPES, st.data())
def test_codes_are_the_bits_of_a_value_and_give_it_back(datatype, data):
    values = st.integers(datatype.minimum, datatype.maximum)
    if datatype == Bipolar():
        values = st.sampled_from([-1, 1])
    drawn = np.array(data.draw(st.lists(values, min_size=1, max_size=9)))
    codes = to_codes(drawn, datatype)
    assert codes.min() >= 0
    assert codes.max() < 2**datatype.bits
    assert from_codes(codes, datatype).tolist() == drawn.tolist()
    for value, code in zip(drawn, codes, strict=True):
        if datatype == Bipolar():
            assert code == (value == 1)
        else:
            assert int(code) == int(value) % 2**datatype.bits  # two's complement


def test_known_codes():
    assert to_codes(np.array([-1, 1]), Bipolar()).tolist() == [0, 1]
    assert to_codes(np.array([-8, -1, 0, 7]), Int(4)).tolist() == [8, 15, 0, 7]
    assert to_codes(np.array([0, 255]), UInt(8)).tolist() == [0, 255]
    assert to_codes(np.zeros((0, 3)), UInt(8)).shape == (0, 3)


@pytest.mark.parametrize(
    ("values", "datatype", "message"),
    [
        ([256], UInt(8), "Values must lie in uint8, not 256..256"),
        ([0, -1], UInt(8), "Values must lie in uint8, not -1..0"),
        ([8], Int(4), "Values must lie in int4, not 8..8"),
        ([1, 2], Bipolar(), "Values must lie in bipolar, not 1..2"),
        ([1, 0], Bipolar(), r"Values must be \+1 or -1 in bipolar, not 0"),
    ],
)
def test_values_outside_the_type_have_no_code(values, datatype, message):
    with pytest.raises(ValueError, match=message):
        to_codes(np.array(values), datatype)


@given(st.integers(-(2**40), 2**40), st.integers(-(2**40), 2**40))
def test_the_narrowest_type_holds_both_ends_and_no_narrower_one_does(low, high):
    datatype = Int.holding(low, high)
    assert datatype.minimum <= min(low, high)
    assert max(low, high) <= datatype.maximum
    if datatype.bits > 2:
        narrower = Int(datatype.bits - 1)
        assert min(low, high) < narrower.minimum or max(low, high) > narrower.maximum
