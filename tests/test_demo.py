"""The whole way for the shipped network, as `rbonn demo` goes it."""

import json
import sys
from pathlib import Path

import pytest
from rbonn.sw.cli import main

FOLDER = "build/mnist_cnn_1w1a-icebreaker"


@pytest.mark.cosim
@pytest.mark.synth
def test_the_demo_proves_and_builds_the_shipped_network(
    monkeypatch, capsys, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["rbonn", "demo", "--quiet"])
    main_status = 0
    try:
        main()
    except SystemExit as exit_:
        main_status = exit_.code or 0
    out = capsys.readouterr().out
    assert main_status == 0, out

    assert "sample images right" in out
    assert "10 of 10 images, every output bit equal" in out
    assert "4 images sent and answered over the serial line, every score and label equal" in out
    assert "timing met" in out
    assert "rbonn flash mnist_cnn_1w1a --board icebreaker" in out

    report = json.loads((tmp_path / FOLDER / "report.json").read_text())
    assert report["timing_met"]
    assert report["clock_hz"] >= 24e6
    assert report["resources"]["lut4"] <= 4200
    assert report["resources"]["block_rams"] <= 30
    plan = json.loads((tmp_path / FOLDER / "plan.json").read_text())
    assert plan["network"] == "mnist_cnn_1w1a"
    assert (tmp_path / FOLDER / "top.bin").stat().st_size > 100_000
