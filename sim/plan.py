"""What one simulation runs and compares, as files: written by `simulate`, read inside the simulator by `cocotb_bench`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .specification import Field, OutputSpec, Probe, Stalls, StreamSpec

FULL_SPEED, RANDOM_STALLS = "full speed", "random stalls"
"""Names of the two passes."""

PROGRESS = "@progress"
"""Begins a line ``@progress <images that left> <frames> <name of the pass>`` for the parent process."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a pass ends.

    Parameters
    ----------
    idle_cycles : int - nothing moves, at any probe, for so long: the design has stopped
    starved_cycles : int - nothing leaves for so long: the design moves without a result
    settle_cycles : int - how long the pass goes on after the last expected output, to see words that come too many
    """

    idle_cycles: int = 100_000
    starved_cycles: int = 5_000_000
    settle_cycles: int = 2_000


@dataclass(frozen=True, slots=True)
class Pass:
    """One run of the design from reset: `frames` frames, of images 0, 1, ..., and again from 0; without stalls if `stalls` is None."""

    name: str
    frames: int
    stalls: Stalls | None


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Everything that the cocotb test needs.

    Parameters
    ----------
    stream, output, probes : what the design looks like
    passes, limits : what to run
    inputs : uint64 array (images, transfers)
    expected : {edge: int64 array (images, elements)}
    expected_output : {field: int64 array (images, transfers)}
    """

    stream: StreamSpec
    output: OutputSpec
    probes: tuple[Probe, ...]
    passes: tuple[Pass, ...]
    limits: Limits
    inputs: np.ndarray
    expected: dict[str, np.ndarray]
    expected_output: dict[str, np.ndarray]

    def write(self, folder: Path) -> None:
        """Writes ``plan.json`` and ``plan.npz`` into `folder`."""
        description = {
            "stream": asdict(self.stream),
            "output": asdict(self.output),
            "probes": [asdict(probe) for probe in self.probes],
            "passes": [asdict(item) for item in self.passes],
            "limits": asdict(self.limits),
        }
        (folder / "plan.json").write_text(json.dumps(description, indent=1), encoding="utf-8")
        arrays: dict[str, Any] = {f"edge.{name}": array for name, array in self.expected.items()}
        arrays |= {f"field.{name}": array for name, array in self.expected_output.items()}
        np.savez(folder / "plan.npz", inputs=self.inputs, **arrays)

    @classmethod
    def read(cls, folder: Path) -> RunPlan:
        """The plan that `write` wrote into `folder`."""
        description = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        with np.load(folder / "plan.npz", allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        output = description["output"]
        fields = tuple(Field(**field) for field in output.pop("fields"))
        return cls(
            StreamSpec(**description["stream"]),
            OutputSpec(**output | {"fields": fields, "edges": tuple(output["edges"])}),
            tuple(
                Probe(**probe | {"shape": tuple(probe["shape"])}) for probe in description["probes"]
            ),
            tuple(
                Pass(item["name"], item["frames"], item["stalls"] and Stalls(**item["stalls"]))
                for item in description["passes"]
            ),
            Limits(**description["limits"]),
            arrays["inputs"],
            _prefixed(arrays, "edge."),
            _prefixed(arrays, "field."),
        )


def _prefixed(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def stimulus_bytes(words: Sequence[int] | np.ndarray, width: int) -> bytes:
    """Words of `width` bits as the bench reads them: big-endian, ceil(width / 8) bytes each."""
    data = np.ascontiguousarray(np.asarray(words).reshape(-1).astype(">u8"))
    n_bytes = -(-width // 8)
    return data.view(np.uint8).reshape(-1, 8)[:, 8 - n_bytes :].tobytes()
