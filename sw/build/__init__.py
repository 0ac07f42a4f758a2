"""From a network and its plan to hardware: elaboration, Verilog, and bitstreams by yosys, nextpnr and the packers.

`elaborate` describes the accelerator; `design` writes its Verilog; `toolchain` finds the programs, `flow` runs them, `report`
reads what they say, `cache` keeps what they made; `synthesis.build` is all of it, `flash` writes the result to a board.
"""

from .cache import BuildCache
from .design import ClockError, Design, board_design, component_verilog
from .result import BuildResult, read_report
from .synthesis import build
from .target import find_board
from .toolchain import Tool, find_tool, find_tools, use_in_amaranth, warm_up

__all__ = [
    "BuildCache",
    "BuildResult",
    "ClockError",
    "Design",
    "Tool",
    "board_design",
    "build",
    "component_verilog",
    "find_board",
    "find_tool",
    "find_tools",
    "read_report",
    "use_in_amaranth",
    "warm_up",
]
