"""`rbonn report`: it speaks of the build that is asked for."""

from types import SimpleNamespace

from rbonn.sw.network.file import save_network

from ...random_networks import random_network
from ..program import fails


def test_a_folder_with_another_build_is_refused(rbonn, monkeypatch, tmp_path) -> None:
    network = random_network((4, 4, 1), [], [4])
    save_network(network, tmp_path / "net")
    built = SimpleNamespace(name="other", source_hash=network.hash(), board="ulx3s-25f")
    monkeypatch.setattr("rbonn.sw.build.result.read_report", lambda folder: built)
    fails(rbonn("report", "net", "--board", "icebreaker"), "a build of other for ulx3s-25f")
    built.board, built.source_hash = "icebreaker", "0"
    fails(rbonn("report", "net", "--board", "icebreaker"), "not of this")
