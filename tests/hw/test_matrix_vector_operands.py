"""`rbonn.hw.operands` and the array with them: integer types, groups of rows and depthwise products against NumPy."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.matrix_vector import MatrixVectorConfig
from rbonn.hw.operands import Bits, Integers, Products

from .operand_case import OperandCase, packed
from .stream_driver import Stalls

ABSORBED = {"weights": "absorbed", "form": "ice40_carry_lanes"}
CREDIT = {"back_pressure": "credit", "read_latency": 2}

CASES = {
    "planes": OperandCase("planes", 6, 12, 2, 4),
    "planes of two's complement": OperandCase("planes", 6, 12, 2, 4, signed=True),
    "planes, sums": OperandCase("planes", 4, 6, 2, 3, signed=True, output="sums"),
    "planes, counts": OperandCase("planes", 4, 6, 2, 3, output="matches"),
    "planes of one beat": OperandCase("planes", 4, 6, 2, 6),
    "planes of one row group": OperandCase("planes", 2, 6, 2, 3, element_bits=3),
    "one plane": OperandCase("planes", 4, 6, 2, 3, element_bits=1),
    "planes, preset last": OperandCase("planes", 4, 12, 2, 6, unit={"form": "ice40"}),
    "planes, carry lanes": OperandCase("planes", 2, 32, 1, 16, unit={"form": "ice40_carry_lanes"}),
    "planes, absorbed leaves": OperandCase("planes", 2, 24, 2, 12, element_bits=4, unit=ABSORBED),
    "planes, credits": OperandCase("planes", 4, 6, 2, 6, element_bits=2, unit=CREDIT),
    "planes, streamed weights": OperandCase("planes", 4, 6, 2, 3, unit={"weights": "stream"}),
    "integers": OperandCase("integers", 6, 12, 2, 4),
    "integers, odd SIMD": OperandCase("integers", 4, 9, 2, 3, signed=True),
    "integers, one lane": OperandCase("integers", 4, 5, 2, 1, signed=True, output="sums"),
    "integers, one beat": OperandCase("integers", 4, 9, 2, 9, output="sums"),
    "integers, preset last": OperandCase("integers", 4, 12, 2, 6, unit={"form": "ice40"}),
    "integers, credits": OperandCase("integers", 6, 12, 2, 6, signed=True, unit=CREDIT),
    "products": OperandCase("products", 6, 12, 2, 4, signed=True),
    "products of unsigned": OperandCase("products", 4, 6, 2, 3, output="sums"),
    "products, one lane": OperandCase("products", 4, 6, 2, 1, signed=True, output="sums"),
    "products in logic": OperandCase("products", 4, 6, 2, 2, signed=True, multipliers="logic"),
    "products, credits": OperandCase("products", 4, 6, 2, 6, signed=True, unit=CREDIT),
    "products, streamed weights": OperandCase(
        "products", 4, 6, 2, 3, signed=True, unit={"weights": "stream"}
    ),
    "groups": OperandCase("bipolar", 12, 6, 2, 3, groups=3),
    "groups of one use": OperandCase("bipolar", 6, 6, 2, 3, groups=3, output="sums"),
    "groups of one beat": OperandCase("bipolar", 8, 6, 2, 6, groups=2),
    "groups, all of one": OperandCase("bipolar", 6, 1, 1, 1, groups=3),
    "groups of planes": OperandCase("planes", 8, 6, 2, 3, element_bits=3, groups=2),
    "groups of integers": OperandCase("integers", 8, 6, 2, 3, groups=2, signed=True),
    "groups, credits": OperandCase("bipolar", 8, 6, 2, 6, groups=2, unit=CREDIT),
    "depthwise": OperandCase("bipolar", 6, 9, 2, 1, depthwise=True),
    "depthwise, sums": OperandCase("bipolar", 6, 9, 3, 3, depthwise=True, output="sums"),
    "depthwise, one row group": OperandCase("bipolar", 3, 4, 3, 1, depthwise=True),
    "depthwise, preset last": OperandCase(
        "bipolar", 6, 9, 2, 1, depthwise=True, unit={"form": "ice40"}
    ),
    "depthwise planes": OperandCase("planes", 4, 6, 2, 2, depthwise=True, signed=True),
    "depthwise products": OperandCase("products", 4, 6, 2, 2, depthwise=True, signed=True),
    "depthwise, credits": OperandCase("bipolar", 6, 4, 2, 2, depthwise=True, unit=CREDIT),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_it_equals_numpy_at_one_transfer_per_cycle(case: OperandCase) -> None:
    run = case.run()
    assert run.outputs == case.outputs
    layer = case.layer
    assert set(run.intervals(layer.outputs_per_frame)) == {layer.interval_cycles}
    # the planes of a beat leave the stage in front one after the other
    waits = sum(stage.latency_cycles + stage.interval_cycles // stage.inputs_per_frame - 1 for stage in case.front)  # fmt: skip
    last = layer.inputs_per_frame // layer.unit.operands.planes
    vector = last // layer.unit.vectors_per_frame // case.n_shares
    assert run.latency(0, vector - 1) == waits + layer.latency_cycles
    assert len(case.inputs) == last * case.n_frames


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_stalls_on_both_sides_change_nothing(case: OperandCase) -> None:
    assert case.run(stalls=Stalls(1)).outputs == case.outputs


@pytest.mark.parametrize(
    "name",
    ["planes", "planes, preset last", "integers", "products", "groups", "depthwise"],
)
def test_a_reset_anywhere_in_a_frame_starts_afresh(name: str) -> None:
    case = CASES[name]
    for reset_after in (1, 4, 8):
        assert case.run(reset_after=reset_after).outputs == case.outputs


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_folding_of_any_operands_equals_numpy(data: st.DataObject) -> None:
    pe, simd = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 5))
    kind = data.draw(st.sampled_from(["bipolar", "planes", "integers", "products"]))
    depthwise = kind != "integers" and data.draw(st.booleans())
    groups = 1 if depthwise else data.draw(st.integers(1, 3))
    weights = ["memory", "stream"]
    if kind in ("bipolar", "planes") and not depthwise:
        weights.append("absorbed")
    unit = {
        "form": data.draw(st.sampled_from(["portable", "ice40", "ice40_carry_lanes"])),
        "back_pressure": data.draw(st.sampled_from(["enable", "credit"])),
        "weights": data.draw(st.sampled_from(weights)),
        "read_latency": data.draw(st.sampled_from([1, 2])),
    }
    case = OperandCase(
        kind,
        pe * groups * data.draw(st.integers(1, 3)),
        simd * data.draw(st.integers(1, 3)),
        pe,
        simd,
        element_bits=data.draw(st.integers(2, 8)),
        signed=data.draw(st.booleans()),
        weight_bits=data.draw(st.integers(2, 8)),
        multipliers=data.draw(st.sampled_from(["inferred", "logic"])),
        output=data.draw(st.sampled_from(["bits", "sums", "matches"])),
        groups=groups,
        depthwise=depthwise,
        n_frames=2,
        seed=data.draw(st.integers(0, 999)),
        unit=unit,
    )
    assert case.run(stalls=Stalls(data.draw(st.integers(0, 99)))).outputs == case.outputs


GOOD = MatrixVectorConfig(12, 8, 2, 4, 20)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": 0}, "groups must be at least 1, not 0"),
        (
            {"groups": 5},
            "Groups must divide the rows, not 5 into 12; it may be one of [1, 2, 3, 4, 6, 12]",
        ),
        (
            {"groups": 4},
            "PE must divide the rows of a group, not 2 into 3; it may be one of [1, 3]",
        ),
        (
            {"operands": Integers(8), "weights": "absorbed"},
            "Absorbed leaves must count matches of bits, not Integers(element_bits=8)",
        ),
        (
            {"operands": Integers(8), "depthwise": True},
            "Depthwise operands must be Bits or Products, not Integers(element_bits=8)",
        ),
        (
            {"groups": 2, "depthwise": True},
            "A depthwise unit must have one group and weights that are not absorbed, not 2 and 'memory'",
        ),
        (
            {"weights": "absorbed", "depthwise": True},
            "A depthwise unit must have one group and weights that are not absorbed, not 1 and 'absorbed'",
        ),
        (
            {"operands": Bits(8), "accumulator_bits": 10},
            "Accumulator must have at least 11 bits for SIMD 4, not 10",
        ),
        (
            {"operands": Products(), "accumulator_bits": 18},
            "Accumulator must have at least 19 bits for SIMD 4, not 18",
        ),
    ],
)
def test_bad_parameters_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        replace(GOOD, **change)


def test_planes_must_be_at_least_one() -> None:
    with pytest.raises(ValueError, match=r"^Planes must be at least 1, not 0$"):
        Bits(0)


def test_presets_from_which_a_row_would_leave_the_accumulator_are_refused() -> None:
    case = CASES["planes, sums"]
    unit = case.layer.unit
    highest = (1 << (unit.accumulator_bits - 1)) - 1 - 6 * 255
    word = packed(np.array([highest + 1, highest]), unit.accumulator_bits)
    presets = replace(case.layer.presets, contents=(word, 0))
    with pytest.raises(ValueError, match=f"^Presets must be at most {highest} for 6 columns"):
        replace(case.layer, presets=presets)
