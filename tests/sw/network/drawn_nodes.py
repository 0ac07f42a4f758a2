"""Hypothesis strategies for single nodes of every kind, with inputs of every type that they take."""

import numpy as np
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
    Network,
    PReLU,
    Thermometer,
    Threshold,
    UInt,
)

SEEDS = st.integers(0, 2**32 - 1)
NARROW = st.one_of(
    st.just(Bipolar()), st.integers(1, 9).map(UInt), st.integers(2, 9).map(Int), st.just(Int(16))
)
WIDE = st.one_of(st.just(Int(28)), st.just(UInt(35)), st.just(Int(46)))
SIGNED = st.one_of(
    st.integers(2, 18).map(Int), st.sampled_from([Int(30), Int(31), Int(32), Int(46)])
)
INTEGERS = st.one_of(st.integers(1, 17).map(UInt), SIGNED)
TYPES = st.one_of(NARROW, NARROW, WIDE)
SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 5))


def values(generator, datatype, shape):
    """Random values of `datatype` in which its ends are frequent."""
    if isinstance(datatype, Bipolar):
        return generator.choice(np.array([-1, 1]), shape)
    drawn = generator.integers(datatype.minimum, datatype.maximum, shape, endpoint=True)
    ends = generator.choice(np.array([datatype.minimum, datatype.maximum]), shape)
    return np.where(generator.random(shape) < generator.random(), ends, drawn)


def thresholds_near(generator, datatype, n):
    low, high = datatype.minimum - 2, datatype.maximum + 2
    return generator.integers(low, high, n, endpoint=True)


@st.composite
def convolutions(draw, x):
    height, width, channels = x.shape
    padding = draw(st.integers(0, 2))
    kernel_height = draw(st.integers(padding + 1, min(padding + 4, height + 2 * padding)))
    kernel_width = draw(st.integers(padding + 1, min(padding + 4, width + 2 * padding)))
    weight_type = draw(st.sampled_from([Bipolar(), Int(8)]))
    generator = np.random.default_rng(draw(SEEDS))
    shape = (draw(st.integers(1, 5)), kernel_height, kernel_width, channels)
    pads = [
        v
        for v in (0, 1, -1, x.datatype.maximum, x.datatype.minimum)
        if isinstance(x.datatype, Bipolar) or x.datatype.minimum <= v <= x.datatype.maximum
    ]
    return Conv(
        "node", ("image",),
        weights=values(generator, weight_type, shape).astype(np.int8),
        weight_type=weight_type,
        stride=draw(st.integers(1, 3)),
        padding=padding,
        pad_value=draw(st.sampled_from(pads)),
    )  # fmt: skip


@st.composite
def input_types(draw, kind):
    """An edge that nodes of this kind can read."""
    shape = draw(SHAPES)
    if kind is ArgMax:
        datatype = draw(st.sampled_from([Bipolar(), Int(3), UInt(8), Int(46)]))
        return EdgeType(datatype, (1, 1, shape[2]))
    if kind in (PReLU, Add):
        return EdgeType(draw(SIGNED), shape)
    if kind in (Binarise, Thermometer, AvgPool, GlobalAvgPool):
        return EdgeType(draw(INTEGERS), shape)
    if kind is Affine:
        return EdgeType(draw(st.one_of(TYPES, INTEGERS).filter(lambda t: t.bits <= 40)), shape)
    return EdgeType(draw(TYPES), shape)


@st.composite
def nodes(draw, kind):
    """(input edge, a node of that kind that reads it, twice where it reads two)."""
    x = draw(input_types(kind))
    height, width, channels = x.shape
    generator = np.random.default_rng(draw(SEEDS))
    source = ("image",)
    match kind.__name__:
        case "Conv":
            node = draw(convolutions(x))
        case "Binarise":
            node = Binarise("node", source, int(thresholds_near(generator, x.datatype, 1)[0]))
        case "Threshold":
            node = Threshold("node", source, thresholds_near(generator, x.datatype, channels))
        case "Thermometer":
            rising = np.unique(thresholds_near(generator, x.datatype, draw(st.integers(1, 9))))
            node = Thermometer("node", source, rising)
        case "Dense":
            weight_type = draw(st.sampled_from([Bipolar(), Int(8)]))
            weights = values(generator, weight_type, (draw(st.integers(1, 6)), x.elements))
            node = Dense("node", source, weights.astype(np.int8), weight_type)
        case "Affine":
            node = Affine(
                "node", source,
                multipliers=multipliers(generator, channels),
                offsets=generator.integers(-(2**40), 2**40, channels) >> int(generator.integers(0, 40)),
                shift=draw(st.integers(0, 31)),
                output_type=draw(st.sampled_from([Int(8), UInt(8), Int(16), Int(48)])),
            )  # fmt: skip
        case "PReLU":
            shift = draw(st.integers(0, 31))
            slopes = multipliers(generator, channels)
            if draw(st.booleans()):  # powers of two, of either sign
                slopes = np.sign(slopes) << generator.integers(0, 15, channels)
            node = PReLU("node", source, slopes, shift)
        case "Add":
            node = Add("node", ("image", "image"))
        case "MaxPool":
            node = MaxPool("node", source, draw(st.integers(1, min(height, width))))
        case "AvgPool":
            size = draw(st.integers(1, 3))
            x = EdgeType(x.datatype, (size * (height % 3 + 1), size * (width % 3 + 1), channels))
            node = AvgPool("node", source, size)
        case "GlobalAvgPool":
            node = GlobalAvgPool("node", source)
        case "ConcatChannels":
            node = ConcatChannels("node", source, draw(st.integers(1, 3)))
        case "ArgMax":
            node = ArgMax("node", source)
    return x, node


def multipliers(generator, n):
    """Of any magnitude, both ends frequent."""
    drawn = generator.integers(-(2**15) + 1, 2**15, n) >> generator.integers(0, 15, n)
    ends = generator.choice(np.array([-(2**15) + 1, 2**15 - 1, 1, 0, -1]), n)
    return np.where(generator.random(n) < 0.25, ends, drawn)


def network_of(x, *chain):
    """A network of `chain` with scores that nobody looks at."""
    zeros = np.zeros((2, x.elements), np.int8)
    return Network(
        "test", x, (*chain, Dense("unused", ("image",), zeros, Int(8))), 0, "unused", ("0", "1")
    )
