"""The networks that ship with the project, and sample images to try them on."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from .. import models
from .datasets import DATASETS, SAMPLED, PicturesConfig, Split, samples
from .errors import InputFileError, UnknownNameError
from .host.images import read_image
from .names import nearest
from .network import Network, load_network
from .pictures import PICTURES, pictures_in

SUFFIX, TEACHERS = ".safetensors", "teachers"


def model_names() -> list[str]:
    """Names of the shipped networks, sorted."""
    return sorted(path.stem for path in _folder().glob(f"*{SUFFIX}"))


def shipped_teacher(name: str) -> Path | None:
    """The checkpoint of a real-valued network that ships to teach binary ones; None where there is none of that name."""
    path = _folder() / TEACHERS / f"{name}{SUFFIX}"
    return path if path.is_file() else None


def find_network(name_or_path: str) -> Network:
    """A shipped network by name, or any network by the path of its file.

    Raises
    ------
    UnknownNameError - neither a shipped network nor an existing file
    InputFileError - see `load_network`
    """
    shipped = _folder() / f"{name_or_path}{SUFFIX}"
    if shipped.is_file():
        return load_network(shipped)
    path = Path(name_or_path)
    if path.is_file():
        return load_network(path)
    if path.suffix == SUFFIX or len(path.parts) > 1:
        raise InputFileError(
            f"{path}: no such network file",
            "Name a file written by 'rbonn lower', or one of 'rbonn models'.",
        )
    raise UnknownNameError(
        f"No network {name_or_path!r}{nearest(name_or_path, model_names())}",
        f"Shipped networks: {', '.join(model_names())}. Or give the path of a network file.",
    )


def model_summary(name: str) -> dict[str, Any]:
    """What `rbonn models` says of a shipped network: name, dataset, accuracy_float, accuracy_integer, test_images, weight_bits, ..."""
    network = find_network(name)
    stated = network.metadata
    return {
        "schema": 1,
        "name": network.name,
        "dataset": stated["dataset"],
        "accuracy_float": stated["accuracy_float"],
        "accuracy_integer": stated["accuracy_integer"],
        "test_images": stated["test_images"],
        "weight_bits": network.weight_bits,
        "binary_macs": network.binary_macs,
        "command": stated["command"],
    }


def samples_of(network: Network) -> Split:
    """The shipped sample images of the data set that `network` was trained on.

    Raises
    ------
    InputFileError - none are shipped for that data set, or they have another shape
    """
    dataset = str(network.metadata.get("dataset", ""))
    if dataset not in SAMPLED:
        raise InputFileError(
            f"No sample images are shipped for the data set of {network.name} ({dataset or 'not stated'})",
            "Give images of your own with '--images-from': a .npy file, or a folder of pictures.",
        )
    shipped = samples(dataset)
    if shipped.images.shape[1:] != network.input_type.shape:
        raise InputFileError(
            f"The sample images of {dataset} are {shipped.images.shape[1:]}, {network.name} takes {network.input_type.shape}",
            "Give images of your own with '--images-from': a .npy file, or a folder of pictures.",
        )
    return shipped


def own_pictures(network: Network) -> PicturesConfig | None:
    """What the pictures of the user's own that `network` was trained on consist of; None where it was trained on a published data set."""
    if str(network.metadata.get("dataset", "")) in ("", *DATASETS):
        return None
    height, width, channels = network.input_type.shape
    return PicturesConfig(
        height=height,
        width=width,
        channels=channels,  # type: ignore[arg-type] - 1 or 3, as they were for the training
        classes=network.class_names,
    )


def load_images(path: Path, network: Network) -> np.ndarray:
    """Images that `network` takes, uint8 (n, height, width, channels): from a ``.npy`` file, or from a picture or a folder of them, scaled.

    Raises
    ------
    InputFileError - the file is missing, is no picture and not a plain array either, or has another shape or type
    """
    if path.is_dir() or path.suffix.lower() in PICTURES:
        pictures = pictures_in(path) if path.is_dir() else [path]
        return np.stack([read_image(picture, network, resize=True) for picture in pictures])
    try:
        images = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise InputFileError(f"{path}: no such file", "Name an existing file.") from error
    except (OSError, ValueError, EOFError) as error:
        raise InputFileError(
            f"{path}: not a readable .npy file of numbers",
            "Save the images with numpy.save, or name a folder of pictures.",
        ) from error
    expected = network.input_type.shape
    if (
        not isinstance(images, np.ndarray)
        or images.dtype != np.uint8
        or images.shape[1:] != expected
    ):
        found = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else "no array"
        raise InputFileError(
            f"{path}: {found}, but {network.name} takes uint8 (n, {', '.join(map(str, expected))})",
            "Save the images as an array of that type and shape.",
        )
    if not len(images):
        raise InputFileError(f"{path}: no image in this array", "Save at least one image.")
    return images


def _folder() -> Path:
    with resources.as_file(resources.files(models)) as folder:
        return folder
