"""`rbonn.sw.build.routed`: what is kept of the netlist after place and route."""

import gzip
import json
from pathlib import Path

import pytest
from rbonn.sw.build.routed import ROUTED, WRITTEN, keep_routed, read_routed
from rbonn.sw.errors import InputFileError

NETLIST = {
    "modules": {
        "top": {
            "cells": {"a": {"type": "LUT4", "parameters": {"INIT": "01"}}},
            "netnames": {
                "n": {"bits": [2], "attributes": {"ROUTING": "X1/Y2/w;;1"}},
                "m": {"bits": [3], "attributes": {"ROUTING": "X1/Y3/w;;1", "src": "top.v:1"}},
            },
        }
    }
}


def kept(folder: Path) -> Path:
    folder.mkdir()
    (folder / WRITTEN).write_text(json.dumps(NETLIST, indent=2))
    keep_routed(folder)
    return folder


def test_all_but_the_wires_is_kept(tmp_path: Path) -> None:
    folder = kept(tmp_path / "build")
    assert [path.name for path in folder.iterdir()] == [ROUTED]
    netlist = read_routed(folder)
    nets = netlist["modules"]["top"]["netnames"]
    assert [net["attributes"].pop("ROUTING") for net in nets.values()] == ["", ""]
    expected = json.loads(json.dumps(NETLIST))
    for net in expected["modules"]["top"]["netnames"].values():
        del net["attributes"]["ROUTING"]
    assert netlist == expected


def test_equal_netlists_are_equal_files(tmp_path: Path) -> None:
    first, second = (kept(tmp_path / name) / ROUTED for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("content", [None, b"no gzip", gzip.compress(b"{")])
def test_a_missing_or_damaged_netlist_is_said(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / ROUTED).write_bytes(content)
    with pytest.raises(InputFileError, match=r"routed\.json\.gz: no netlist after place"):
        read_routed(tmp_path)


def test_a_truncated_netlist_is_said(tmp_path: Path) -> None:
    path = kept(tmp_path / "build") / ROUTED
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputFileError, match="no netlist after place"):
        read_routed(path.parent)
