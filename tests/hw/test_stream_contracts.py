"""Every block with a stream has a proof and a planted fault, or a reason why not: docs/hardware/proofs.md, held against the sources."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "hardware" / "proofs.md"
ROWS = re.findall(r"^\| `(\w+)` \|(.*)\|$", DOCUMENT.read_text(), re.MULTILINE)
PROVED = [
    (name, *re.findall(r"`(\w+\.py)::(\w+)` \| `(\w+)`", row)[0])
    for name, row in ROWS
    if "::" in row
]
SIMULATED = [name for name, row in ROWS if "::" not in row]
STREAM = re.compile(r"stream\.(Signature|Interface)\b|\bstage_ports\(")


def blocks(folder: Path) -> set[str]:
    """Components of a folder that have a stream and are no other one's base."""
    sources = {path: path.read_text() for path in folder.rglob("*.py")}
    classes = {
        node.name: (node, ast.get_source_segment(source, node) or "")
        for source in sources.values()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef)
    }
    bases = {
        name: {ast.unparse(base).split(".")[-1] for base in node.bases}
        for name, (node, _) in classes.items()
    }

    def is_component(name: str) -> bool:
        return name == "Component" or any(map(is_component, bases.get(name, ())))

    def has_stream(name: str) -> bool:
        own = name in classes and STREAM.search(classes[name][1])
        return bool(own) or any(map(has_stream, bases.get(name, ())))

    found = {name for name in classes if is_component(name) and has_stream(name)}
    return {name for name in found if name[0] != "_"} - set().union(*bases.values())


@cache
def cited(file: str) -> dict[str, tuple[str, bool]]:
    """Source of each test of a file, with its decorators, and whether it is marked `formal`."""
    source = (ROOT / "tests" / "hw" / file).read_text()
    is_formal = re.search(r"^pytestmark = .*mark\.formal\b", source, re.MULTILINE) is not None
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            marks = " ".join(map(ast.unparse, node.decorator_list))
            found[node.name] = ast.unparse(node), is_formal or "mark.formal" in marks
    return found


def test_every_block_with_a_stream_is_proved_or_says_why_not() -> None:
    assert sorted(name for name, _ in ROWS) == sorted(blocks(ROOT / "hw"))


def test_a_new_block_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "new.py").write_text(
        "class Base(wiring.Component):\n    i: stream.Interface\n\n"
        "class New(Base):\n    pass\n\nclass Tree(wiring.Component):\n    o: int\n"
    )
    assert blocks(tmp_path) == {"New"}


@pytest.mark.parametrize(("block", "file", "proof", "faults"), PROVED, ids=lambda value: str(value))
def test_its_proof_and_its_planted_faults_are_there(
    block: str, file: str, proof: str, faults: str
) -> None:
    tests = cited(file)
    source, is_formal = tests[proof]
    assert is_formal
    assert "'PASS'" in source
    source, is_formal = tests[faults]
    assert is_formal
    assert "'FAIL'" in source
    stem = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", block).lower()
    assert re.search(rf"\b{block}(Config)?\b|{stem}", (ROOT / "tests" / "hw" / file).read_text())
