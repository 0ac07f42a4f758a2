"""What `iceunpack` and `icebox_vlog` say of an iCE40, tile by tile: how each is configured, and which net is at which of its wires.

References
----------
Project IceStorm, github.com/YosysHQ/icestorm: docs/format.html (tiles and their bits), icebox/icebox_vlog.py (comments that name the segments of a net).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Place = tuple[int, int]
"""Column and row of a tile."""

Wire = tuple[int, int, str]
"""Column and row of a tile, and the name of a wire there: ``lutff_3/in_1``, ``mult/O_7``, ``glb_netwk_2`` ..."""

_TILE = re.compile(r"^\.(\w+)_tile (\d+) (\d+)\n((?:[01]+\n)+)", re.MULTILINE)
_NET = re.compile(r"^(?:wire|reg) (\w+)(?: = 0)?;\n((?:// \(.*\)\n)+)", re.MULTILINE)
_WIRE = re.compile(r"^// \((\d+), (\d+), '(.*)'\)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile of the chip.

    Parameters
    ----------
    kind : str - ``logic``, ``ramb``, ``ramt``, ``io``, ``dsp0`` to ``dsp3``, ``ipcon``
    rows : tuple of str - its bits, row by row, each a 0 or a 1
    """

    kind: str
    rows: tuple[str, ...]

    def bit(self, row: int, column: int) -> int:
        return int(self.rows[row][column])


def tiles_of(unpacked: str) -> dict[Place, Tile]:
    """The tiles in the text that `iceunpack` writes."""
    return {
        (int(x), int(y)): Tile(kind, tuple(rows.split()))
        for kind, x, y, rows in _TILE.findall(unpacked)
    }


def nets_of(verilog: str) -> dict[Wire, str]:
    """Name of the net at each wire, from the comments that `icebox_vlog` writes below the declaration of a net."""
    return {
        (int(x), int(y), wire): net
        for net, wires in _NET.findall(verilog)
        for x, y, wire in _WIRE.findall(wires)
    }
