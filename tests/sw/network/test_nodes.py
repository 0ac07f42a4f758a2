import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.sw.network import (
    Add,
    Affine,
    ArgMax,
    AvgPool,
    Binarise,
    Bipolar,
    ConcatChannels,
    Conv,
    Dense,
    EdgeType,
    GlobalAvgPool,
    Int,
    MaxPool,
    PReLU,
    Thermometer,
    Threshold,
    UInt,
)

PIXELS = EdgeType(UInt(8), (6, 5, 2))
BITS = EdgeType(Bipolar(), (6, 5, 2))
SCORES = EdgeType(Int(7), (1, 1, 10))
STREAM = EdgeType(Int(16), (6, 4, 3))


def signs(*shape):
    return np.ones(shape, np.int8)


def conv(stride=1, padding=1, pad_value=0, weights=None, weight_type=None):
    weights = signs(4, 3, 3, 2) if weights is None else weights
    return Conv("n", ("x",), weights, weight_type or Bipolar(), stride, padding, pad_value)


@pytest.mark.parametrize(
    ("node", "x", "expected"),
    [
        (Binarise("n", ("x",), 128), PIXELS, EdgeType(Bipolar(), (6, 5, 2))),
        (Thermometer("n", ("x",), np.array([10, 20, 30])), PIXELS, EdgeType(Bipolar(), (6, 5, 6))),
        (conv(), BITS, EdgeType(Int(6), (6, 5, 4))),  # 18 taps: -18..18
        (conv(padding=0, stride=2), BITS, EdgeType(Int(6), (2, 2, 4))),
        (conv(), PIXELS, EdgeType(Int(14), (6, 5, 4))),  # 0..4590
        (Dense("n", ("x",), signs(7, 60), Bipolar()), BITS, EdgeType(Int(7), (1, 1, 7))),
        (Dense("n", ("x",), np.full((7, 60), -128, np.int8), Int(8)), BITS, EdgeType(Int(14), (1, 1, 7))),
        (Threshold("n", ("x",), np.zeros(10, np.int64)), SCORES, EdgeType(Bipolar(), (1, 1, 10))),
        (Affine("n", ("x",), np.ones(10, int), np.zeros(10, int), 3, Int(8)), SCORES, EdgeType(Int(8), (1, 1, 10))),
        (MaxPool("n", ("x",), 2), BITS, EdgeType(Bipolar(), (3, 2, 2))),
        (PReLU("n", ("x",), np.array([-2, 0, 1]), 3), STREAM, STREAM),
        (AvgPool("n", ("x",), 1), STREAM, STREAM),
        (AvgPool("n", ("x",), 2), STREAM, EdgeType(Int(18), (3, 2, 3))),
        (AvgPool("n", ("x",), 3), EdgeType(UInt(8), (6, 3, 2)), EdgeType(UInt(12), (2, 1, 2))),
        (GlobalAvgPool("n", ("x",)), STREAM, EdgeType(Int(21), (1, 1, 3))),  # 24 pixels
        (GlobalAvgPool("n", ("x",)), EdgeType(Int(16), (8, 8, 3)), EdgeType(Int(22), (1, 1, 3))),
        (GlobalAvgPool("n", ("x",)), EdgeType(UInt(8), (1, 1, 3)), EdgeType(UInt(8), (1, 1, 3))),
        (ConcatChannels("n", ("x",), 2), STREAM, EdgeType(Int(16), (6, 4, 6))),
        (ConcatChannels("n", ("x",), 1), BITS, BITS),
        (ArgMax("n", ("x",)), SCORES, EdgeType(UInt(4), (1, 1, 1))),
        (ArgMax("n", ("x",)), EdgeType(Int(7), (1, 1, 1)), EdgeType(UInt(1), (1, 1, 1))),
        (ArgMax("n", ("x",)), EdgeType(Int(7), (1, 1, 17)), EdgeType(UInt(5), (1, 1, 1))),
    ],
)  # fmt: skip
def test_every_node_infers_its_type_and_shape(node, x, expected):
    assert node.output(x) == expected


