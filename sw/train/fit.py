"""Training from files to files: an experiment and a data set in, checkpoints out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..datasets import load_dataset
from ..errors import CheckpointError
from ..files import check_writable
from .experiment import load_experiment
from .loop import LabelledImages, Training, TrainingResult


def train(
    experiment: Path,
    output: Path,
    data: Path | None = None,
    *,
    resume: bool = False,
    quiet: bool = False,
) -> TrainingResult:
    """Trains the network of an experiment file and reports its accuracy.

    Parameters
    ----------
    experiment : Path - a TOML file
    output : Path - folder for ``checkpoint.safetensors`` (best epoch) and ``last.safetensors`` (for resuming)
    data : Path or None - folder of the data set, see `rbonn.sw.datasets.load_dataset`
    resume : bool - go on from ``last.safetensors`` in `output`
    quiet : bool - no progress bar

    Raises
    ------
    ExperimentError - the experiment file is wrong, or asks for more held-out images or a larger batch than there are images
    CheckpointError - nothing to resume, a damaged checkpoint, one of another experiment, or a training in `output` that would be lost
    DatasetError - the data set cannot be read
    OutputError - `output` cannot be written
    TrainingError - the loss is not a number any more
    """
    config = load_experiment(experiment)
    check_writable(output)
    torch.set_num_threads(config.training.threads)
    dataset = load_dataset(config.dataset, data)
    train_set, test_set = (
        LabelledImages(
            torch.from_numpy(split.images.copy()), torch.from_numpy(split.labels.astype(np.int64))
        )
        for split in (dataset.train, dataset.test)
    )
    training = Training(config, output, train_set)
    if resume:
        training.resume()
    elif training.last_path.exists():
        raise CheckpointError(
            f"{training.last_path}: a training lies here already",
            "Go on with it with --resume, or name another output folder.",
        )
    training.run(config.training.epochs, quiet=quiet)
    return training.finish(test_set)
