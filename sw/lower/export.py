"""From a checkpoint's file to a network file, with the agreement of the two on the whole test set stated in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..datasets import Dataset, load_dataset
from ..errors import UnsupportedLayerError
from ..files import check_writable
from ..network import save_network
from .agreement import Agreement, compare
from .checkpoint import Shape, read_trained
from .residual_agreement import ResidualAgreement, compare_residual
from .stream_format import FixedPoint

CALIBRATION_IMAGES = 1000
"""Training images on which the ranges of a residual network are measured."""


def export(
    checkpoint: Path,
    output: Path,
    *,
    module: str | None = None,
    image_shape: Shape | None = None,
    dataset: str | None = None,
    data: Path | None = None,
    command: str = "",
    fixed_point: FixedPoint | None = None,
    progress: Callable[[str, int, int], None] = lambda what, done, of: None,
) -> Agreement | ResidualAgreement | None:
    """Lowers `checkpoint`, compares float and integer network on the test set, and writes the network file `output`.

    Parameters
    ----------
    checkpoint, module, image_shape : see `read_trained`
    dataset : str or None - its test set is used; None: the one that the checkpoint names
    data : Path or None - folder of the data set, see `load_dataset`
    command : str - how the network was trained, for those who want to do it again
    fixed_point : FixedPoint or None - the numbers of a residual network, see `lower`

    Returns
    -------
    Agreement, ResidualAgreement or None - None where no data set is known, so that nothing could be compared

    Raises
    ------
    CheckpointError, UnsupportedLayerError, DatasetError - see `read_trained`, `lower`, `load_dataset`
    InputFileError, UnsupportedLayerError - the data set's images or classes are not the network's
    """
    check_writable(output.parent)
    progress("lowering", 0, 1)
    trained = read_trained(checkpoint, module=module, image_shape=image_shape, name=None)
    own = trained.metadata.get("dataset")
    dataset = dataset or own
    pictures = trained.pictures if dataset == own else None
    found = load_dataset(dataset, data, pictures) if dataset else None
    network = trained.lowered(_calibration_images(found), fixed_point)
    metadata = {**network.metadata, "command": command}
    agreement = None
    if found is not None:
        if len(found.class_names) != len(network.class_names):
            raise UnsupportedLayerError(
                f"{checkpoint}: the network has {len(network.class_names)} classes, {dataset} has {len(found.class_names)}",
                "Name the data set that the network was trained on with --dataset.",
            )
        n_done = 0

        def on_batch(n_images: int) -> None:
            nonlocal n_done
            n_done += n_images
            progress("comparing with the float network", n_done, len(found.test.images))

        comparison = compare_residual if "fixed_point" in metadata else compare
        images, labels = found.test.images, found.test.labels
        agreement = comparison(trained.module, network, images, labels, progress=on_batch)
        metadata |= {"dataset": dataset, **agreement.metadata()}
        network = replace(network, class_names=found.class_names)
    save_network(replace(network, metadata=metadata), output)
    return agreement


def _calibration_images(dataset: Dataset | None) -> np.ndarray | None:
    """Training images at even distances: always the same."""
    if dataset is None:
        return None
    images = dataset.train.images
    count = min(CALIBRATION_IMAGES, len(images))
    return images[np.arange(count) * len(images) // count]
