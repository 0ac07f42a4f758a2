"""Trained networks from files: a checkpoint of `rbonn train`, or the tensors of a user's own module."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from torch import Tensor, nn

from ..datasets import PicturesConfig
from ..errors import CheckpointError, UnknownNameError, UnsupportedLayerError
from ..network import EdgeType, Network, UInt
from ..train.checkpoint import FORMAT, load_checkpoint, load_network_tensors, refuse_state
from .lowering import lower
from .stream_format import FixedPoint

Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A trained network and what lowering has to know about it.

    Parameters
    ----------
    module : Module - in eval mode
    name : str
    image : EdgeType - raw pixels
    metadata : dict - ``dataset`` and ``title`` of the experiment; empty for a user's own module
    pictures : PicturesConfig or None - of the experiment, where its data set is one of the user's own
    """

    module: nn.Module
    name: str
    image: EdgeType
    metadata: dict[str, Any]
    pictures: PicturesConfig | None = None

    def lowered(
        self, calibration: np.ndarray | None = None, fixed_point: FixedPoint | None = None
    ) -> Network:
        """The integer network. Parameters as `lower` has them."""
        return lower(
            self.module,
            self.name,
            self.image,
            metadata=self.metadata,
            calibration=calibration,
            fixed_point=fixed_point,
        )


def lower_checkpoint(
    path: Path,
    *,
    module: str | None = None,
    image_shape: Shape | None = None,
    name: str | None = None,
    calibration: np.ndarray | None = None,
    fixed_point: FixedPoint | None = None,
) -> Network:
    """The integer network of a checkpoint. Parameters and errors as `read_trained` and `lower` have them."""
    trained = read_trained(path, module=module, image_shape=image_shape, name=name)
    return trained.lowered(calibration, fixed_point)


def read_trained(
    path: Path,
    *,
    module: str | None = None,
    image_shape: Shape | None = None,
    name: str | None = None,
) -> Trained:
    """The trained network in a file.

    Parameters
    ----------
    path : Path - a checkpoint of `rbonn train`; with `module` any safetensors file with the module's state (``network.`` before the names
        is allowed)
    module : str - ``package.file:Class`` or ``file.py:Class``: a class or function that gives the module when called without arguments
    image_shape : (height, width, channels) - None: the experiment's, or the attribute `image_shape` of the user's module
    name : str - of the network; None: the experiment's, or the class's name

    Raises
    ------
    CheckpointError - the file is missing, damaged, the state of a training, or belongs to another network
    UnknownNameError - `module` does not name a class
    UnsupportedLayerError - it does not give a torch module, or the image shape is not known
    """
    if module is None:
        network, experiment = load_checkpoint(path)
        found = experiment.image
        shape = image_shape or (found.height, found.width, found.channels)
        metadata = {"dataset": experiment.dataset, "title": experiment.title}
        return Trained(
            network, name or experiment.name, _pixels(shape), metadata, experiment.pictures
        )
    make = _find(module)
    try:
        network = make()
    except TypeError as error:
        raise UnsupportedLayerError(
            f"{module} cannot be called without arguments ({error})",
            "Name a function without parameters that returns the module.",
        ) from error
    if not isinstance(network, nn.Module):
        raise UnsupportedLayerError(
            f"{module} gives a {type(network).__name__}, not a torch module",
            "Name a subclass of torch.nn.Module, or a function that returns one.",
        )
    shape = image_shape or getattr(network, "image_shape", None)
    if shape is None:
        raise UnsupportedLayerError(
            f"{module} does not say which images it takes",
            "Give the module an attribute 'image_shape' = (height, width, channels).",
        )
    load_network_tensors(network, _tensors(path), path)  # type: ignore[arg-type]
    return Trained(network.eval(), name or module.rpartition(":")[2].lower(), _pixels(shape), {})


def _pixels(shape: Shape) -> EdgeType:
    if len(shape) != 3 or not all(isinstance(size, int) and size >= 1 for size in shape):
        raise UnsupportedLayerError(
            f"image shape {shape!r} is not (height, width, channels)",
            "Give three positive numbers of pixels and channels.",
        )
    height, width, channels = shape
    return EdgeType(UInt(8), (height, width, channels))


def _find(module: str) -> Callable[[], Any]:
    """What ``package.file:name`` or ``file.py:name`` names; the working folder is searched first."""
    place, colon, attribute = module.rpartition(":")
    if not (place and colon and attribute):
        raise UnknownNameError(
            f"{module!r} does not name a class", "Write package.file:Class or file.py:Class."
        )
    if place.endswith(".py"):
        namespace = _execute(Path(place))
    else:
        folder = str(Path.cwd())
        sys.path.insert(0, folder)
        try:
            namespace = importlib.import_module(place)
        except ModuleNotFoundError as error:
            if error.name is None or not (place + ".").startswith(error.name + "."):
                raise  # something that the module itself imports
            raise UnknownNameError(
                f"Module {place!r} does not exist",
                "Run the command in the folder that holds it, or install its package.",
            ) from error
        finally:
            sys.path.remove(folder)
    found = getattr(namespace, attribute, None)
    if not callable(found):
        raise UnknownNameError(
            f"{place} has no class {attribute!r}", "Write package.file:Class or file.py:Class."
        )
    return found


def _execute(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise UnknownNameError(f"{path}: no such file", "Name a Python file and a class in it.")
    namespace = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(namespace)
    return namespace


def _tensors(path: Path) -> dict[str, Tensor]:
    """The network's tensors in a safetensors file, as ``network.*``. Raises CheckpointError where it cannot be read or is a training's state."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint", "Name a safetensors file.")
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            ours = (file.metadata() or {}).get("format") == FORMAT
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - safe_open is no mapping
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path}: not a readable safetensors file ({error})",
            "Save the module's state with safetensors.torch.save_file.",
        ) from error
    if ours:
        refuse_state(tensors, path)
    if ours or all(name.startswith("network.") for name in tensors):
        return tensors
    return {f"network.{name}": tensor for name, tensor in tensors.items()}
