"""Training from files to files: an experiment and a data set in, checkpoints and records out."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import torch

from ..datasets import load_dataset
from ..errors import CheckpointError
from ..files import check_writable
from .checkpoint import CHECKPOINT, LAST
from .distillation import load_distillation
from .distributed import joined
from .experiment import TrainingConfig, load_experiment
from .labelled_images import LabelledImages
from .loop import Training
from .training_result import TrainingResult


def train(
    experiment: Path,
    output: Path,
    data: Path | None = None,
    *,
    resume: bool = False,
    quiet: bool = False,
) -> TrainingResult:
    """Trains the network of an experiment file and reports its accuracy.

    Runs on the first CUDA device where there is one, else on the CPU; started by torchrun, on all its processes together, each of which
    returns the same result.

    Parameters
    ----------
    experiment : Path - a TOML file
    output : Path - folder for ``checkpoint.safetensors`` (best epoch), ``last.safetensors`` (for resuming), ``history.json``,
        ``history.svg`` and ``events/``
    data : Path or None - folder of the data set, see `rbonn.sw.datasets.load_dataset`
    resume : bool - go on from ``last.safetensors`` in `output`
    quiet : bool - no progress bar, no line per epoch

    Raises
    ------
    ExperimentError - the experiment file is wrong, or asks for more images apart or a larger batch than there are images
    CheckpointError - nothing to resume, a damaged checkpoint, one of another experiment, a missing teacher, or a training in `output` that
        would be lost
    DatasetError - the data set cannot be read
    OutputError - `output` cannot be written
    TrainingError - the loss or a weight is not a number any more
    KeyboardInterrupt - on Ctrl-C; the state is saved
    """
    with joined() as ranks:
        config = load_experiment(experiment)
        _check_output(output, resume=resume)
        if ranks.is_main:  # several processes would take away each other's trial files
            check_writable(output)
        _configure(config.training)
        if ranks.is_main and not quiet:
            logging.getLogger(__package__).setLevel(logging.INFO)
        dataset = load_dataset(config.dataset, data, config.pictures)
        distillation = load_distillation(config, output)
        training = Training(
            config,
            output,
            LabelledImages.of(dataset.train),
            ranks=ranks,
            distillation=distillation,
        )
        if resume:
            training.resume()
        training.run(quiet=quiet)
        return training.finish(LabelledImages.of(dataset.test))


def _check_output(output: Path, *, resume: bool) -> None:
    """Raises CheckpointError where a new training would overwrite an earlier one."""
    last, best = output / LAST, output / CHECKPOINT
    if resume:
        return
    if last.exists():
        raise CheckpointError(
            f"{last}: a training lies here already",
            "Go on with it with --resume, or name another output folder.",
        )
    if best.exists():
        raise CheckpointError(
            f"{best}: a trained network lies here already, without the state of its training",
            "Name another output folder, or move the file away.",
        )


def _configure(config: TrainingConfig) -> None:
    """Threads and determinism of PyTorch in this process."""
    torch.set_num_threads(config.threads)
    if config.deterministic:
        # cuBLAS reads it when the first handle is made.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(config.deterministic, warn_only=True)
    # Filling memory that is overwritten anyway is for finding bugs.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