@pytest.mark.parametrize(
    ("node", "x", "message"),
    [
        (Binarise("n", ("x",), 128), BITS, "input must be an integer edge, not bipolar"),
        (Thermometer("n", ("x",), np.array([1, 2])), BITS, "input must be an integer edge"),
        (Thermometer("n", ("x",), np.array([2, 2])), PIXELS, "thresholds must rise"),
        (conv(weights=signs(4, 3, 3, 3)), BITS, "weights are for 3 channels, the input has 2"),
        (conv(weights=signs(4, 18)), BITS, "weights must have 4 axes, not 2|not enough values"),
        (conv(stride=0), BITS, "stride must be at least 1, not 0"),
        (conv(padding=3), BITS, "padding must be 0 to kernel - 1, not 3 for 3 x 3"),
        (conv(pad_value=2), BITS, "pad_value 2 is not a value of bipolar"),
        (conv(pad_value=-1), PIXELS, "pad_value -1 is not a value of uint8"),
        (conv(padding=0, weights=signs(4, 7, 3, 2)), BITS, "a 7 x 3 kernel does not fit into 6 x 5"),
        (conv(weights=signs(4, 3, 3, 2) * 2), BITS, r"bipolar weights must be \+1 or -1"),
        (conv(weights=signs(4, 3, 3, 2) * 0), BITS, r"bipolar weights must be \+1 or -1"),
        (conv(weights=signs(4, 3, 3, 2) * 9, weight_type=Int(4)), BITS, "weights must lie in int4"),
        (Dense("n", ("x",), signs(7, 61), Bipolar()), BITS, "weights are for 61 inputs, the edge has 60"),
        (Dense("n", ("x",), signs(7, 6, 10), Bipolar()), BITS, "weights must have 2 axes, not 3"),
        (Threshold("n", ("x",), np.zeros(9, int)), SCORES, r"\(9,\) thresholds for 10 channels"),
        (Affine("n", ("x",), np.ones(9, int), np.zeros(10, int), 0, Int(8)), SCORES, r"\(9,\) multipliers for 10"),
        (Affine("n", ("x",), np.ones(10, int), np.zeros(9, int), 0, Int(8)), SCORES, r"\(9,\) offsets for 10"),
        (Affine("n", ("x",), np.ones(10, int), np.zeros(10, int), 32, Int(8)), SCORES, "shift must be 0 to 31, not 32"),
        (Affine("n", ("x",), np.full(10, 2**15), np.zeros(10, int), 0, Int(8)), SCORES, "multipliers must fit 16 bits"),
        (PReLU("n", ("x",), np.ones(3, int), 1), EdgeType(UInt(16), (6, 4, 3)), "input must be a signed integer edge, not uint16"),
        (PReLU("n", ("x",), np.ones(2, int), 1), BITS, "input must be a signed integer edge, not bipolar"),
        (PReLU("n", ("x",), np.ones(4, int), 1), STREAM, r"\(4,\) slopes for 3 channels"),
        (PReLU("n", ("x",), np.ones((3, 1), int), 1), STREAM, r"\(3, 1\) slopes for 3 channels"),
        (PReLU("n", ("x",), np.ones(3, int), 32), STREAM, "shift must be 0 to 31, not 32"),
        (PReLU("n", ("x",), np.ones(3, int), -1), STREAM, "shift must be 0 to 31, not -1"),
        (PReLU("n", ("x",), np.array([0, 0, 2**15]), 1), STREAM, "slopes must fit 16 bits"),
        (PReLU("n", ("x",), np.array([0, 0, -(2**15)]), 1), STREAM, "slopes must fit 16 bits"),
        (AvgPool("n", ("x",), 2), BITS, "input must be an integer edge, not bipolar"),
        (AvgPool("n", ("x",), 0), STREAM, "size must be at least 1, not 0"),
        (AvgPool("n", ("x",), 3), STREAM, "3 x 3 squares do not fill 6 x 4"),
        (AvgPool("n", ("x",), 4), EdgeType(Int(16), (6, 4, 3)), "4 x 4 squares do not fill 6 x 4"),
        (AvgPool("n", ("x",), 4), EdgeType(Int(60), (4, 4, 1)), "Bits must be an integer from 2 to 62, not 64"),
        (GlobalAvgPool("n", ("x",)), BITS, "input must be an integer edge, not bipolar"),
        (ConcatChannels("n", ("x",), 0), STREAM, "copies must be at least 1, not 0"),
        (MaxPool("n", ("x",), 0), BITS, "size must be at least 1, not 0"),
        (MaxPool("n", ("x",), 6), BITS, "a 6 x 6 pool does not fit into 6 x 5"),
        (ArgMax("n", ("x",)), BITS, "input must be 1 x 1 pixels, not 6 x 5"),
    ],
)  # fmt: skip
def test_every_node_names_the_rule_that_is_broken(node, x, message):
    with pytest.raises(ValueError, match=message):
        node.output(x)


