"""The plan: everything that was decided between a network and its hardware."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from ...boards.board import Board
from ..build.device_forms import device_forms
from ..errors import PlanError
from ..files import written_whole
from ..network import Bipolar, Conv, Dense, Network
from .folding import Folding, WeightForm, window_forms
from .proof import Proof

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class AcceleratorPlan:
    """A dataflow plan: one matrix-vector unit per layer.

    Parameters
    ----------
    network, network_hash : str - whose plan this is
    board : str
    clock_hz : int
    foldings : dict - `Folding` of each `Conv` and `Dense` node
    proof : Proof or None - how good the planner knows it to be; None for a plan that was made otherwise. No part of the design
    kind : str - "dataflow"
    schema : int
    """

    network: str
    network_hash: str
    board: str
    clock_hz: Annotated[int, Field(gt=0)]
    foldings: dict[str, Folding]
    proof: Proof | None = None
    kind: Literal["dataflow"] = "dataflow"
    schema: Literal[1] = SCHEMA

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    def check(self, network: Network, board: Board) -> None:
        """Raises PlanError unless this is a plan for exactly that network on that board."""
        if self.board != board.name:
            raise PlanError(
                f"The plan is for board {self.board}, not {board.name}",
                f"Make a new plan with 'rbonn plan', or build for {self.board}.",
            )
        if self.network_hash != network.hash():
            raise PlanError(
                f"The plan is for network {self.network} {self.network_hash[:12]}, not {network.name} {network.hash()[:12]}",
                "Make a new plan with 'rbonn plan'.",
            )
        layers = {
            node.name: node for node in network.device_nodes if isinstance(node, Conv | Dense)
        }
        if set(layers) != set(self.foldings):
            raise PlanError(
                f"The plan folds {sorted(self.foldings)}, the network has {sorted(layers)}",
                "Make a new plan with 'rbonn plan'.",
            )
        for name, folding in self.foldings.items():
            mh, mw = layers[name].matrix.shape
            for what, value, size in (("PE", folding.pe, mh), ("SIMD", folding.simd, mw)):
                if value < 1 or size % value:
                    raise PlanError(
                        f"Layer {name}: {what} must divide {size}, not {value}",
                        f"Choose one of {[d for d in range(1, size + 1) if size % d == 0]}.",
                    )
            _check_forms(layers[name], folding, network, board)


def _check_forms(node: Conv | Dense, folding: Folding, network: Network, board: Board) -> None:
    """Raises PlanError where a form of weights, window or integers is one that the device lacks or the folding does not allow."""
    words = node.matrix.size // (folding.pe * folding.simd)
    is_of_bits = isinstance(network.edges[node.inputs[0]].datatype, Bipolar)
    is_binary = isinstance(node.weight_type, Bipolar)
    counts_bits = is_binary and (is_of_bits or folding.integers == "planes")
    forms = weight_forms(words, board, counts_bits=counts_bits)
    if folding.weights not in forms:
        raise PlanError(
            f"Layer {node.name}: {board.name} has no weights in the form {folding.weights!r} for a fold of {words}",
            f"Choose one of {', '.join(forms)}.",
        )
    if folding.window not in window_forms(node, folding.simd):
        raise PlanError(
            f"Layer {node.name}: a parallel window needs a kernel of several taps and a SIMD that is a multiple of its channels, not {folding.simd}",
            "Choose a sequential window or another SIMD.",
        )
    if folding.integers == "planes" and (is_of_bits or not is_binary):
        raise PlanError(
            f"Layer {node.name}: only integers times binary weights can go bit by bit",
            "Choose integers 'whole'.",
        )


MOST_LOGIC_WORDS = {"ice40": 64, "ecp5": 256}
"""Words of the deepest memories that a plan may have in logic, by family: an ECP5 joins eight lookup tables by multiplexers of its own."""


def weight_forms(words: int, board: Board, *, counts_bits: bool) -> list[WeightForm]:
    """Forms that a weight memory of so many words can have on a board: see `Folding`. `counts_bits`: whether its array counts matches of bits.

    Absorbed leaves count bits, and need eight times the words in one block RAM. Logic is for shallow memories: deeper ones are refused rather than left to fill
    the device. LUT RAM is for what is written: for constants a lookup table holds as many bits without a write port.
    """
    forms: list[WeightForm] = ["block"]
    if words <= MOST_LOGIC_WORDS[board.family]:
        forms.append("logic")
    if counts_bits and 8 * words <= device_forms(board).ram_depth:
        forms.append("absorbed")
    return forms


_ADAPTER = TypeAdapter(AcceleratorPlan)


def save_plan(plan: AcceleratorPlan, path: Path) -> None:
    """Writes a plan as JSON; the file appears whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(asdict(plan), indent=2) + "\n")


def load_plan(path: Path) -> AcceleratorPlan:
    """Reads a plan. Raises PlanError when the file is missing or is not a plan of this schema."""
    try:
        return _ADAPTER.validate_json(path.read_bytes())
    except OSError as error:
        raise PlanError(
            f"{path}: {error.strerror}", "Write a plan with 'rbonn plan -o FILE'."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise PlanError(
            f"{path}: not a plan: {where}: {first['msg']}",
            "Write a plan with 'rbonn plan -o FILE'.",
        ) from error
