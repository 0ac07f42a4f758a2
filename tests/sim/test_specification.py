"""`rbonn.sim.specification` and `rbonn.sim.plan`: what cannot be compared is refused, and a plan survives its files."""

from pathlib import Path

import numpy as np
import pytest
from rbonn.sim import Field, Limits, OutputSpec, Probe, Stalls, StreamSpec, simulate
from rbonn.sim.plan import Pass, RunPlan, stimulus_bytes
from rbonn.sw.network import Bipolar, EdgeType, Int, UInt

PROBE = Probe("conv", (2, 3, 4), lanes=2, element_bits=5, signed=True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StreamSpec(0), "Stream width must be 1 to 62, not 0"),
        (lambda: Field("a", 63), "Field bits must be 1 to 62, not 63"),
        (lambda: OutputSpec(8, 0), "Output transfers_per_image must be at least 1, not 0"),
        (lambda: OutputSpec(8, 1, edges=()), "Output edges must be at least one"),
        (lambda: OutputSpec(8, 1, (Field("a", 7),)), "fill the payload: 7 bits of 8"),
        (lambda: Probe("a.b", (1, 1, 1), 1, 1), "letters, digits and _, not 'a.b'"),
        (lambda: Probe("a", (1, 2, 3), 4, 1), "6 elements, lanes=4"),
        (lambda: Probe("a", (1, 2, 3), 1, 0), "element_bits must be 1 to 62, not 0"),
        (lambda: Probe("a", (1, 2, 3), 1, 2, bipolar=True), "must have 1 unsigned bit each, not 2"),
        (lambda: Stalls(input_probability=1), "input_probability must be 0 to 0.95, not 1"),
        (lambda: Stalls(output_probability=-1), "output_probability must be 0 to 0.95, not -1"),
        (lambda: Stalls(burst_cycles=100), "power of two up to 4096, not 100"),
    ],
)
def test_what_cannot_be_is_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_probe_takes_its_elements_from_the_edge_of_the_network() -> None:
    assert Probe.of_edge("a", EdgeType(Bipolar(), (1, 1, 4)), 2) == Probe(
        "a", (1, 1, 4), 2, 1, bipolar=True
    )
    assert Probe.of_edge("a", EdgeType(Int(9), (1, 1, 4)), 4) == Probe(
        "a", (1, 1, 4), 4, 9, signed=True
    )
    assert Probe.of_edge("a", EdgeType(UInt(9), (1, 1, 4)), 4) == Probe("a", (1, 1, 4), 4, 9)
    assert (PROBE.width, PROBE.elements, PROBE.transfers_per_image) == (10, 24, 12)


def test_a_plan_is_read_back_from_its_files(tmp_path: Path) -> None:
    plan = RunPlan(
        StreamSpec(8),
        OutputSpec(5, 2, (Field("score", 4, signed=True), Field("last", 1)), edges=("a", "b")),
        (PROBE,),
        (Pass("x", 3, None), Pass("y", 4, Stalls(seed=9))),
        Limits(1, 2, 3),
        np.arange(6, dtype=np.uint64).reshape(2, 3),
        {"conv": np.arange(48).reshape(2, 24)},
        {"score": np.zeros((2, 2), np.int64), "last": np.ones((2, 2), np.int64)},
    )
    plan.write(tmp_path)
    again = RunPlan.read(tmp_path)
    for name in ("stream", "output", "probes", "passes", "limits"):
        assert getattr(again, name) == getattr(plan, name)
    assert again.inputs.tolist() == plan.inputs.tolist()
    assert again.expected["conv"].tolist() == plan.expected["conv"].tolist()
    assert {k: v.tolist() for k, v in again.expected_output.items()} == {
        k: v.tolist() for k, v in plan.expected_output.items()
    }


def test_stimulus_words_are_big_endian_and_as_short_as_their_width_allows() -> None:
    assert stimulus_bytes([1, 255], 8) == b"\x01\xff"
    assert stimulus_bytes(np.array([[0x12345, 1]]), 20) == b"\x01\x23\x45\x00\x00\x01"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": np.zeros((0, 3), np.uint8)}, r"must be an array \(images, transfers\)"),
        ({"inputs": np.full((2, 3), 256)}, "must have 8 bits, not 256..256"),
        ({"expected": {"conv": np.zeros((2, 24))}}, "must be integers, not float64"),
        ({"expected": {}}, r"Expected edges must be the probed ones: \[\], probes \['conv'\]"),
        ({"expected": {"conv": np.zeros((2, 23), int)}}, "must have 24 elements an image, not 23"),
        (
            {"expected_output": np.zeros((2, 4), int)},
            r"payload must have shape \(2, 5\), not \(2, 4\)",
        ),
        ({"expected_output": {"other": np.zeros((2, 5), int)}}, "not absent"),
    ],
)
def test_arrays_that_do_not_agree_are_refused_before_anything_runs(
    changes: dict, message: str, tmp_path: Path
) -> None:
    arguments = {
        "inputs": np.zeros((2, 3), np.uint8),
        "expected": {"conv": np.zeros((2, 2, 3, 4), int)},
        "expected_output": np.zeros((2, 5), np.int64),
    } | changes
    with pytest.raises(ValueError, match=message):
        simulate(
            "",
            "core",
            output=OutputSpec(8, 5),
            probes=[PROBE],
            folder=tmp_path / "run",
            **arguments,
        )
    assert not (tmp_path / "run").exists()