def test_add_takes_two_edges_of_one_signed_type_and_shape():
    assert Add("n", ("a", "b")).output(STREAM, STREAM) == STREAM


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (STREAM, EdgeType(Int(16), (6, 4, 6)), r"shapes must be equal, not \(6, 4, 3\) and \(6, 4, 6\)"),
        (STREAM, EdgeType(Int(16), (3, 2, 3)), r"shapes must be equal, not \(6, 4, 3\) and \(3, 2, 3\)"),
        (STREAM, EdgeType(Int(15), (6, 4, 3)), "types must be one and the same signed integer, not int16 and int15"),
        (STREAM, EdgeType(UInt(16), (6, 4, 3)), "signed integer, not int16 and uint16"),
        (PIXELS, PIXELS, "signed integer, not uint8 and uint8"),
        (BITS, BITS, "signed integer, not bipolar and bipolar"),
    ],
)  # fmt: skip
def test_add_of_unequal_edges_is_refused_with_both(a, b, message):
    with pytest.raises(ValueError, match=message):
        Add("n", ("a", "b")).output(a, b)


@settings(deadline=None)
@given(
    datatype=st.sampled_from([UInt(1), UInt(3), Int(2), Int(5)]),
    size=st.integers(1, 9),
)
def test_pooled_sums_take_the_logarithm_of_their_number_more_bits_and_signed_ones_need_them(
    datatype, size
):
    x = EdgeType(datatype, (size, size, 1))
    total = GlobalAvgPool("n", ("x",)).output(x).datatype
    assert AvgPool("n", ("x",), size).output(x).datatype == total
    assert type(total) is type(datatype)
    lowest, highest = size**2 * datatype.minimum, size**2 * datatype.maximum
    assert total.minimum <= lowest
    assert highest <= total.maximum
    assert total.bits == datatype.bits + math.ceil(math.log2(size**2))
    if isinstance(datatype, Int):
        assert total == Int.holding(lowest, highest)


@settings(deadline=None)
@given(
    weights=st.lists(st.lists(st.integers(-8, 7), min_size=3, max_size=3), min_size=1, max_size=3),
    datatype=st.sampled_from([Bipolar(), UInt(2), Int(3)]),
)
def test_the_type_of_sums_is_the_narrowest_for_all_inputs_and_missing_taps(weights, datatype):
    matrix = np.array(weights, np.int8)
    node = Dense("n", ("x",), matrix, Int(4))
    values = {0, *range(datatype.minimum, datatype.maximum + 1)}
    sums = [
        int(row @ np.array(x))
        for row in matrix.astype(int)
        for x in itertools.product(values, repeat=3)
    ]
    assert node.output(EdgeType(datatype, (1, 1, 3))).datatype == Int.holding(min(sums), max(sums))
