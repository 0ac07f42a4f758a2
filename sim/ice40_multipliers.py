"""The multipliers in an iCE40 UltraPlus' bitstream, which `icebox_vlog` leaves out: each as an `SB_MAC16` with its setting, joined to the nets at its pins.

A multiplier is four tiles above each other in the first or the last column. Its inputs are where logic tiles have those of their lookup tables; its setting is in
bits of its own, 8 in a tile; and what configures lookup tables elsewhere has one pattern, without which it does not work.

References
----------
Project IceStorm, github.com/YosysHQ/icestorm: docs/ultraplus.html (DSP tiles: signals, configuration bits, and those that one of the eight has elsewhere);
icebox/icebox.py (a falling clock edge is a bit of the third tile, as in logic tiles).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..sw.errors import SimulationError, UnavailableLevelError
from .ice40_tiles import Place, Tile, Wire

CELL = "SB_MAC16"

_SETTINGS = (
    # parameter, bits; in this order from the first tile's first bit on
    ("C_REG", 1),
    ("A_REG", 1),
    ("B_REG", 1),
    ("D_REG", 1),
    ("TOP_8x8_MULT_REG", 1),
    ("BOT_8x8_MULT_REG", 1),
    ("PIPELINE_16x16_MULT_REG1", 1),
    ("PIPELINE_16x16_MULT_REG2", 1),
    ("TOPOUTPUT_SELECT", 2),
    ("TOPADDSUB_LOWERINPUT", 2),
    ("TOPADDSUB_UPPERINPUT", 1),
    ("TOPADDSUB_CARRYSELECT", 2),
    ("BOTOUTPUT_SELECT", 2),
    ("BOTADDSUB_LOWERINPUT", 2),
    ("BOTADDSUB_UPPERINPUT", 1),
    ("BOTADDSUB_CARRYSELECT", 2),
    ("MODE_8x8", 1),
    ("A_SIGNED", 1),
    ("B_SIGNED", 1),
)

_MOVED = {(0, 15): {bit: (4, bit - 6) for bit in range(9, 14)}}
"""Of the multiplier at that place: tile above its first one, and number there, of bits whose own places set the oscillator."""

_PINS = {
    # port: tile above the first one, wire
    "CLK": (2, "lutff_global/clk"),
    "CE": (2, "lutff_global/cen"),
    "IRSTTOP": (1, "lutff_global/s_r"),
    "IRSTBOT": (0, "lutff_global/s_r"),
    "ORSTTOP": (3, "lutff_global/s_r"),
    "ORSTBOT": (2, "lutff_global/s_r"),
    "AHOLD": (2, "lutff_0/in_0"),
    "BHOLD": (1, "lutff_0/in_0"),
    "CHOLD": (3, "lutff_0/in_0"),
    "DHOLD": (0, "lutff_0/in_0"),
    "OHOLDTOP": (3, "lutff_1/in_0"),
    "OHOLDBOT": (0, "lutff_1/in_0"),
    "OLOADTOP": (3, "lutff_2/in_0"),
    "OLOADBOT": (0, "lutff_2/in_0"),
    "ADDSUBTOP": (3, "lutff_3/in_0"),
    "ADDSUBBOT": (0, "lutff_3/in_0"),
    "CI": (0, "lutff_4/in_0"),
    "CO": (4, "slf_op_0"),
}

_OPERANDS = {"A": 2, "B": 1, "C": 3, "D": 0}
"""Tile above the first one that has an operand: its low byte at the inputs 3 of the lookup tables, its high byte at the inputs 1."""

_WITHOUT_A_WIRE = {"CE": "1'b1"}
"""What an input is that no wire leads to, if not 0."""

_CASCADED = {"BOTADDSUB_CARRYSELECT": 2, "BOTADDSUB_LOWERINPUT": 3}
"""Settings that take a carry or a sign from the multiplier below."""

_HERITAGE = "1100001100"
"""Columns 36 to 45 of each row of a working multiplier: every lookup table hands on its third input, which is the one before it."""


@dataclass(frozen=True, slots=True)
class Multiplier:
    """A multiplier that is used.

    Parameters
    ----------
    place : Place - of the lowest of its tiles
    parameters : dict[str, int] - of `CELL`
    nets : dict[str, str] - net or constant at each port, bit by bit from the least significant: ``A[0]``; outputs that lead nowhere are absent
    """

    place: Place
    parameters: dict[str, int]
    nets: dict[str, str]

    def verilog(self) -> str:
        """It as an instance of `CELL`."""
        x, y = self.place
        parameters = ", ".join(f".{name}({value})" for name, value in self.parameters.items())
        ports = [f".{port}({self.nets[port]})" for port in _PINS if port in self.nets]
        ports += [f".{port}({self._word(port, 16)})" for port in _OPERANDS]
        unused = "".join(
            f"wire mac16_{x}_{y}_{bit};\n" for bit in range(32) if f"O[{bit}]" not in self.nets
        )
        ports += [f".O({self._word('O', 32)})", ".ACCUMCI(1'b0)", ".SIGNEXTIN(1'b0)"]
        return f"{unused}{CELL} #({parameters}) mac16_{x}_{y} ({', '.join(ports)});\n"

    def _word(self, port: str, width: int) -> str:
        x, y = self.place
        bits = [self.nets.get(f"{port}[{bit}]", f"mac16_{x}_{y}_{bit}") for bit in range(width)]
        return "{" + ", ".join(reversed(bits)) + "}"


def multipliers_of(
    tiles: Mapping[Place, Tile], nets: Mapping[Wire, str]
) -> tuple[list[Multiplier], set[Wire]]:
    """All multipliers at whose pins there is a net, and these pins.

    Raises
    ------
    UnavailableLevelError - one takes a carry or a sign from another; it is not known how such wires run
    SimulationError - a tile of one is not configured as it must be to work
    """
    found, pins = [], set()
    for place in sorted(place for place, tile in tiles.items() if tile.kind == "dsp0"):
        wires = _wires(place)
        used = {port: nets[wire] for port, wire in wires.items() if wire in nets}
        if not used:
            continue
        parameters = _parameters(tiles, place)
        _check(tiles, place, parameters)
        is_output = {port: port == "CO" or port.startswith("O[") for port in wires}
        open_inputs = {
            port: _WITHOUT_A_WIRE.get(port, "1'b0") for port in wires if not is_output[port]
        }
        found.append(Multiplier(place, parameters, open_inputs | used))
        pins |= set(wires.values())
    return found, pins


def _wires(place: Place) -> dict[str, Wire]:
    """Where each bit of each port is."""
    x, y = place
    wires = {port: (x, y + above, wire) for port, (above, wire) in _PINS.items()}
    for port, above in _OPERANDS.items():
        for bit in range(16):
            wires[f"{port}[{bit}]"] = (x, y + above, f"lutff_{bit % 8}/in_{3 if bit < 8 else 1}")
    return wires | {f"O[{bit}]": (x, y + bit // 8, f"mult/O_{bit}") for bit in range(32)}


def _parameters(tiles: Mapping[Place, Tile], place: Place) -> dict[str, int]:
    """How the multiplier at `place` is set."""
    x, y = place
    moved = _MOVED.get(place, {})

    def setting(number: int) -> int:
        above, bit = moved.get(number, divmod(number, 8))
        return tiles[x, y + above].bit(bit ^ 1, 7)

    parameters = {"NEG_TRIGGER": tiles[x, y + 2].bit(0, 0)}
    first = 0
    for name, bits in _SETTINGS:
        parameters[name] = sum(setting(first + k) << k for k in range(bits))
        first += bits
    return parameters


def _check(tiles: Mapping[Place, Tile], place: Place, parameters: dict[str, int]) -> None:
    x, y = place
    if any(parameters[name] == value for name, value in _CASCADED.items()):
        raise UnavailableLevelError(
            f"The multiplier at column {x}, row {y} takes a carry or a sign from the one below.",
            "Simulate this design with '--level netlist'.",
        )
    for above in range(4):
        tile = tiles[x, y + above]
        handed_on = all(row[36:46] == _HERITAGE for row in tile.rows)
        if not (handed_on and all(tile.bit(row, 50) for row in range(0, 16, 2))):
            raise SimulationError(
                f"The {tile.kind} tile at column {x}, row {y + above} is not configured as a multiplier needs it.",
                "The bitstream is damaged; run 'rbonn build' again.",
            )
