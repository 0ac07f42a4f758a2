"""Checkpoints: safetensors with the experiment as JSON in the metadata; nothing is ever unpickled.

Two files lie in a training's folder: ``checkpoint.safetensors`` is the network of the best epoch, which lowering reads;
``last.safetensors`` is the whole state of the latest checkpoint, also within an epoch, from which a training resumes exactly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from ..errors import CheckpointError, ExperimentError, OutputError
from ..files import written_whole
from .experiment import Experiment, parse_experiment
from .networks import Network, build_network

FORMAT = "rbonn.checkpoint"
SCHEMA = 2
CHECKPOINT = "checkpoint.safetensors"
LAST = "last.safetensors"

_NETWORK = "network."


@dataclass(frozen=True, slots=True)
class CheckpointFile:
    """What a checkpoint file holds.

    Parameters
    ----------
    experiment : Experiment
    results : dict - JSON values: position and accuracies
    tensors : dict[str, Tensor] - ``network.*`` is the network's state; ``last.safetensors`` has the optimiser's, too
    """

    experiment: Experiment
    results: dict[str, Any]
    tensors: dict[str, Tensor]


def network_tensors(network: Network) -> dict[str, Tensor]:
    """The network's state under the names that checkpoints use."""
    return {_NETWORK + name: tensor.contiguous() for name, tensor in network.state_dict().items()}


def save_checkpoint(path: Path, contents: CheckpointFile) -> None:
    """Writes a checkpoint; the file appears whole or not at all.

    Raises
    ------
    OutputError - no room, no right, no such folder; a file of that name stays as it was
    """
    metadata = {
        "format": FORMAT,
        "schema": str(SCHEMA),
        "experiment": contents.experiment.to_json(),
        "results": json.dumps(contents.results, sort_keys=True),
    }
    try:
        with written_whole(path) as temporary:
            try:
                safetensors.torch.save_file(contents.tensors, temporary, metadata=metadata)
            except safetensors.SafetensorError as error:
                raise OSError(" ".join(str(error).split())) from error
    except OutputError as error:
        raise OutputError(
            error.message,
            "Make room or rights there, then go on with 'rbonn train --resume': the previous checkpoint is whole.",
        ) from error


def remove_leftovers(*paths: Path) -> None:
    """Removes what a process that was killed while it wrote these checkpoints left beside them."""
    for path in paths:
        for leftover in path.parent.glob(f".{path.name}.*"):
            leftover.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> CheckpointFile:
    """Reads a checkpoint file without building its network.

    Raises
    ------
    CheckpointError - the file is missing, truncated, or of another format or schema
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint", "Train a network with 'rbonn train'.")
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - safe_open is no mapping
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path}: not a readable safetensors file ({error})",
            "The file is truncated or damaged: train again.",
        ) from error
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: a safetensors file, but not a checkpoint",
            "Name a checkpoint.safetensors written by 'rbonn train'.",
        )
    if metadata.get("schema") != str(SCHEMA):
        raise CheckpointError(
            f"{path}: schema {metadata.get('schema')}, this program reads {SCHEMA}",
            "Train again with this version.",
        )
    try:
        experiment = parse_experiment(json.loads(metadata["experiment"]), "experiment")
        results = json.loads(metadata["results"])
    except (KeyError, ValueError, ExperimentError) as error:
        raise CheckpointError(f"{path}: damaged metadata ({error})", "Train again.") from error
    return CheckpointFile(experiment, results, tensors)


def load_checkpoint(path: Path) -> tuple[Network, Experiment]:
    """The trained network in eval mode, and the experiment that made it.

    Raises
    ------
    CheckpointError - the file is missing, truncated, of another format or schema, the state of a training, or its tensors belong to another
        network
    """
    contents = read_checkpoint(path)
    refuse_state(contents.tensors, path)
    network = new_network(contents.experiment)
    load_network_tensors(network, contents.tensors, path)
    return network.eval(), contents.experiment


def refuse_state(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Raises CheckpointError where a checkpoint's tensors are not those of a network alone: a training's state is no result of it."""
    if not all(name.startswith(_NETWORK) for name in tensors):
        raise CheckpointError(
            f"{path}: the state of a training, from which it resumes, not its result",
            f"Name {CHECKPOINT} in the same folder, the network of the best epoch.",
        )


def new_network(experiment: Experiment) -> Network:
    """A freshly initialised network for the experiment's data set."""
    return build_network(experiment.network, experiment.image, experiment.n_classes)


def load_network_tensors(network: Network, tensors: dict[str, Tensor], path: Path) -> None:
    """Copies ``network.*`` into `network`. Raises CheckpointError where names or shapes are those of another network."""
    expected = network.state_dict()
    found = {
        name.removeprefix(_NETWORK): tensor
        for name, tensor in tensors.items()
        if name.startswith(_NETWORK)
    }
    hint = "The file was made by another program version or changed: train again."
    for name in sorted(found.keys() - expected.keys()):
        raise CheckpointError(
            f"{path}: tensor {name!r} has no layer in the experiment's network", hint
        )
    for name in sorted(expected.keys() - found.keys()):
        raise CheckpointError(f"{path}: tensor {name!r} is missing", hint)
    for name, tensor in found.items():
        if tensor.shape != expected[name].shape or tensor.dtype != expected[name].dtype:
            raise CheckpointError(
                f"{path}: tensor {name!r} is {tensor.dtype} {tuple(tensor.shape)}, the experiment's network has "
                f"{expected[name].dtype} {tuple(expected[name].shape)}",
                hint,
            )
    network.load_state_dict(found)
