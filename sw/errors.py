"""Errors a user can act on: one line that says what happened, one that says what to do.

The command line catches `RbonnError` and nothing else; any other exception is a bug and shows its traceback.
"""

from __future__ import annotations


class RbonnError(Exception):
    """A failure caused by what the user gave or by the machine, not by a bug.

    Parameters
    ----------
    message : str - one line: what is wrong, with the names and numbers
    hint : str - one line: what to do about it
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type[RbonnError], tuple[str, str]]:
        """Goes from process to process with its hint."""
        return type(self), (self.message, self.hint)


class InputFileError(RbonnError):
    """A file the user named is missing, truncated, or not what it should be."""


class OutputError(RbonnError):
    """A result cannot be written where the user wants it."""


class CheckpointError(InputFileError):
    """A training checkpoint cannot be read or belongs to another network."""


class DatasetError(InputFileError):
    """A data set's file is missing, corrupt, or cannot be downloaded."""


class ExperimentError(InputFileError):
    """An experiment file has an unknown key or a value out of range."""


class UnsupportedLayerError(RbonnError):
    """A network has a layer, or an order of layers, that cannot be lowered or built exactly."""


class UnknownNameError(RbonnError):
    """A board, model, option or layer of that name does not exist."""


class DoesNotFitError(RbonnError):
    """A network needs more of a resource than the board has."""


class PlanError(RbonnError):
    """A plan does not belong to the network, or asks for a folding that does not divide."""


class ToolchainNotFoundError(RbonnError):
    """A program that is needed is not installed."""


class BuildFailedError(RbonnError):
    """Synthesis, place and route, packing or compilation of a simulation failed."""


class SimulationError(RbonnError):
    """The simulated hardware stopped answering (the stage and the cycle are named)."""


class UnavailableLevelError(RbonnError):
    """A design has parts of which there is no model at the level of simulation that was asked for."""


class DeviceError(RbonnError):
    """The board does not answer, answers wrongly, or runs another network."""
