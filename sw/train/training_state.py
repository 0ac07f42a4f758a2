"""The whole state of a training as one checkpoint, from which it goes on to the bit."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError, InputFileError
from .averaging import Averaging
from .checkpoint import CheckpointFile, load_network_tensors, network_tensors, read_checkpoint
from .experiment import Experiment
from .networks import Network
from .recurrent import RecurrentOptimisation
from .surroundings import Surroundings

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")
_OPTIMISER = "optimiser."
_RECURRENT = "recurrent."
_AVERAGE = "average."
_RANDOM_STATE = "random_state"
_CUDA_RANDOM_STATE = "cuda_random_state"


@dataclass(slots=True, kw_only=True)
class Position:
    """How far a training has come.

    Parameters
    ----------
    epoch : int - finished epochs
    step : int - finished steps of the epoch that runs
    loss_sum : float - of those steps
    n_right : int - training images of those steps that were classified rightly
    epoch_seconds, seconds : float - of the epoch that runs, and of the whole training
    best_epoch : int - counted from 1; 0 before there is one
    selection_accuracy : float - of the best epoch, a share
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    n_right: int = 0
    epoch_seconds: float = 0.0
    seconds: float = 0.0
    best_epoch: int = 0
    selection_accuracy: float = -1.0

    def add_step(self, loss: float, n_right: int) -> None:
        """Notes a step with its mean loss."""
        self.step += 1
        self.loss_sum += loss
        self.n_right += n_right

    def next_epoch(self) -> None:
        """Ends the epoch that runs."""
        self.epoch += 1
        self.step, self.loss_sum, self.n_right, self.epoch_seconds = 0, 0.0, 0, 0.0

    def results(self) -> dict[str, Any]:
        """For a checkpoint's metadata; JSON keeps every bit of a float."""
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, results: Mapping[str, Any]) -> Position:
        """Raises KeyError where a field is missing, TypeError or ValueError where it is no number."""
        fields = {field.name: field.type for field in dataclasses.fields(cls)}
        counts = {name: int(results[name]) for name, kind in fields.items() if kind == "int"}
        times = {name: float(results[name]) for name in fields.keys() - counts.keys()}
        return cls(**counts, **times)  # pyright: ignore[reportArgumentType] - each as its field has it


def read_state(
    path: Path,
    experiment: Experiment,
    teacher: str | None,
    surroundings: Surroundings,
    *,
    warns: bool,
) -> CheckpointFile:
    """The checkpoint of a training of `experiment` with the teacher of that fingerprint (None: without one).

    Raises CheckpointError where it is missing, damaged, of another experiment, or of another teacher, or where it would not go on to the
    same bits in these `surroundings`; `warns` as `Surroundings.check` has it.
    """
    if not path.exists():
        raise CheckpointError(
            f"{path}: nothing to resume, no checkpoint was written there",
            "Start the training without --resume.",
        )
    contents = read_checkpoint(path)
    _check_experiment(contents, experiment, path)
    if contents.results.get("teacher") != teacher:
        raise CheckpointError(
            f"{path}: the teacher was another network when this training started",
            "Put the teacher's checkpoint back that was there, or train in another output folder.",
        )
    surroundings.check(contents.results, path, warns=warns)
    return contents


