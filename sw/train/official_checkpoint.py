"""State dicts of the released RBONN repository's ResNet-18, loaded into ours.

The released network is the class of ``2_step2_rbonn/rbonn.py`` in the repository of the paper's authors; its training saves
``{"state_dict": ..., "epoch": ..., ...}`` with every name prefixed by ``module.``. What differs from ours in value: the released code
binarises 0 to 0, we binarise it to +1.

References
----------
Xu et al., Recurrent Bilinear Optimization for Binary Neural Networks, ECCV 2022, and the code they released
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError
from .activations import RPReLU
from .layers import RBOConv2d
from .networks.image import ImageShape
from .networks.recurrent_config import RecurrentConfig
from .networks.resnet18 import ResNet18, ResNet18Config

_PARALLEL = "module."
_LISTED = 12

_BLOCK_NAMES = {
    "sign.shift": "move0.bias",
    "product.weight": "binary_conv.weight",
    "product.scale": "binary_conv.scale_factor",
    "product.gain": "binary_conv.u",
    "norm": "bn1",
    "shortcut": "downsample",
    "activation.shift_in": "move1.bias",
    "activation.slope": "prelu.weight",
    "activation.shift_out": "move2.bias",
}
"""Names inside a block: ours, and those of the released code."""
_ALONG_AXIS_0 = ("product.scale", "product.gain")
"""(channels,) here, (channels, 1, 1, 1) there."""
_ALONG_AXIS_1 = ("sign.shift", "activation.shift_in", "activation.shift_out")
"""(channels,) here, (1, channels, 1, 1) there."""


class CheckpointMismatchError(CheckpointError):
    """A state dict has other names or shapes than the network.

    Parameters
    ----------
    source : str - the file
    missing, unexpected : tuple[str, ...] - names, all of them; the message lists the first dozen
    wrong_shapes : tuple[str, ...] - ``name (shape there), not (shape wanted)``
    """

    def __init__(
        self,
        source: str,
        missing: tuple[str, ...],
        unexpected: tuple[str, ...],
        wrong_shapes: tuple[str, ...],
    ) -> None:
        parts = [
            f"{len(names)} {title}: {_listed(names)}"
            for title, names in (
                ("missing", missing),
                ("unexpected", unexpected),
                ("of another shape", wrong_shapes),
            )
            if names
        ]
        super().__init__(
            f"{source}: not the released ResNet-18: {'; '.join(parts)}",
            "Load a checkpoint of 2_step2_rbonn, second stage, with as many classes as the network has.",
        )
        self.missing = missing
        self.unexpected = unexpected
        self.wrong_shapes = wrong_shapes


def load_official_checkpoint(path: Path, n_classes: int = 1000) -> ResNet18:
    """The released ResNet-18 in mode ``official``, in eval mode, for images of 224 x 224 pixels.

    Parameters
    ----------
    path : Path - written by ``torch.save``: a state dict, or a dict with one under ``state_dict``; names may begin with ``module.``
    n_classes : int

    Raises
    ------
    CheckpointError - the file is missing or damaged, or contains code or anything else than tensors and plain values; nothing of it is run
    CheckpointMismatchError - other names or shapes than the released network's
    """
    config = ResNet18Config(recurrent=RecurrentConfig(mode="official"))
    network = ResNet18(config, ImageShape(224, 224, 3), n_classes)
    load_official_state(network, read_official_state(path), str(path))
    return network.eval()


def read_official_state(path: Path) -> dict[str, Tensor]:
    """The state dict in a file of ``torch.save``, without ``module.``. Raises CheckpointError as `load_official_checkpoint` does."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint", "Name a file written by torch.save.")
    try:
        contents = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of almost any kind, where bytes are no pickle
        if isinstance(error, pickle.UnpicklingError) and "GLOBAL" in str(error):
            raise CheckpointError(
                f"{path}: contains code or objects, which are not loaded",
                "Name a file with nothing but tensors: a state dict saved by torch.save.",
            ) from error
        raise CheckpointError(
            f"{path}: not a readable file of torch.save ({_first_line(error)})",
            "The file is truncated, damaged or of another kind: fetch it again.",
        ) from error
    return _state_dict(contents, path)


def load_official_state(network: ResNet18, state: Mapping[str, Tensor], source: str) -> None:
    """Copies a state dict of the released layout into `network`: all of it, or nothing.

    Parameters
    ----------
    network : ResNet18 - in mode ``official`` or ``official_ranked``, with free slopes: only so it computes the same
    state : dict - names and shapes as the released network has them
    source : str - named in errors

    Raises
    ------
    CheckpointMismatchError - other names or shapes
    ValueError - a network of another mode or with slopes that are powers of two
    """
    _check_network(network)
    own = network.state_dict()
    names = {name: official_name(name) for name in own}
    wanted = {names[name]: official_shape(name, tensor) for name, tensor in own.items()}
    missing = tuple(name for name in wanted if name not in state)
    unexpected = tuple(name for name in state if name not in wanted)
    wrong_shapes = tuple(
        f"{name} {tuple(state[name].shape)}, not {shape}"
        for name, shape in wanted.items()
        if name in state and tuple(state[name].shape) != shape
    )
    if missing or unexpected or wrong_shapes:
        raise CheckpointMismatchError(source, missing, unexpected, wrong_shapes)
    network.load_state_dict(
        {name: state[names[name]].reshape(tensor.shape) for name, tensor in own.items()}
    )


def official_name(name: str) -> str:
    """The released network's name for a tensor of `ResNet18`: ``layers.layer2.0.norm.bias`` is ``layer2.0.bn1.bias`` there."""
    name = name.removeprefix("layers.")
    if not name.startswith("layer"):
        return name
    group, index, inner = name.split(".", 2)
    for ours, theirs in _BLOCK_NAMES.items():
        if inner == ours or inner.startswith(f"{ours}."):
            return f"{group}.{index}.{theirs}{inner.removeprefix(ours)}"
    raise AssertionError(f"{name} has no counterpart in the released network")


def official_shape(name: str, tensor: Tensor) -> tuple[int, ...]:
    """The released network's shape of a tensor of `ResNet18`."""
    if name.endswith(_ALONG_AXIS_0):
        return (len(tensor), 1, 1, 1)
    if name.endswith(_ALONG_AXIS_1):
        return (1, len(tensor), 1, 1)
    return tuple(tensor.shape)


def _check_network(network: ResNet18) -> None:
    for module in network.modules():
        if isinstance(module, RBOConv2d) and not module.mode.startswith("official"):
            raise ValueError(f"Mode must be official or official_ranked, not {module.mode!r}")
        if isinstance(module, RPReLU) and module.slopes != "free":
            raise ValueError(f"Slopes must be free, not {module.slopes!r}")


def _state_dict(contents: Any, path: Path) -> dict[str, Tensor]:
    if isinstance(contents, Mapping) and isinstance(contents.get("state_dict"), Mapping):
        contents = contents["state_dict"]
    if not isinstance(contents, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in contents.items()
    ):
        raise CheckpointError(
            f"{path}: holds no state dict",
            "Name a file with a dict of tensors, or with one under 'state_dict'.",
        )
    return {name.removeprefix(_PARALLEL): value for name, value in contents.items()}


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _first_line(error: Exception) -> str:
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first.partition('. ')[0]}"
