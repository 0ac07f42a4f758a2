"""Rewrites the carry cells of an ECP5 netlist, between synthesis and place and route, so that their constants cost nothing.

yosys ties the carry-in of a chain's first CCU2C to 0 and gives its last one a carry-out that nothing reads. nextpnr adds a cell for each:
one that feeds the constant in, one that feeds the carry out, four lookup tables a chain. Here the carry-out is disconnected,
and the carry-in too where the first half does not look at it, as in chains of `hw.primitives.ecp5.carry_chain`.

yosys also ties pins of the lookup tables to 0, four of each adder's cell. nextpnr routes these 0s, all from one place, across the device;
a pin that is 1 is not routed. Here they become 1, with a table that does the same.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

OPEN = ["x"]
"""An unconnected pin; nextpnr needs the pin to be there."""


def lighten_carry_cells(netlist: str) -> str:
    """The netlist with open chain ends and without constant 0s at lookup tables.

    Parameters
    ----------
    netlist : str - JSON of yosys' ``write_json``, flattened and mapped to the ECP5
    """
    design = json.loads(netlist)
    for module in design["modules"].values():
        readers = _readers(module)
        for cell in module["cells"].values():
            if cell["type"] != "CCU2C":
                continue
            _raise_zeros(cell)
            pins = cell["connections"]
            if not _is_read(pins.get("COUT", []), readers):
                pins["COUT"] = OPEN
            if pins.get("CIN") != OPEN and _ignores_carry(cell, readers):
                pins["CIN"] = OPEN
    return json.dumps(design)


def _raise_zeros(cell: Mapping[str, Any]) -> None:
    """Makes constant 0s at the lookup tables' pins 1s. A table of pins A and B alone, which makes the carry, is where the indices of C and D are 0: it moves along."""
    for half in "01":
        init = int(cell["parameters"][f"INIT{half}"], 2)
        for place, pin in enumerate("ABCD"):
            if cell["connections"].get(f"{pin}{half}") == ["0"]:
                cell["connections"][f"{pin}{half}"] = ["1"]
                init = sum((init >> (index & ~(1 << place)) & 1) << index for index in range(16))
        cell["parameters"][f"INIT{half}"] = f"{init:016b}"


def _readers(module: Mapping[str, Any]) -> Counter[int]:
    """How many pins are on each net."""
    pins: Counter[int] = Counter()
    for cell in module["cells"].values():
        for bits in cell["connections"].values():
            pins.update(bit for bit in bits if isinstance(bit, int))
    for port in module["ports"].values():
        pins.update(bit for bit in port["bits"] if isinstance(bit, int))
    return pins


def _is_read(bits: list[int | str], pins: Counter[int]) -> bool:
    """Whether an output has a net with another pin on it."""
    return any(isinstance(bit, int) and pins[bit] > 1 for bit in bits)


def _ignores_carry(cell: Mapping[str, Any], pins: Counter[int]) -> bool:
    """Whether a constant carry-in changes no output: nobody reads the first sum, and the first half never propagates."""
    connections, parameters = cell["connections"], cell["parameters"]
    carry = connections.get("CIN", [])
    if any(isinstance(bit, int) for bit in carry) or _is_read(connections.get("S0", []), pins):
        return False
    if parameters.get("INJECT1_0") != "NO":
        return False
    init = int(parameters["INIT0"], 2)
    # Pin A is the lowest bit of the index; an open pin is 1.
    values = [_values(connections.get(f"{pin}0", [])) for pin in "DCBA"]
    return not any(init >> int("".join(index), 2) & 1 for index in itertools.product(*values))


def _values(bits: list[int | str]) -> str:
    """The values that an input may have."""
    if not bits or bits == OPEN:
        return "1"
    return str(bits[0]) if isinstance(bits[0], str) else "01"
