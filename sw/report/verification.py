"""The record of a verification: which levels of a build were compared with the golden model, and what was found. Written by `rbonn verify`, shown by `rbonn report`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import TypeAdapter, ValidationError

from ..build.cache import file_digest
from ..build.result import BuildResult
from ..errors import InputFileError
from ..files import written_whole
from ..terminal import Terminal

VERIFICATION = "verification.json"
SCHEMA = 1

LEVELS = ("rtl", "netlist", "bitstream")
"""Without one of which nothing is signed off."""

Verdict = Literal["equal", "differs", "failed", "not run"]


@dataclass(frozen=True, slots=True)
class LevelVerdict:
    """What was found at one level.

    Parameters
    ----------
    level : str - ``rtl``, ``netlist`` or ``bitstream``
    verdict : str - ``equal``; ``differs``; ``failed``: the design stopped or cannot be what was built; ``not run``: a tool or a model is missing here
    method : str - ``simulation``, or ``comparison`` with the level above
    images, boundaries_checked, values_compared, mismatches, cycles_simulated : int
    seconds : float
    simulator : str or None
    reason : str or None - the first difference, the failure, or why it was not run
    parts : dict[str, int] - what the chip consists of at this level
    """

    level: str
    verdict: Verdict
    method: str = "simulation"
    images: int = 0
    boundaries_checked: int = 0
    values_compared: int = 0
    mismatches: int = 0
    cycles_simulated: int = 0
    seconds: float = 0.0
    simulator: str | None = None
    reason: str | None = None
    parts: dict[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """Everything that was verified of one build.

    Parameters
    ----------
    network, board : str
    network_sha256 : str - of the network file's contents
    clock_hz, fmax_hz : float - clock that the PLL makes, and the fastest that timing analysis allows
    timing_met : bool - by nextpnr's static analysis; no level simulates delays
    files : dict[str, str] - SHA-256 of plan, Verilog, routed netlist and bitstream, by name
    tools : dict[str, str] - version of each tool that took part
    levels : tuple of LevelVerdict
    schema : int
    """

    network: str
    board: str
    network_sha256: str
    clock_hz: float
    fmax_hz: float
    timing_met: bool
    files: dict[str, str]
    tools: dict[str, str]
    levels: tuple[LevelVerdict, ...]
    schema: int = SCHEMA

    @property
    def signed_off(self) -> bool:
        """Whether every level was run and equal, values having been compared, and timing is met."""
        are_all_there = tuple(level.level for level in self.levels) == LEVELS
        return self.timing_met and are_all_there and all(map(_is_equal, self.levels))

    @property
    def found_faults(self) -> bool:
        """Whether a level differs or failed, or timing is not met; a level that was not run is no fault."""
        return not self.timing_met or any(
            level.verdict in ("differs", "failed") for level in self.levels
        )

    def description(self) -> dict[str, Any]:
        """As ``verification.json`` has it."""
        values = asdict(self)
        return {
            "schema": values.pop("schema"),
            "signed_off": self.signed_off,
            "levels_equal": [level.level for level in self.levels if level.verdict == "equal"],
            **values,
        }


def _is_equal(level: LevelVerdict) -> bool:
    return level.verdict == "equal" and level.values_compared > 0 and not level.mismatches


_ADAPTER = TypeAdapter(Verification)


def save_verification(verification: Verification, folder: Path) -> Path:
    """Writes `VERIFICATION` into `folder`, whole or not at all; returns its path. Raises OutputError."""
    path = folder / VERIFICATION
    with written_whole(path) as temporary:
        temporary.write_text(
            json.dumps(verification.description(), indent=2) + "\n", encoding="utf-8"
        )
    return path


def load_verification(folder: Path) -> Verification:
    """The record in `folder`.

    Raises
    ------
    InputFileError - there is none, or it is not one of this schema
    """
    path = folder / VERIFICATION
    try:
        values = json.loads(path.read_bytes())
        if values["schema"] != SCHEMA:
            raise ValueError(f"schema {values['schema']} instead of {SCHEMA}")
        fields = {name: values[name] for name in Verification.__slots__}
        return _ADAPTER.validate_python(fields)
    except OSError as error:
        raise InputFileError(f"{path}: {error.strerror}", "Run 'rbonn verify' first.") from error
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise InputFileError(
            f"{path}: not a verification ({type(error).__name__}: {first})",
            "Run 'rbonn verify' again.",
        ) from error


def of_build(folder: Path, built: BuildResult) -> Verification | None:
    """The record in `folder` if it is of the bitstream of `built` and of the files that lie beside it; None where there is none, or it is of others. Raises InputFileError where it is damaged."""
    if not (folder / VERIFICATION).exists():
        return None
    verification = load_verification(folder)
    is_of_bitstream = built.bitstream.name in verification.files
    are_same = all(
        (folder / name).is_file() and file_digest(folder / name) == digest
        for name, digest in verification.files.items()
    )
    return verification if is_of_bitstream and are_same else None


class Checked(Protocol):
    """What is read of one level below the Verilog."""

    @property
    def level(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def images(self) -> int: ...
    @property
    def mismatches(self) -> int: ...
    @property
    def first_mismatch(self) -> str | None: ...
    @property
    def values_compared(self) -> int: ...
    @property
    def cycles_simulated(self) -> int: ...
    @property
    def wall_seconds(self) -> float: ...
    @property
    def parts(self) -> dict[str, int]: ...


def level_lines(result: Checked) -> list[str]:
    """What a level below the Verilog found, in words."""
    if result.mismatches:
        return [
            f"{result.level}: {result.mismatches} of {result.values_compared} values differ; first: {result.first_mismatch}"
        ]
    if result.method == "comparison":
        return [
            f"{result.level}: {result.values_compared} settings, each as nextpnr routed it; an ECP5's bitstream is compared, not simulated"
        ]
    parts = ", ".join(f"{count} {part}" for part, count in result.parts.items())
    return [
        f"{result.level}: {result.images} images sent and answered through the pins, every score and label equal",
        f"{result.cycles_simulated} cycles in {result.wall_seconds:.0f} s; {parts}",
    ]


def verification_table(terminal: Terminal, verification: Verification) -> None:
    """A row per level, and what it amounts to."""
    terminal.table(
        f"{verification.network} on {verification.board}",
        ["level", "verdict", "method", "images", "edges", "values", "differ", "cycles", "seconds"],
        (
            [
                level.level,
                level.verdict,
                level.method,
                *(
                    [None] * 6
                    if level.verdict == "not run"
                    else [
                        level.images,
                        level.boundaries_checked,
                        level.values_compared,
                        level.mismatches,
                        level.cycles_simulated,
                        round(level.seconds),
                    ]
                ),
            ]
            for level in verification.levels
        ),
    )
    for level in verification.levels:
        if level.reason is not None:
            terminal.result(f"{level.level}: {level.reason}")
    timing = "met" if verification.timing_met else "NOT MET"
    terminal.result(
        f"timing {timing}: {verification.fmax_hz / 1e6:.1f} MHz possible, {verification.clock_hz / 1e6:g} MHz needed"
    )
    terminal.result("signed off" if verification.signed_off else "NOT SIGNED OFF")
