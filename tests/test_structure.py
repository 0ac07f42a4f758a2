"""The shape of the repository: packages, and who may import whom."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("hw", "sw", "sim", "boards", "models")
MAY_IMPORT = {
    "hw": {"hw"},
    "boards": {"boards", "hw"},
    "sw": {"sw", "hw", "boards", "models"},
    "sim": {"sim", "sw", "hw", "boards"},
    "models": set(),
}
WITHOUT_TORCH = ("hw", "boards", "sim", "sw/network", "sw/plan", "sw/build", "sw/host")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every imported module as an absolute name below `rbonn`, or as it is, and whether it is imported at the top of the file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = {id(node) for node in tree.body}
    package = ("rbonn", *path.relative_to(ROOT).parts[:-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *((node.module or "").split(".") if node.module else ())))
            yield module, id(node) in top
            yield from ((f"{module}.{alias.name}", id(node) in top) for alias in node.names)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    allowed = set(MAY_IMPORT[package])
    for name, at_top in imports(path):
        parts = name.split(".")
        if parts[0] != "rbonn" or len(parts) < 2:
            continue
        if parts[1] == "sim" and path.parent == ROOT / "sw" / "commands":
            assert not at_top, f"{name} must be imported inside a command"
            continue
        assert parts[1] in allowed, f"{package} must not import {name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_installs_without_torch_does_not_import_it(path: Path) -> None:
    relative = path.relative_to(ROOT).as_posix()
    if not relative.startswith(WITHOUT_TORCH) or relative.startswith("sw/network/golden"):
        return
    assert "torch" not in {name.split(".")[0] for name, _ in imports(path)}


def test_every_package_folder_is_installed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {path.parent for path in SOURCES if path.name == "__init__.py"}
    names = {"rbonn." + ".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert set(settings["packages"]) == names
