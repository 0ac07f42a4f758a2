"""`rbonn.sw.report.verification`: the record of what was proved is whole, honest and read back."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from rbonn.sw.errors import InputFileError
from rbonn.sw.report.verification import (
    VERIFICATION,
    LevelVerdict,
    Verification,
    load_verification,
    of_build,
    save_verification,
    verification_table,
)
from rbonn.sw.terminal import Terminal

EQUAL = tuple(
    LevelVerdict(level, "equal", images=2, boundaries_checked=edges, values_compared=9)
    for level, edges in (("rtl", 5), ("netlist", 1), ("bitstream", 1))
)
MISSING = LevelVerdict("bitstream", "not run", reason="icebox_vlog is not installed.")
BITS = b"bitstream"


def record(*levels: LevelVerdict, timing_met: bool = True) -> Verification:
    digest = hashlib.sha256(BITS).hexdigest()
    return Verification(
        "tiny", "icebreaker", "00", 36e6, 40e6, timing_met, {"top.bin": digest}, {}, levels
    )


def test_it_is_signed_off_only_where_every_level_is_equal_and_timing_is_met() -> None:
    assert record(*EQUAL).signed_off
    assert not record(*EQUAL).found_faults
    late = record(*EQUAL, timing_met=False)
    assert (late.signed_off, late.found_faults) == (False, True)
    for verdict in ("differs", "failed"):
        wrong = record(EQUAL[0], replace(EQUAL[1], verdict=verdict), EQUAL[2])
        assert (wrong.signed_off, wrong.found_faults) == (False, True)
    for odd in (
        (),
        EQUAL[:2],
        (*EQUAL[:2], replace(EQUAL[2], mismatches=17)),
        (*EQUAL[:2], replace(EQUAL[2], values_compared=0)),
    ):
        assert not record(*odd).signed_off
    absent = record(*EQUAL[:2], MISSING)
    assert (absent.signed_off, absent.found_faults) == (False, False)
    assert absent.description()["levels_equal"] == ["rtl", "netlist"]


def test_a_record_is_read_back(tmp_path: Path) -> None:
    written = record(*EQUAL[:2], MISSING)
    path = save_verification(written, tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [VERIFICATION]
    assert load_verification(tmp_path) == written
    assert json.loads(path.read_text())["signed_off"] is False


@pytest.mark.parametrize(
    ("text", "what"),
    [(None, "No such file"), ("{", "not a verification"), ("[]", "not a verification"), ('{"schema": 2}', "schema 2")],
)  # fmt: skip
def test_a_missing_or_damaged_record_is_said(text: str | None, what: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / VERIFICATION).write_text(text)
    with pytest.raises(InputFileError, match=what):
        load_verification(tmp_path)


def test_a_record_of_another_bitstream_is_none_of_this_build(tmp_path: Path) -> None:
    bitstream = tmp_path / "top.bin"
    built = SimpleNamespace(bitstream=bitstream)
    bitstream.write_bytes(BITS)
    assert of_build(tmp_path, built) is None
    save_verification(record(*EQUAL), tmp_path)
    assert of_build(tmp_path, built) == record(*EQUAL)
    bitstream.write_bytes(BITS + b"!")
    assert of_build(tmp_path, built) is None


def test_a_record_is_none_of_files_that_have_changed_or_gone(tmp_path: Path) -> None:
    built = SimpleNamespace(bitstream=tmp_path / "top.bin")
    for name in ("top.bin", "top.v"):
        (tmp_path / name).write_bytes(BITS)
    digest = hashlib.sha256(BITS).hexdigest()
    files = {"top.bin": digest, "top.v": digest}
    save_verification(replace(record(*EQUAL), files=files), tmp_path)
    assert of_build(tmp_path, built) is not None
    (tmp_path / "top.v").write_bytes(BITS + b"!")
    assert of_build(tmp_path, built) is None
    (tmp_path / "top.v").unlink()
    assert of_build(tmp_path, built) is None


def test_the_table_says_what_was_not_run_and_why(capsys) -> None:
    verification_table(Terminal(), record(*EQUAL[:2], MISSING))
    out = capsys.readouterr().out
    assert "not run" in out
    assert "bitstream: icebox_vlog is not installed." in out
    assert "NOT SIGNED OFF" in out
