"""What docs/training.md tells to write in Python works word for word."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from rbonn.sw.datasets import Dataset, Split
from rbonn.sw.lower import export as lowering
from rbonn.sw.network import load_network
from rbonn.sw.train import official_checkpoint

from .test_experiment_documentation import PAGE
from .test_official_checkpoint import released_state


def code(section):
    """The first block of Python in a section of the page."""
    _, found, text = PAGE.partition(f"## {section}\n")
    assert found
    return text.partition("```python\n")[2].partition("```")[0]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(1)


def run(text, name="example.py", run_name="example"):
    Path(name).write_text(text, encoding="utf-8")
    return runpy.run_path(name, run_name=run_name)


def test_the_short_example_learns_with_the_recurrent_step():
    found = run(code("The method, and where it is"))
    network, x, labels = found["network"].train(), found["x"], found["labels"]
    loss = torch.nn.functional.cross_entropy(network(x), labels)
    assert loss < 1.5  # 2.3 by chance
    gain = network[1].gain
    assert not torch.equal(gain, torch.full_like(gain, network[1].u0))


def test_a_module_of_ones_own_is_trained_and_lowered(monkeypatch):
    drawn = np.random.default_rng(1)
    labels = drawn.integers(0, 10, 600, np.uint8)
    images = drawn.integers(0, 200, (600, 28, 28, 1), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label + 4 : 2 * label + 6] = 255  # a bright bar
    parts = Split(images[:500], labels[:500]), Split(images[500:], labels[500:])
    dataset = Dataset("mnist", tuple("0123456789"), *parts)
    monkeypatch.setattr("rbonn.sw.datasets.load_dataset", lambda name: dataset)
    monkeypatch.setattr(lowering, "load_dataset", lambda name, folder, pictures: dataset)
    run(code("A module of your own"), "mine.py", "__main__")
    assert "rbonn lower mine.safetensors --module mine.py:Mine --dataset mnist" in PAGE
    output = Path("mine_network.safetensors")
    agreement = lowering.export(
        Path("mine.safetensors"), output, module="mine.py:Mine", dataset="mnist"
    )
    assert agreement is not None
    metadata = load_network(output).metadata
    assert metadata["bit_disagreements"] == 0
    assert metadata["accuracy_integer"] > 0.8  # a tenth by chance


def test_a_released_checkpoint_is_loaded_as_the_page_says(monkeypatch):
    torch.save({"state_dict": released_state()}, "checkpoint.pth.tar")
    network = run(code("From the paper's released checkpoints"))["network"]
    assert isinstance(network, official_checkpoint.ResNet18)
    assert network.layers.fc.out_features == 1000
