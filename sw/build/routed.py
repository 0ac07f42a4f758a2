"""The netlist after place and route, as a build keeps it: every cell with its place and every net, without the wires that the nets take.

The wires are nine tenths of what nextpnr writes, and the bitstream holds them too.
"""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

from ..errors import InputFileError

WRITTEN = "routed.json"
"""What nextpnr writes (``--write``)."""

ROUTED = f"{WRITTEN}.gz"
"""What is kept of it."""

_WIRES = re.compile(r'"ROUTING": "[^"]*"')


def keep_routed(work: Path) -> None:
    """Replaces `WRITTEN` in the folder `work` by `ROUTED`; line by line, because that of a large design does not fit in memory well."""
    written = work / WRITTEN
    with (
        written.open(encoding="utf-8") as lines,
        # Without name and time, so that equal netlists are equal files.
        (work / ROUTED).open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as kept,
    ):
        for line in lines:
            kept.write(_WIRES.sub('"ROUTING": ""', line).encode())
    written.unlink()


def read_routed(folder: Path) -> dict[str, Any]:
    """The netlist of the build in `folder`, in the form of yosys' ``write_json``.

    Raises
    ------
    InputFileError - there is none, or it is damaged
    """
    path = folder / ROUTED
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            netlist = json.load(file)
    except (OSError, EOFError, ValueError) as error:
        raise InputFileError(
            f"{path}: no netlist after place and route ({error})", "Run 'rbonn build' again."
        ) from error
    return netlist
