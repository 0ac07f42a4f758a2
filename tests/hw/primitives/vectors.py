"""Plays rows of input values to a Verilog module in Icarus, one row a clock cycle, and reads its outputs."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from ..netlists import cell_models

Row = Mapping[str, int]


def play(
    verilog: str, rows: Sequence[Row], *, top: str = "top", family: str | None = None
) -> list[dict[str, int | None]]:
    """Outputs of the module `top` while each row is applied, before the clock edge that ends it; None where bits are unknown.

    Parameters
    ----------
    rows : sequence of mappings - a value for every input but ``clk`` and ``rst``
    family : str | None - whose cell models `verilog` needs: "ice40" or "ecp5"

    Skips the test where Icarus Verilog is missing.
    """
    if shutil.which("iverilog") is None or shutil.which("vvp") is None:
        pytest.skip("Icarus Verilog is not installed")
    module = re.search(rf"^module {top}\b.*?^endmodule", verilog, re.MULTILINE | re.DOTALL)
    assert module is not None, f"no module {top}"
    ports = re.findall(r"^\s*(input|output) (?:\[(\d+):0\] )?(\w+);", module[0], re.MULTILINE)
    widths = {name: int(high or 0) + 1 for _, high, name in ports}
    inputs = [name for side, _, name in ports if side == "input" and name not in ("clk", "rst")]
    outputs = [name for side, _, name in ports if side == "output"]
    declared = "".join(f"reg [{widths[name] - 1}:0] {name};\n" for name in inputs)
    declared += "".join(f"wire [{widths[name] - 1}:0] {name};\n" for name in outputs)
    connected = ", ".join(f".{name}({name})" for name in widths)
    targets = ", ".join(inputs)
    bench = f"""
module bench;
reg clk = 0, rst = 0;
{declared}
{top} dut({connected});
integer file, code;
initial begin
  file = $fopen("rows.txt", "r");
  code = $fscanf(file, "{" ".join(["%h"] * len(inputs))}", {targets});
  while (code == {len(inputs)}) begin
    #1 $display("{" ".join(["%b"] * len(outputs))}", {", ".join(outputs)});
    clk = 1;
    #1 clk = 0;
    code = $fscanf(file, "{" ".join(["%h"] * len(inputs))}", {targets});
  end
end
endmodule
"""
    with tempfile.TemporaryDirectory(prefix="rbonn-") as name:
        folder = Path(name)
        (folder / "rows.txt").write_text(
            "".join(" ".join(f"{row[port]:x}" for port in inputs) + "\n" for row in rows)
        )
        (folder / "design.v").write_text(bench + verilog)
        # A pin's default is no Verilog of 2012, which Icarus keeps to.
        command = ["iverilog", "-g2012", "-DNO_ICE40_DEFAULT_ASSIGNMENTS", "-s", "bench", "-o", "program", "design.v"]  # fmt: skip
        (folder / "cells.v").write_text(cell_models(family) if family else "")
        command += ["-l", "cells.v"]
        for step in (command, ["vvp", "-n", "program"]):
            run = subprocess.run(step, cwd=folder, capture_output=True, text=True, check=False, timeout=120)  # fmt: skip
            assert run.returncode == 0, run.stdout + run.stderr
    lines = run.stdout.splitlines()
    assert len(lines) == len(rows), run.stdout
    return [
        {
            name: int(bits, 2) if set(bits) <= {"0", "1"} else None
            for name, bits in zip(outputs, line.split(), strict=True)
        }
        for line in lines
    ]
