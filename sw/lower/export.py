"""From a checkpoint's file to a network file, with the agreement of the two on the whole test set stated in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..datasets import load_dataset
from ..errors import UnsupportedLayerError
from ..files import check_writable
from ..network import save_network
from .agreement import Agreement, compare
from .checkpoint import Shape, read_trained


def export(
    checkpoint: Path,
    output: Path,
    *,
    module: str | None = None,
    image_shape: Shape | None = None,
    dataset: str | None = None,
    data: Path | None = None,
    command: str = "",
    progress: Callable[[str, int, int], None] = lambda what, done, of: None,
) -> Agreement | None:
    """Lowers `checkpoint`, compares float and integer network on the test set, and writes the network file `output`.

    Parameters
    ----------
    checkpoint, module, image_shape : see `read_trained`
    dataset : str or None - its test set is used; None: the one that the checkpoint names
    data : Path or None - folder of the data set, see `load_dataset`
    command : str - how the network was trained, for those who want to do it again

    Returns
    -------
    Agreement or None - None where no data set is known, so that nothing could be compared

    Raises
    ------
    CheckpointError, UnsupportedLayerError, DatasetError - see `read_trained`, `lower`, `load_dataset`
    InputFileError, UnsupportedLayerError - the data set's images or classes are not the network's
    """
    check_writable(output.parent)
    progress("lowering", 0, 1)
    trained = read_trained(checkpoint, module=module, image_shape=image_shape, name=None)
    network = trained.lowered()
    metadata = {**trained.metadata, "command": command}
    dataset = dataset or trained.metadata.get("dataset")
    agreement = None
    if dataset:
        found = load_dataset(dataset, data)
        images, labels = found.test.images, found.test.labels
        if len(found.class_names) != len(network.class_names):
            raise UnsupportedLayerError(
                f"{checkpoint}: the network has {len(network.class_names)} classes, {dataset} has {len(found.class_names)}",
                "Name the data set that the network was trained on with --dataset.",
            )
        n_done = 0

        def on_batch(n_images: int) -> None:
            nonlocal n_done
            n_done += n_images
            progress("comparing with the float network", n_done, len(images))

        agreement = compare(trained.module, network, images, labels, progress=on_batch)
        metadata |= {"dataset": dataset, **agreement.metadata()}
        network = replace(network, class_names=found.class_names)
    save_network(replace(network, metadata=metadata), output)
    return agreement
