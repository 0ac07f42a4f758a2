"""What models/STATUS.md says of finished trainings is what the shipped networks and experiments say of themselves."""

import re
from pathlib import Path

import pytest
from rbonn.sw.models import find_network, model_names
from rbonn.sw.train import (
    load_checkpoint,
    load_experiment,
    read_checkpoint,
    shipped_experiments,
)
from rbonn.sw.train.evaluation import wilson_interval

MODELS = Path(__file__).parents[1] / "models"
STATUS = (MODELS / "STATUS.md").read_text(encoding="utf-8")
FINISHED = STATUS.partition("## Finished\n")[2].partition("\n## ")[0]
ROWS = {
    cells[0].partition("`")[2].partition("`")[0]: cells
    for line in FINISHED.splitlines()
    if line.startswith("| `")
    for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
}
"""Cells of each row by the name of its network: name, commands, weight bits, epochs, minutes, selection, held out, test, integer."""


@pytest.mark.parametrize("name", model_names())
def test_a_shipped_network_has_a_row_with_its_own_numbers(name: str) -> None:
    network, row = find_network(name), ROWS[name]
    stated = network.metadata
    assert row[2].replace(" ", "") == str(network.weight_bits)
    assert row[7].startswith(f"{100 * stated['accuracy_float']:.2f} (")
    assert row[8].startswith(f"**{100 * stated['accuracy_integer']:.2f}**")
    for command in re.findall("`([^`]+)`", row[1]):
        assert command in stated["command"]


@pytest.mark.parametrize("path", sorted(MODELS.glob("teachers/*.safetensors")), ids=str)
def test_a_shipped_teacher_is_the_finished_training_of_its_experiment(path: Path) -> None:
    _, made_by = load_checkpoint(path)
    assert made_by == load_experiment(shipped_experiments()[path.stem])
    results, row = read_checkpoint(path).results, ROWS[path.stem]
    assert row[3] == f"{results['epochs']} ({results['epoch']})"
    for cell, part in zip(row[5:8], ("selection", "held_out", "test"), strict=True):
        assert cell.startswith(f"{100 * results[f'{part}_accuracy']:.2f}")


@pytest.mark.parametrize("name", ROWS)
def test_the_epochs_are_those_of_the_experiment_and_the_command_names_it(name: str) -> None:
    epochs = load_experiment(shipped_experiments()[name]).training.epochs
    total, best = re.fullmatch(r"(\d+) \((\d+)\)", ROWS[name][3]).groups()  # type: ignore[union-attr]
    assert int(total) == epochs
    assert 1 <= int(best) <= epochs
    assert f"`rbonn train {name}`" in ROWS[name][1]


@pytest.mark.parametrize("name", ROWS)
def test_the_intervals_are_those_of_the_accuracies_and_numbers_of_images(name: str) -> None:
    experiment = load_experiment(shipped_experiments()[name])
    n_test = {"mnist": 10_000, "cifar10": 1000}[experiment.dataset]
    for cell, n in ((ROWS[name][6], experiment.training.held_out), (ROWS[name][7], n_test)):
        found = re.fullmatch(r"([\d.]+)(?: \(([\d.]+) to ([\d.]+)\))?", cell)
        assert found is not None
        if found[2] is not None:
            share, *interval = (float(number) / 100 for number in found.groups())
            assert interval == pytest.approx(wilson_interval(share, n), abs=0.51e-4)
