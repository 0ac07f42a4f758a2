"""`rbonn.sim.verification`: the record names what took part; the levels themselves are in test_levels.py."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from rbonn.sim import ice40_bitstream, verification
from rbonn.sim.verification import tools_of
from rbonn.sw.build.toolchain import Tool


@pytest.fixture
def icebox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program on the PATH, beside which lie the files that it imports."""
    for name in ("icebox_vlog", "icebox.py", "iceboxdb.py", "iceprog"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(shutil, "which", lambda name, **_: str(tmp_path / name))
    return tmp_path


def test_programs_without_a_version_are_named_by_their_contents(
    icebox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        verification, "find_tool", lambda name: Tool(name, icebox / "iceprog", "unknown", "native")
    )
    before = tools_of("ice40")
    assert re.fullmatch(r"iceprog [0-9a-f]{16} \(native\)", before["iceunpack"])
    pattern = r"icebox_vlog [0-9a-f]{16}, icebox\.py [0-9a-f]{16}, iceboxdb\.py [0-9a-f]{16}"
    assert re.fullmatch(pattern, before["icebox_vlog"])
    (icebox / "iceboxdb.py").write_text("another chip")
    assert tools_of("ice40")["icebox_vlog"] != before["icebox_vlog"]


def test_tools_with_a_version_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    tool = Tool("ecpunpack", Path("ecpunpack"), "1.4", "yowasp")
    monkeypatch.setattr(verification, "find_tool", lambda name: tool)
    tools = tools_of("ecp5")
    assert tools["ecpunpack"] == tools["ecppack"] == "1.4 (yowasp)"
    assert "icebox_vlog" not in tools
    assert re.match(r"\d", tools["amaranth"])


def test_missing_tools_are_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice40_bitstream.shutil, "which", lambda name, **_: None)
    assert tools_of("ice40")["icebox_vlog"] == "not installed"
