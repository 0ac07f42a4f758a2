"""When a network does not fit, the smallest change with which it would: fewer frames per second, another board, another network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...boards import BOARDS, Board
from ..errors import RbonnError
from ..models import find_network, model_names
from ..network import Network
from .options import LUT_WORDS
from .planner import find_plan


@dataclass(frozen=True, slots=True)
class Change:
    """A change with which there is a plan.

    Members
    -------
    kind : str - what is changed: "frame_rate", "board" or "network"
    value : str - to what: frames per second, a board's name, a network's name
    frames_per_second : float - that are reached then
    accuracy : float or None - of another network, where it says so
    """

    kind: Literal["frame_rate", "board", "network"]
    value: str
    frames_per_second: float
    accuracy: float | None = None

    def text(self, network: Network) -> str:
        """In words, as a part of an enumeration."""
        if self.kind == "frame_rate":
            return f"at most {self.value} frames per second"
        if self.kind == "board":
            return f"the board {self.value}"
        mine = network.metadata.get("accuracy_integer")
        instead = "" if mine is None else f" instead of {100 * mine:.2f} %"
        right = "" if self.accuracy is None else f" ({100 * self.accuracy:.2f} % right{instead})"
        return f"the network {self.value}{right}"


def smallest_changes(
    network: Network,
    board: Board,
    *,
    clock_mhz: float | None = None,
    frames_per_second: float | None = None,
) -> list[Change]:
    """Changes of one thing at a time with which `network` fits `board`, what each asks for planned to be sure: the highest frame rate, the smallest other
    board, and the most accurate shipped network of the same data set.

    Parameters
    ----------
    clock_mhz : float or None - None: each board's own
    frames_per_second : float or None - what was asked for; None: as many as fit, which no smaller number of them can help
    """
    found = []
    if frames_per_second is not None:
        reached = _reached(network, board, clock_mhz, None)
        if reached is not None:
            found.append(Change("frame_rate", f"{int(reached)}", reached))
    tried = [board]
    for other in sorted(BOARDS.values(), key=lambda other: (_size(other), -other.clock_hz)):
        if any(_is_no_larger(other, than) for than in tried):
            continue
        reached = _reached(network, other, clock_mhz, frames_per_second)
        if reached is not None:
            found.append(Change("board", other.name, reached))
            break
        tried.append(other)
    for other in _alternatives(network):
        reached = _reached(other, board, clock_mhz, frames_per_second)
        if reached is not None:
            accuracy = other.metadata.get("accuracy_integer")
            found.append(Change("network", other.name, reached, accuracy))
            break
    return found


def _reached(
    network: Network, board: Board, clock_mhz: float | None, frames_per_second: float | None
) -> float | None:
    """Frames per second of the plan; None where there is none."""
    if not may_hold(network, board):
        return None
    clock_hz = board.clock_hz if clock_mhz is None else round(clock_mhz * 1e6)
    try:
        clock_hz = round(board.pll(clock_hz).output_hz)
        found = find_plan(network, board, clock_hz=clock_hz, frames_per_second=frames_per_second)
    except (RbonnError, ValueError):  # no plan, or a clock that the board cannot have
        return None
    return clock_hz / found.interval_cycles


def may_hold(network: Network, board: Board) -> bool:
    """Whether all block RAMs and lookup tables have as many bits together as the network's weights. Where they have not, no folding needs to be looked at."""
    there = board.capacity
    return network.weight_bits <= there.block_rams * there.block_ram_bits + there.lut4 * LUT_WORDS


def _size(board: Board) -> tuple[int, int, int]:
    return board.capacity.lut4, board.capacity.block_rams, board.capacity.dsp


def _is_no_larger(board: Board, than: Board) -> bool:
    """Whether it has nothing that the other lacks: as much of all at most, of the same family, at the same clock."""
    if board.family != than.family or board.clock_hz > than.clock_hz:
        return False
    return all(a <= b for a, b in zip(_size(board), _size(than), strict=True))


def _alternatives(network: Network) -> list[Network]:
    """Shipped networks of the same data set, the most accurate first."""
    dataset = network.metadata.get("dataset")
    others = [find_network(name) for name in model_names()] if dataset else []
    others = [
        other
        for other in others
        if other.metadata.get("dataset") == dataset and other.hash() != network.hash()
    ]
    return sorted(others, key=lambda other: -other.metadata.get("accuracy_integer", 0))
