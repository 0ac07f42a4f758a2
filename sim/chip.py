"""A whole chip with its pads, between the bench's clock and serial line: what a netlist and a bitstream are simulated as."""

from __future__ import annotations

import re

from ..boards import Board
from ..boards.board_top import POWER_ON_US
from ..sw.build.design import TOP
from ..sw.errors import SimulationError

CHIP = "chip"
"""Name of the module whose ports are the pads."""

LOCK_CYCLES = 100
"""More than any model of a PLL takes to lock."""


def around_chip(verilog: str, board: Board) -> str:
    """`verilog`, which has the module `CHIP`, and around it a module `TOP` with the ports of the project's top level: clk, rst, rx, tx.

    `clk` goes to the oscillator's pad at the frequency that the PLL makes (its model passes it on), so that cycles count as in the design. `rst` goes nowhere: a
    chip begins as its bitstream has it, and resets itself.

    Raises
    ------
    SimulationError - the chip has an input that the bench does not know, or lacks a pin
    """
    pins = {
        f"{board.oscillator}_0__io": "clk",
        f"{board.uart.resource}_0__rx__io": "rx",
        f"{board.uart.resource}_0__tx__io": "tx",
    }
    ports = ports_of(verilog)
    others = [
        name for name, direction in ports.items() if name not in pins and direction != "output"
    ]
    others = [name for name in others if name.split("_0__")[0] not in board.held_high]
    missing = [name for name in pins if name not in ports]
    if others or missing:
        raise SimulationError(
            f"The chip's pins are not those of {board.name}: "
            + ", ".join(
                [
                    *(f"{name} is unknown" for name in others),
                    *(f"{name} is missing" for name in missing),
                ]
            )
            + ".",
            "Run 'rbonn build' again for this board.",
        )
    wires = ", ".join(f".{name}({wire}_pad)" for name, wire in pins.items())
    # Pads of nets are inouts, which take no wire that is an input itself.
    return f"""{verilog}
module {TOP}(input clk, input rst, input rx, output tx);
  wire clk_pad, rx_pad, tx_pad;
  assign clk_pad = clk, rx_pad = rx, tx = tx_pad;
  {CHIP} chip({wires});
endmodule
"""


def power_on_cycles(clock_hz: int) -> int:
    """Cycles of a clock of `clock_hz` after which the design on a chip has left its reset, on any board."""
    return LOCK_CYCLES + POWER_ON_US * clock_hz // 1_000_000


def ports_of(verilog: str) -> dict[str, str]:
    """Direction of each port of the module `CHIP`, by name; in the form of yosys (declared in the body) or of icebox_vlog (in the head)."""
    found = re.search(
        rf"^module {CHIP} ?\((.*?)\);(.*?)^endmodule", verilog, re.MULTILINE | re.DOTALL
    )
    assert found is not None, "no chip"
    head, body = found.groups()
    declared = re.findall(r"\b(input|output|inout) (\w+)", head)
    declared += re.findall(r"^  (input|output|inout) (\w+);", body, re.MULTILINE)
    return {name: direction for direction, name in declared}
