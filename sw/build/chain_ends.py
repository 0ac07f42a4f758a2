"""Opens the ends of carry chains in an ECP5 netlist, between synthesis and place and route.

yosys ties the carry-in of a chain's first CCU2C to 0 and gives its last one a carry-out that nothing reads. nextpnr adds a cell for each:
one that feeds the constant in, one that feeds the carry out, four lookup tables a chain. Here the carry-out is disconnected,
and the carry-in too where the first half does not look at it, as in chains of `hw.primitives.ecp5.carry_chain`.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

OPEN = ["x"]
"""An unconnected pin; nextpnr needs the pin to be there."""


def open_chain_ends(netlist: str) -> str:
    """The netlist with open chain ends.

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
            pins = cell["connections"]
            if not _is_read(pins.get("COUT", []), readers):
                pins["COUT"] = OPEN
            if pins.get("CIN") != OPEN and _ignores_carry(cell, readers):
                pins["CIN"] = OPEN
    return json.dumps(design)


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