def load_best(network: Network, path: Path, experiment: Experiment) -> None:
    """Takes up the network of the best epoch so far, which a resumed training needs at its end.

    Raises CheckpointError where it is missing, damaged, or of another experiment or network.
    """
    try:
        contents = read_checkpoint(path)
    except CheckpointError as error:
        raise CheckpointError(
            f"{error.message}; the resumed training needs it, it is the best epoch's network",
            "Put the file back, or train again in another output folder.",
        ) from error
    _check_experiment(contents, experiment, path)
    load_network_tensors(network, contents.tensors, path)


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turns what the block raises where values of the state at `path` are missing or wrong into a CheckpointError; others pass."""
    try:
        yield
    except CheckpointError:
        raise
    except (InputFileError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{path}: not the state of a training ({error})",
            "Train again in another output folder.",
        ) from error


def _check_experiment(contents: CheckpointFile, experiment: Experiment, path: Path) -> None:
    if contents.experiment != experiment:
        difference = next(differences(contents.experiment, experiment))
        raise CheckpointError(
            f"{path}: made by an experiment with another {difference}",
            "Resume with the experiment file that started the training, or name another output folder.",
        )


@dataclass(frozen=True, slots=True)
class TrainingState:
    """What a training changes, beside its position.

    Parameters
    ----------
    network : Network
    optimiser : torch.optim.Optimizer - of the stage that runs, as all that follow
    recurrent : RecurrentOptimisation
    averaging : Averaging or None
    device : torch.device - of the network
    """

    network: Network
    optimiser: torch.optim.Optimizer
    recurrent: RecurrentOptimisation
    averaging: Averaging | None
    device: torch.device

    def tensors(self) -> dict[str, Tensor]:
        """What a resume needs: the network, its average, Adam's moments, the recurrent state, the random state."""
        tensors = network_tensors(self.network) | {_RANDOM_STATE: torch.get_rng_state()}
        if self.device.type == "cuda":
            tensors[_CUDA_RANDOM_STATE] = torch.cuda.get_rng_state(self.device)
        for name, parameter in self.network.named_parameters():
            for moment, value in self.optimiser.state.get(parameter, {}).items():
                tensors[f"{_OPTIMISER}{name}.{moment}"] = value.contiguous()
        for name, value in self.recurrent.state_dict().items():
            tensors[f"{_RECURRENT}{name}"] = value.contiguous()
        for name, value in (self.averaging.state_dict() if self.averaging else {}).items():
            tensors[f"{_AVERAGE}{name}"] = value.contiguous()
        return tensors

    def load(self, tensors: dict[str, Tensor], path: Path) -> None:
        """Takes up what `tensors` gave and the file at `path` holds.

        Raises
        ------
        CheckpointError - the tensors of another network
        KeyError - a tensor is missing
        RuntimeError, ValueError - a tensor is of another shape or belongs to another layer
        """
        load_network_tensors(self.network, tensors, path)
        torch.set_rng_state(tensors[_RANDOM_STATE])
        if self.device.type == "cuda" and _CUDA_RANDOM_STATE in tensors:
            torch.cuda.set_rng_state(tensors[_CUDA_RANDOM_STATE], self.device)
        for name, parameter in self.network.named_parameters():
            if f"{_OPTIMISER}{name}.{_MOMENTS[0]}" not in tensors:
                continue  # no gradient has reached it in this stage
            state = {moment: tensors[f"{_OPTIMISER}{name}.{moment}"] for moment in _MOMENTS}
            self.optimiser.state[parameter] = {
                moment: value.to(self.device)
                if moment == "step"
                else torch.empty_like(parameter.detach()).copy_(value)  # in its memory layout
                for moment, value in state.items()
            }
        self.recurrent.load_state_dict(_with_prefix(tensors, _RECURRENT))
        if self.averaging:
            self.averaging.load_state_dict(_with_prefix(tensors, _AVERAGE))


def _with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those whose names begin with `prefix`, under the rest of their names."""
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def differences(made_by: Any, asked: Any, place: str = "") -> Iterator[str]:
    """The fields in which two experiments differ, as ``name (a, not b)``, down to the innermost tables."""
    if type(made_by) is type(asked) and dataclasses.is_dataclass(made_by):
        for field in dataclasses.fields(made_by):
            if field.compare:
                old, new = getattr(made_by, field.name), getattr(asked, field.name)
                yield from differences(old, new, f"{place}.{field.name}")
    elif isinstance(made_by, tuple) and isinstance(asked, tuple) and len(made_by) == len(asked):
        for index, (old, new) in enumerate(zip(made_by, asked, strict=True)):
            yield from differences(old, new, f"{place}[{index}]")
    elif made_by != asked:
        yield f"{place.lstrip('.')} ({made_by}, not {asked})"
