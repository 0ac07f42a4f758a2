"""The command line: what it prints, what it writes, and how it fails."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rbonn.sw.network import save_network
from rbonn.sw.project import Project

from ..random_networks import ConvShape, random_network
from .program import fails

NETWORK = random_network((6, 6, 1), [ConvShape(4, padding=1, pool=2)], n_classes=3)


@pytest.fixture
def network_file(tmp_path) -> Path:
    path = tmp_path / "network.safetensors"
    save_network(NETWORK, path)
    return path


def test_plan_as_json_has_the_documented_fields(rbonn, network_file) -> None:
    status, out, _ = rbonn("plan", network_file, "--board", "icebreaker", "--json")
    assert status == 0
    plan = json.loads(out)
    assert set(plan) == {
        "schema", "fits", "network", "board", "clock_hz", "layers", "initiation_interval_cycles", "latency_cycles", "cycles_are_exact",
        "frames_per_second", "totals", "proof", "limits", "roofline",
    }  # fmt: skip
    assert plan["fits"] is True
    assert plan["proof"] == {
        "goal": "cycles", "reached": plan["initiation_interval_cycles"], "bound": plan["initiation_interval_cycles"],
        "budget": None, "is_optimal": True, "gap": 0,
    }  # fmt: skip
    assert set(plan["limits"]) == {"interval_layers", "binds", "kind", "needed", "left"}
    assert set(plan["roofline"]) == {
        "peak_operations_per_second", "weight_bits_per_second", "operations_per_frame", "weight_bits_per_frame",
        "operations_per_weight_bit", "attainable_operations_per_second", "operations_per_second", "share", "roof",
    }  # fmt: skip
    assert set(plan["layers"][0]) == {
        "name", "kind", "mh", "mw", "pe", "simd", "cycles_per_frame", "lut4", "block_rams",
    }  # fmt: skip
    assert set(plan["totals"]) == {"lut4", "ff", "block_rams", "dsp", "carries"}


def test_a_plan_says_whether_it_is_proved_and_so_does_its_file(rbonn, network_file) -> None:
    _, out, _ = rbonn("plan", network_file, "--board", "icebreaker", "-o", "fast.json")
    assert "proved: no plan has fewer cycles" in out
    assert json.loads(Path("fast.json").read_text())["proof"]["goal"] == "cycles"
    command = ("plan", network_file, "--board", "icebreaker", "--fps", 100, "-o", "small.json")
    _, out, _ = rbonn(*command)
    assert "proved: no plan at this frame rate has fewer logic cells" in out
    assert json.loads(Path("small.json").read_text())["proof"]["goal"] == "logic cells"


def test_boards_as_json_has_the_documented_fields(rbonn) -> None:
    status, out, _ = rbonn("boards", "--json")
    assert status == 0
    boards = {board["name"]: board for board in json.loads(out)}
    assert set(boards["icebreaker"]) == {
        "schema", "name", "family", "device", "lut4", "block_rams", "clock_hz", "link", "link_via", "memory", "programmers",
    }  # fmt: skip
    assert boards["icebreaker"]["lut4"] == 5280
    assert boards["ulx3s-85f"]["family"] == "ecp5"


def test_a_plan_file_can_be_written_and_used(rbonn, network_file, tmp_path) -> None:
    assert rbonn("plan", network_file, "-b", "icebreaker", "--fps", 100, "-o", "p.json")[0] == 0
    assert (
        rbonn(
            "generate", network_file, "-b", "icebreaker", "--core", "--plan", "p.json", "-o", "out"
        )[0]
        == 0
    )
    header = re.search(r"module top\(([^)]*)\);", (tmp_path / "out" / "top.v").read_text())
    assert header is not None
    assert set(header[1].split(", ")) == {
        "clk", "rst", "i__valid", "i__ready", "i__payload", "o__valid", "o__ready", "o__payload",
    }  # fmt: skip
    fails(
        rbonn("generate", network_file, "-b", "ulx3s-25f", "--plan", "p.json", "-o", "other"),
        "The plan is for board icebreaker, not ulx3s-25f",
    )
    assert not (tmp_path / "other").exists()


def test_generate_writes_the_same_verilog_twice(rbonn, network_file, tmp_path) -> None:
    for folder in "ab":
        assert rbonn("generate", network_file, "-b", "icebreaker", "-o", folder)[0] == 0
    texts = [(tmp_path / folder / "top.v").read_text() for folder in "ab"]
    assert texts[0] == texts[1]
    assert str(Path.cwd()) not in texts[0]


def test_an_unknown_board_names_the_nearest(rbonn, network_file) -> None:
    fails(rbonn("plan", network_file, "--board", "icebraker"), "icebraker", "icebreaker")


def test_an_unknown_network_lists_the_known(rbonn) -> None:
    fails(
        rbonn("plan", "mnist_cn_1w1a", "--board", "icebreaker"), "mnist_cn_1w1a", "mnist_cnn_1w1a"
    )


def test_a_missing_network_file_is_named(rbonn) -> None:
    fails(rbonn("plan", "no/such.safetensors", "--board", "icebreaker"), "no/such.safetensors")


def test_a_truncated_network_file_is_refused(rbonn, network_file) -> None:
    network_file.write_bytes(network_file.read_bytes()[:-5])
    fails(rbonn("plan", network_file, "--board", "icebreaker"), str(network_file))


def test_a_network_that_does_not_fit_says_what_is_missing(rbonn, tmp_path) -> None:
    save_network(random_network((28, 28, 1), [], [1024]), tmp_path / "large.safetensors")
    fails(
        rbonn("plan", tmp_path / "large.safetensors", "--board", "icebreaker"),
        "does not fit icebreaker: block RAMs:",
        "30 available",
    )


def test_what_would_fit_is_told_and_is_in_the_json(rbonn, tmp_path) -> None:
    save_network(random_network((28, 28, 1), [], [1024]), tmp_path / "large.safetensors")
    command = ("plan", tmp_path / "large.safetensors", "--board", "icebreaker", "-q")
    fails(rbonn(*command), "It would fit with the board ")
    status, out, err = rbonn(*command, "--json")
    assert status == 1
    found = json.loads(out)
    assert set(found) == {"schema", "fits", "network", "board", "reason", "changes"}
    assert found["fits"] is False
    assert found["reason"] in err
    (change,) = found["changes"]
    assert set(change) == {"kind", "value", "frames_per_second", "accuracy"}
    assert change["value"] in err


def test_a_frame_rate_out_of_reach_names_the_best(rbonn, network_file) -> None:
    fails(rbonn("plan", network_file, "-b", "icebreaker", "--fps", 1e9), "reaches at most")


def test_a_clock_that_the_board_cannot_have_is_refused(rbonn, network_file) -> None:
    fails(rbonn("plan", network_file, "-b", "icebreaker", "--clock", 500), "not 500 MHz")
    Image.fromarray(np.zeros((6, 6), np.uint8)).save("digit.png")
    fails(rbonn("run", network_file, "-p", "none", "--clock", 0.5, "digit.png", "-q"), "baud rates")


@pytest.mark.parametrize("option", [("--clock", 9), ("--fps", 10)])
def test_a_plan_file_does_not_go_with_a_clock_or_a_frame_rate(rbonn, network_file, option) -> None:
    assert rbonn("plan", network_file, "-b", "icebreaker", "-o", "p.json")[0] == 0
    fails(
        rbonn("generate", network_file, "-b", "icebreaker", "--plan", "p.json", *option),
        "a plan fixes clock and folding already",
    )


@pytest.mark.parametrize(
    "command",
    [
        ("plan", "NETWORK", "-b", "icebreaker", "-o", "occupied/plan.json"),
        ("generate", "NETWORK", "-b", "icebreaker", "-o", "occupied", "-q"),
        ("build", "NETWORK", "-b", "icebreaker", "-o", "occupied", "-q"),
        (
            "simulate",
            "NETWORK",
            "-b",
            "icebreaker",
            "-o",
            "occupied",
            "-q",
            "-n",
            1,
            "--images-from",
            "i.npy",
        ),
        ("train", "mnist_mlp_1w1a", "-o", "occupied", "-q"),
        ("lower", "CHECKPOINT", "-o", "occupied/network.safetensors", "-q"),
    ],
    ids=lambda command: command[0],
)
def test_an_output_that_cannot_be_written_is_named_before_anything_long(
    rbonn, network_file, tmp_path, command
) -> None:
    (tmp_path / "occupied").write_text("a file where a folder should be")
    np.save(tmp_path / "i.npy", np.zeros((1, 6, 6, 1), np.uint8))
    before = sorted(tmp_path.iterdir())
    names = {"NETWORK": network_file, "CHECKPOINT": network_file}
    fails(rbonn(*(names.get(word, word) for word in command)), "occupied")
    assert sorted(tmp_path.iterdir()) == before


def test_a_missing_extra_is_named(rbonn, network_file, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "rbonn.sw.lower.export", None)
    with pytest.raises(ModuleNotFoundError):  # a module of our own is no extra
        rbonn("lower", network_file, "-o", "x")
    monkeypatch.delitem(sys.modules, "rbonn.sw.lower.export")
    monkeypatch.setattr(
        "rbonn.sw.project.Project.find",
        lambda *_, **__: (_ for _ in ()).throw(ModuleNotFoundError("No module", name="torch")),
    )
    fails(rbonn("plan", network_file, "-b", "icebreaker"), "torch is not installed", "rbonn[torch]")


def test_images_of_another_shape_are_refused(rbonn, network_file, tmp_path) -> None:
    np.save(tmp_path / "images.npy", np.zeros((2, 5, 5, 1), np.uint8))
    fails(
        rbonn("simulate", network_file, "-b", "icebreaker", "-n", 2, "--images-from", "images.npy"),
        "images.npy: uint8 (2, 5, 5, 1)",
        "(n, 6, 6, 1)",
    )
    assert not (tmp_path / "build").exists()


def test_pickled_images_are_refused(rbonn, network_file, tmp_path) -> None:
    np.save(tmp_path / "images.npy", np.array([{}], dtype=object), allow_pickle=True)
    fails(
        rbonn("simulate", network_file, "-b", "icebreaker", "--images-from", "images.npy"),
        "images.npy",
    )


def test_wrong_usage_exits_with_2(rbonn, network_file) -> None:
    assert rbonn("plan", network_file, "--bord", "icebreaker")[0] == 2
    assert rbonn("plan", network_file)[0] == 2
    assert rbonn("fly")[0] == 2


@pytest.mark.parametrize("option", [("--link",), ("--forms", "portable")])
def test_forms_and_link_go_with_verilog_only(rbonn, network_file, option) -> None:
    status, _, err = rbonn(
        "simulate", network_file, "--board", "icebreaker", "--level", "netlist", *option
    )
    assert status == 2
    assert "goes with --level rtl" in err


def test_a_report_needs_a_build(rbonn, network_file) -> None:
    fails(
        rbonn("report", network_file, "--board", "icebreaker"), "no finished build", "rbonn build"
    )


def test_a_checkpoint_that_is_none_is_refused(rbonn, network_file, tmp_path) -> None:
    fails(rbonn("lower", network_file, "-o", "x.safetensors", "-q"), str(network_file))
    fails(rbonn("lower", tmp_path / "none", "-o", "x.safetensors", "-q"), "none")
    assert not (tmp_path / "x.safetensors").exists()


@pytest.mark.cosim
@pytest.mark.parametrize("forms", ["device", "portable"])
def test_a_simulation_says_in_which_forms_it_was(rbonn, network_file, tmp_path, forms) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 6, 6, 1), np.uint8)
    np.save(tmp_path / "images.npy", images)
    status, out, err = rbonn(
        "simulate", network_file, "-b", "ulx3s-25f", "-n", 3, "--images-from", "images.npy",
        "--forms", forms, "--json", "-q",
    )  # fmt: skip
    assert status == 0, err
    result = json.loads(out)
    assert (result["forms"], result["mismatches"]) == (forms, 0)
    stages = Project.find(str(network_file), "ulx3s-25f").simulated(forms)[1].config.stages
    used = {stage.config.unit.form for stage in stages if hasattr(stage.config, "unit")}
    assert used == {"ecp5" if forms == "device" else "portable"}
