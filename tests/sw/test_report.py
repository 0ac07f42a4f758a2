"""`rbonn.sw.report`, `terminal`, `names`, `files`, `models`: what people see, and files that are whole."""

import json
import os
import stat
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rbonn.sw.errors import InputFileError, UnknownNameError
from rbonn.sw.files import written_whole
from rbonn.sw.models import find_network, load_images, model_names, model_summary, samples_of
from rbonn.sw.names import nearest
from rbonn.sw.report.drawing import draw
from rbonn.sw.report.tables import agreement_lines, link_lines, simulation_lines
from rbonn.sw.terminal import Terminal

from ..random_networks import random_network

SIMULATED = {
    "images": 2, "mismatches": 0, "first_mismatch": None, "boundaries_checked": 5, "elements_compared": 70,
    "initiation_interval_cycles": 12, "latency_cycles": 34, "cycles_simulated": 100_000, "wall_seconds": 0.5,
    "simulator": "verilator",
}  # fmt: skip


def test_bright_pixels_are_dense_and_two_characters_wide() -> None:
    image = np.array([[[0], [255]], [[128], [0]]], np.uint8)
    assert draw(image) == ["  @@", "++  "]


def test_a_simulation_without_mismatch_says_what_was_compared() -> None:
    lines = simulation_lines(SimpleNamespace(**SIMULATED), 12)
    assert lines == [
        "2 of 2 images, every output bit equal: 70 values compared on 5 edges of the graph",
        "12 cycles per frame (planned 12), first answer after 34 cycles",
        "100000 cycles simulated in 0.5 s (200 thousand per second, verilator)",
    ]


def test_a_simulation_that_is_slower_than_planned_says_so() -> None:
    assert simulation_lines(SimpleNamespace(**SIMULATED), 11)[1] == (
        "12 cycles per frame, SLOWER than the planned 11, first answer after 34 cycles"
    )


def test_mismatches_are_counted_and_the_first_is_named() -> None:
    changes = {"mismatches": 3, "first_mismatch": "conv1, image 0", "answers_compared": 9}
    result = SimpleNamespace(**(SIMULATED | changes))
    assert simulation_lines(result) == ["3 of 70 values differ; first: conv1, image 0"]
    assert link_lines(result) == ["3 of 9 answers differ; first: conv1, image 0"]


def test_an_agreement_says_accuracies_and_differing_activations() -> None:
    agreement = SimpleNamespace(
        images=100, accuracy_float=0.91, accuracy_integer=0.9, class_agreement=0.99,
        bits={"a": 1000, "b": 200}, disagreements={"a": 1, "b": 2}, float_ties=2, saturations={"scores": 4},
    )  # fmt: skip
    assert agreement_lines(agreement) == [
        "100 test images: float 91.00 %, integer 90.00 % right, same class on 99.00 %",
        "3 of 1200 binary activations differ (2 float ties), 4 saturations",
    ]


def test_text_and_json_never_come_together(capsys) -> None:
    for as_json in (False, True):
        terminal = Terminal(as_json)
        terminal.result("text")
        terminal.table("title", ["a", "b"], [["x", 1234], ["y", None]])
        terminal.json({"a": 1})
        out = capsys.readouterr().out
        if as_json:
            assert json.loads(out) == {"a": 1}
        else:
            assert "text" in out
            assert "1 234" in out
            assert "{" not in out


def test_progress_is_a_line_per_step_where_there_is_no_terminal_and_nothing_when_quiet(
    capsys,
) -> None:
    for quiet in (False, True):
        with Terminal(quiet=quiet).progress("build") as bar:
            bar.fraction("synthesis", 0.1)
            bar.fraction("synthesis", 0.2)
            bar.steps("routing", 1, 2)
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err == ("" if quiet else "build: synthesis\nbuild: routing\n")


def test_the_nearest_name_is_suggested_if_there_is_one() -> None:
    assert nearest("mnist_cn", ["mnist_cnn", "other"]) == " (did you mean 'mnist_cnn'?)"
    assert nearest("zebra", ["mnist_cnn"]) == ""


def test_a_file_appears_whole_with_ordinary_rights(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    with written_whole(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def write_half() -> None:
        with written_whole(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", model_names())
def test_every_shipped_network_has_samples_and_states_its_accuracy(name: str) -> None:
    network = find_network(name)
    samples = samples_of(network)
    assert samples.images.shape[1:] == network.input_type.shape
    n_samples, n_tests, least = {"mnist": (100, 10_000, 0.95), "cifar10": (50, 1000, 0.8)}[network.metadata["dataset"]]  # fmt: skip
    least = 0.86 if name == "mnist_mlp_tiny_1w1a" else least
    assert len(samples.images) == len(samples.labels) == n_samples
    stated = model_summary(name)
    assert least <= stated["accuracy_integer"] <= 1
    assert stated["test_images"] == n_tests
    # A teacher may be trained before.
    lower = f"rbonn lower runs/{name}/checkpoint.safetensors -o models/{name}.safetensors"
    assert stated["command"].endswith(f"rbonn train {name} && {lower}")


def test_networks_that_are_not_there_are_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'mnist_cnn_1w1a'"):
        find_network("mnist_cnn_1w1b")
    with pytest.raises(InputFileError, match="no such network file"):
        find_network("some/file.safetensors")


def test_samples_of_an_unknown_data_set_are_refused() -> None:
    with pytest.raises(InputFileError, match="No sample images are shipped"):
        samples_of(random_network((2, 2, 1)))


def test_images_of_the_right_shape_are_read(tmp_path: Path) -> None:
    network = random_network((2, 3, 1))
    images = np.arange(12, dtype=np.uint8).reshape(2, 2, 3, 1)
    np.save(tmp_path / "images.npy", images)
    assert np.array_equal(load_images(tmp_path / "images.npy", network), images)
    np.save(tmp_path / "floats.npy", images.astype(float))
    with pytest.raises(InputFileError, match="float64"):
        load_images(tmp_path / "floats.npy", network)
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(InputFileError, match="not a readable"):
        load_images(tmp_path / "text.npy", network)
