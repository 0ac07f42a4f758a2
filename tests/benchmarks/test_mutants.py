"""`benchmarks/mutants.py`: every fault is one, and what finds it is what the file's name says first."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import mutants

SOURCE = '''
def taken(self, m: Signal(4)) -> int:
    """Adds 1."""
    if self.places < 2:
        raise ValueError(f"at least {1 + 1}")
    with m.If(self.i.valid & ~self.o.ready):
        m.d.sync += level.eq(level + 1)
'''


def test_faults_are_in_what_computes_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "source.py"
    path.write_text(SOURCE)
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    found = {(" ".join(fault.before.split()), fault.after) for fault in mutants.faults(path)}
    condition = "self.i.valid & ~self.o.ready"
    assert found == {
        ("self.places < 2", "(self.places <= 2)"),
        ("2", "3"),
        ("2", "1"),
        (f"m.If({condition})", f"(m.If(~({condition})))"),
        (condition, "(self.i.valid | ~self.o.ready)"),
        ("~self.o.ready", "(self.o.ready)"),
        ("level + 1", "(level - 1)"),
        ("1", "2"),
        ("1", "0"),
    }


def test_each_drawn_fault_changes_one_place_of_its_file_and_files_take_turns() -> None:
    drawn = mutants.drawn(mutants.COUNT, mutants.SEED)
    assert len({fault.path for fault in drawn}) >= 50
    for fault in drawn:
        source = (mutants.ROOT / fault.path).read_text()
        planted = fault.planted(source)
        assert ast.dump(ast.parse(planted)) != ast.dump(ast.parse(source)), str(fault)
        assert planted.count("\n") == source.count("\n") - fault.before.count("\n")


@pytest.mark.parametrize(
    ("path", "tests"),
    [
        ("hw/popcount.py", ["test_popcount.py"]),
        ("hw/parallel_window.py", ["test_parallel_window.py", "test_parallel_window_formal.py"]),
        ("hw/primitives/ecp5/counting.py", ["test_ecp5_counting.py", "test_counting_formal.py"]),
        ("hw/stage.py", []),
    ],
)
def test_mirrored_tests_bear_the_files_name(path: str, tests: list[str]) -> None:
    fault = mutants.Fault(path, 1, 0, "", "")
    assert [Path(test).name for test in mutants.mirrored(fault)] == tests
    assert set(mutants.mirrored(fault)) <= set(mutants.of_hardware(fault))


def test_tests_of_what_imports_the_file_come_before_all_others() -> None:
    tests = mutants.of_hardware(mutants.Fault("hw/running_sums.py", 1, 0, "", ""))
    users = {"test_avg_pool.py", "test_frames_formal.py", "test_global_avg_pool.py"}
    assert users <= {Path(test).name for test in tests[:4]}
    assert (
        len(tests) == len(set(tests)) == len(list((mutants.ROOT / "tests/hw").rglob("test_*.py")))
    )
