"""Finds the board that a user names."""

from ...boards import BOARDS, Board, find, nearest_name
from ..errors import UnknownNameError


def find_board(name: str) -> Board:
    """The board called `name`.

    Raises
    ------
    UnknownNameError - there is none; the hint names the nearest
    """
    try:
        return find(name)
    except LookupError as error:
        nearest = nearest_name(name)
        raise UnknownNameError(
            f"{name}: no such board",
            f"Did you mean {nearest}?" if nearest else f"Boards are {', '.join(BOARDS)}.",
        ) from error
