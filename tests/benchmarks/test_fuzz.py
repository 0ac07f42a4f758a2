"""`benchmarks/fuzz.py`: batches are the same everywhere, and what fails is made smaller."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ..accelerator_batch import Outcome
from ..drawn_accelerators import DrawnAccelerator

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import fuzz

RIGHT = Outcome(None, 0, 8, None, 3, 100)
WRONG = Outcome("at full speed: it stops in cycle 7", 0, 8, None, 3, 100)


def test_a_batch_is_the_same_again_and_has_no_accelerator_twice() -> None:
    first, again = fuzz.drawn(3, 12), fuzz.drawn(3, 12)
    assert [case.digest for case in first] == [case.digest for case in again]
    assert len({case.digest for case in first}) == 12
    assert {case.digest for case in first}.isdisjoint(case.digest for case in fuzz.drawn(4, 12))


def test_what_fails_is_saved_and_made_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Padding is taken for a fault: the smallest network that has it is a convolution in front of the head."""

    def run_batch(cases: list[DrawnAccelerator], folder: Path) -> list[Outcome]:
        return [WRONG if "padding" in case.traits else RIGHT for case in cases]

    monkeypatch.setattr(fuzz, "run_batch", run_batch)
    row = fuzz.row_of(0, 24, "key", tmp_path)
    assert row["not_equal"]
    saved = {path.name.partition(".")[0]: path for path in tmp_path.glob("*.safetensors")}
    assert set(row["not_equal"]) <= set(saved)
    (smaller,) = tmp_path.glob("*.smaller.safetensors")
    case = DrawnAccelerator.load(smaller)
    assert "padding" in case.traits
    assert [node.kind for node in case.network.device_nodes if node.kind in ("Conv", "Dense")] == [
        "Conv",
        "Dense",
    ]
    assert case.network.edges["conv1"].elements <= 9


def test_a_network_that_two_batches_have_is_counted_once() -> None:
    row = {"networks": {"x": ["padding"], "y": []}, "not_equal": {"y": "stops"}}
    row |= {"edges": 4, "elements": 5, "cycles": 6, "seconds": 1.0}
    found = fuzz.summary([row, row])
    assert (found["networks"], found["equal"], found["elements"]) == (2, 1, 10)
    assert found["traits"] == {"padding": 1}
    assert not found["least_shares_are_reached"]


def test_sources_are_the_hardware_the_golden_model_and_the_draws_but_not_the_link() -> None:
    names = {str(path.relative_to(fuzz.ROOT)) for path in fuzz.sources()}
    assert {"hw/fifo.py", "hw/primitives/ecp5/counting.py", "sw/build/presets.py"} <= names
    assert {"sw/network/golden.py", "tests/random_networks.py"} <= names
    assert not names & {"hw/top.py", "hw/uart.py", "sim/link.py"}


def test_a_file_that_is_no_accelerator_and_a_run_that_is_too_short_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result, network = (
        tmp_path / "fuzz.json",
        Path(fuzz.ROOT) / "models/mnist_mlp_tiny_1w1a.safetensors",
    )
    work = ["--work", str(tmp_path / "work"), "--failures", str(tmp_path / "f"), "-o", str(result)]
    monkeypatch.setattr(sys, "argv", ["fuzz.py", "--replay", str(network)])
    assert fuzz.main() == 1
    assert "no accelerator that was saved" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["fuzz.py", "--minutes", "0", *work])
    assert fuzz.main() == 0
    assert not result.exists()
