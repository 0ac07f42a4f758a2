"""Network files: safetensors with the graph as JSON in the metadata, versioned, never unpickled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from ..errors import InputFileError
from ..files import written_whole
from .datatypes import parse
from .graph import Network
from .nodes import KINDS, EdgeType, Node

FORMAT = "rbonn.network"
SCHEMA = 1


def save_network(network: Network, path: Path) -> None:
    """Writes `network` to `path` (safetensors); the file appears whole or not at all."""
    header = {
        "format": FORMAT,
        "schema": str(SCHEMA),
        "network": json.dumps(network.description(), sort_keys=True),
        "hash": network.hash(),
        "metadata": json.dumps(network.metadata, sort_keys=True),
    }
    with written_whole(path) as temporary:
        safetensors.numpy.save_file(network.arrays(), temporary, metadata=header)


def load_network(path: Path) -> Network:
    """Reads a network file.

    Raises
    ------
    InputFileError - the file is missing, truncated, of another format or schema, or its contents do not have the hash it states
    """
    if not path.is_file():
        raise InputFileError(
            f"{path}: no such network file",
            "Name a file written by 'rbonn lower', or one of 'rbonn models'.",
        )
    try:
        with safetensors.safe_open(str(path), framework="numpy") as file:
            header = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - safe_open is no mapping
    except (safetensors.SafetensorError, OSError) as error:
        raise InputFileError(
            f"{path}: not a readable safetensors file ({error})",
            "The file is truncated or damaged: lower the checkpoint again.",
        ) from error
    if header.get("format") != FORMAT:
        raise InputFileError(
            f"{path}: a safetensors file, but not a network file",
            "Use 'rbonn lower' to turn a checkpoint into a network file.",
        )
    if header.get("schema") != str(SCHEMA):
        raise InputFileError(
            f"{path}: schema {header.get('schema')}, this program reads {SCHEMA}",
            "Lower the checkpoint again with this version.",
        )
    try:
        network = _from_description(
            json.loads(header["network"]), arrays, json.loads(header["metadata"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputFileError(
            f"{path}: damaged network description ({error})", "Lower the checkpoint again."
        ) from error
    if network.hash() != header.get("hash"):
        raise InputFileError(
            f"{path}: contents differ from the hash in the file",
            "The file was changed after it was written: lower the checkpoint again.",
        )
    return network


def _from_description(
    description: dict[str, Any], arrays: dict[str, np.ndarray], metadata: dict[str, Any]
) -> Network:
    return Network(
        name=description["name"],
        input_type=EdgeType(
            parse(description["input"]["datatype"]), tuple(description["input"]["shape"])
        ),
        nodes=tuple(_node(values, arrays) for values in description["nodes"]),
        n_host_nodes=description["n_host_nodes"],
        scores=description["scores"],
        class_names=tuple(description["class_names"]),
        metadata=metadata,
    )


def _node(values: dict[str, Any], arrays: dict[str, np.ndarray]) -> Node:
    values = dict(values)
    kind = KINDS.get(values.pop("kind"))
    if kind is None:
        raise ValueError(f"unknown node kind; known are {', '.join(KINDS)}")
    values["inputs"] = tuple(values["inputs"])
    for name in ("weight_type", "output_type"):
        if name in values:
            values[name] = parse(values[name])
    for name in kind.ARRAYS:
        values[name] = arrays[f"{values['name']}.{name}"]
    return kind(**values)
