"""The page on training has every key of an experiment with its default, and an example that can be read."""

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from rbonn.sw.datasets import PicturesConfig
from rbonn.sw.train.augmentation import AugmentationConfig
from rbonn.sw.train.distillation import DistillationConfig
from rbonn.sw.train.experiment import (
    Experiment,
    StageConfig,
    TrainingConfig,
    parse_experiment,
    shipped_experiments,
)
from rbonn.sw.train.networks import ConvConfig, NetworkConfig, RecurrentConfig

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## An experiment\n")[2].partition("\n## ")[0]
KEYS, _, NETWORKS = SECTION.partition("A network's keys")
ROWS = re.findall(r"^\| `([a-z0-9_.]+)` \| (`[^`]+`|required|none) \| .+ \|$", KEYS, re.MULTILINE)
TABLES = {
    "": Experiment,
    "pictures.": PicturesConfig,
    "training.": TrainingConfig,
    "training.stages.": StageConfig,
    "augmentation.": AugmentationConfig,
    "distillation.": DistillationConfig,
    "network.recurrent.": RecurrentConfig,
}


def default(field):
    """As a cell has it: of a value, the value itself."""
    if field.default is dataclasses.MISSING:
        return "none" if field.default_factory is not dataclasses.MISSING else "required"
    return "none" if field.default is None else field.default


def value(cell):
    if not cell.startswith("`"):
        return cell
    found = tomllib.loads(f"x = {cell.strip('`')}")["x"]
    return tuple(found) if isinstance(found, list) else found


def test_every_key_has_one_row_with_its_default_and_no_row_is_of_another_key():
    expected = {
        prefix + field.name: default(field)
        for prefix, config in TABLES.items()
        for field in dataclasses.fields(config)
    }
    assert {key: value(cell) for key, cell in ROWS} == expected
    assert len(ROWS) == len(expected)


@pytest.mark.parametrize("config", [*get_args(NetworkConfig), ConvConfig])
def test_every_network_has_a_row_with_its_keys_and_their_defaults(config):
    fields = {field.name: field for field in dataclasses.fields(config)}
    kind = fields.pop("kind").default if "kind" in fields else None
    start = f"| `{kind}` | `sw/train/networks/" if kind else "| each of its `[[network.conv"
    (row,) = [line for line in NETWORKS.splitlines() if line.startswith(start)]
    _, _, file, keys, _ = row.split("|")
    if kind:
        assert f"class {config.__name__}:" in (ROOT / file.strip(" `")).read_text(encoding="utf-8")
    found = {}
    for key, said in re.findall(r"`([^`]+)`(: none)?", keys):
        name, _, cell = key.partition(" = ")
        found[name] = value(f"`{cell}`") if cell else said.strip(": ") or "required"
    expected = {name: default(field) for name, field in fields.items()}
    if "recurrent" in found:
        found["recurrent"] = "none"  # a table, whose keys have rows of their own
    assert found == expected


def test_the_example_can_be_read_and_is_no_shipped_experiment():
    text = SECTION.partition("```toml\n")[2].partition("```")[0]
    example = parse_experiment(tomllib.loads(text), "training.md")
    assert example.name not in shipped_experiments()
    assert f"rbonn train {example.name}.toml" in SECTION
    assert f"runs/{example.name}" in SECTION
    assert example.distillation is not None
    assert example.distillation.teacher in shipped_experiments()
