"""The program `rbonn` as a fixture."""

import sys

import pytest
from rbonn.sw.cli import main


@pytest.fixture
def rbonn(monkeypatch, capsys, tmp_path):
    """Runs the program in an empty folder; gives exit status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["rbonn", *map(str, arguments)])
        try:
            main()
            status = 0
        except SystemExit as exit_:
            status = exit_.code if isinstance(exit_.code, int) else 0
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
