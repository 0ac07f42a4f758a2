"""An ECP5's bitstream against the configuration that nextpnr routed, setting by setting.

There is no tool that makes logic of an ECP5's bitstream, so it is not simulated. Compared is what it says: the bitstream is unpacked by `ecpunpack`, and so is one
that is packed anew from nextpnr's configuration; each lookup table, block RAM, wire and mode must be the same in both. That nothing is lost in unpacking is shown by
packing the unpacked text, which must give the bitstream's bytes again. Lookup tables, contents of block RAMs and sources of wires are compared with
nextpnr's own text too, because packing and unpacking could err alike.

So the file that is flashed is the design that nextpnr routed, whose netlist is simulated at the netlist level. What remains to be believed is Project Trellis'
knowledge of which bit does what.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..sw.build.design import TOP
from ..sw.build.process import last_error, run_tool
from ..sw.build.result import BuildResult
from ..sw.build.toolchain import find_tool
from ..sw.errors import BuildFailedError

Settings = dict[tuple[str, str], str]
"""Value of each setting by tile and name."""

_FIXED = re.compile(r"arc: F[0-7]$")
"""Outputs of a slice before its flip-flop: wires without a switch, which come back under another name."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison of a bitstream found.

    Parameters
    ----------
    settings : int - settings compared
    differences : tuple of str - those that differ, as ``tile, setting: routed ..., in the bitstream ...``
    """

    settings: int
    differences: tuple[str, ...]


def compare_bitstream(built: BuildResult) -> Comparison:
    """Compares the bitstream of `built` with the routed configuration beside it.

    Raises
    ------
    ToolchainNotFoundError - `ecppack` or `ecpunpack` is missing
    BuildFailedError - one of them failed: the bitstream is damaged (its checksums are wrong), or the configuration is
    """
    pack, unpack = find_tool("ecppack").path, find_tool("ecpunpack").path
    with tempfile.TemporaryDirectory(prefix="rbonn-") as name:
        work = Path(name)
        shutil.copyfile(built.bitstream, work / "built.bit")
        shutil.copyfile(built.bitstream.with_suffix(".config"), work / f"{TOP}.config")

        def packed(text: str, bitstream: str) -> bytes:
            _run([pack, "--compress", "--input", text, "--bit", bitstream], work)
            return (work / bitstream).read_bytes()

        def unpacked(bitstream: str) -> Settings:
            text = bitstream.replace(".bit", ".text")
            _run([unpack, bitstream, text], work)
            return settings_of((work / text).read_text(encoding="utf-8"))

        packed(f"{TOP}.config", "routed.bit")
        routed, found = unpacked("routed.bit"), unpacked("built.bit")
        differences = list(_differences(routed, found))
        written = settings_of((work / f"{TOP}.config").read_text(encoding="utf-8"))
        differences += _differences(
            *(
                {key: value for key, value in settings.items() if key in other and is_logic(key)}
                for settings, other in ((written, found), (found, written))
            )
        )
        if packed("built.text", "again.bit") != (work / "built.bit").read_bytes():
            differences.append(
                "the bitstream has bits that the unpacked configuration does not explain"
            )
    return Comparison(len(routed | found), tuple(differences))


def settings_of(text: str) -> Settings:
    """The settings in a configuration as `ecpunpack` and nextpnr write it."""
    settings: Settings = {}
    place = ""
    for line in text.splitlines():
        if line.startswith(".comment"):
            continue
        if line.startswith("."):
            place = line
            if not place.startswith((".tile", ".bram_init")):
                settings[place, ""] = ""
        elif place.startswith(".bram_init"):
            settings[place, ""] = settings.get((place, ""), "") + line + "\n"
        elif line:
            kind, _, rest = line.partition(" ")
            name, _, value = rest.partition(" ")
            settings[place, f"{kind} {name}"] = value
    return settings


def is_logic(key: tuple[str, str]) -> bool:
    """Whether a setting is a lookup table, the contents of a block RAM, or where a wire comes from."""
    place, name = key
    return (
        place.startswith(".bram_init")
        or (name.startswith("arc:") and not _FIXED.match(name))
        or (name.startswith("word:") and name.endswith("INIT"))
    )


def _differences(routed: Settings, found: Settings) -> Iterator[str]:
    for key in sorted(routed.keys() | found.keys()):
        want, got = routed.get(key), found.get(key)
        if want != got:
            what = " ".join(part for part in key if part)
            yield f"{what}: routed {_short(want)}, in the bitstream {_short(got)}"


def _short(value: str | None) -> str:
    if value is None:
        return "absent"
    return value if len(value) < 40 else f"{value[:30].strip()} ..."


def _run(command: list[str | Path], folder: Path) -> None:
    log = folder / "tool.log"
    if run_tool(command, folder, log):
        raise BuildFailedError(
            f"{Path(command[0]).name}: the bitstream or its configuration is damaged: {last_error(log)}",
            "Run 'rbonn build' again.",
        )
