"""Numbers in the documents are those of the result files and of the shipped networks."""

import importlib.util
from pathlib import Path

import pytest
from rbonn.sw.models import find_network, model_names, model_summary

ROOT = Path(__file__).parents[1]


def spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def test_the_tables_of_the_documents_are_those_of_the_files() -> None:
    spec = importlib.util.spec_from_file_location("tables", ROOT / "benchmarks" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    for document in tables.DOCUMENTS:
        text = document.read_text()
        assert "<!-- end of " in text
        assert tables.updated(text) == text


@pytest.mark.parametrize("name", model_names())
def test_the_accuracies_of_the_results_are_those_of_the_networks(name: str) -> None:
    stated, metadata = model_summary(name), find_network(name).metadata
    row = (
        f"| `{name}` | {100 * stated['accuracy_float']:.2f} | {100 * stated['accuracy_integer']:.2f} | "
        f"{spaced(metadata['bits_compared'])} | {spaced(metadata['bit_disagreements'])} | {metadata.get('float_ties', '')} | "
        f"{spaced(stated['weight_bits'])} |"
    )
    assert row in (ROOT / "docs" / "results.md").read_text()
