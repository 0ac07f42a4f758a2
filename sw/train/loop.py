"""The training loop: Adam on latent weights, RBONN's bilinear term, the best epoch chosen on held-out images, exact resume.

The order of the images and their augmentation are pure functions of (seed, epoch, index), and the state after each epoch is written
whole, so a training that was stopped gives the same bits as one that was not (with the same PyTorch and number of threads).
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import CheckpointError, ExperimentError, RbonnError
from .augmentation import augment, hash_integers
from .checkpoint import (
    CHECKPOINT,
    LAST,
    CheckpointFile,
    load_network_tensors,
    network_tensors,
    new_network,
    read_checkpoint,
    save_checkpoint,
)
from .evaluation import accuracy, pixels, recalibrate
from .experiment import Experiment
from .layers import BinaryLayer
from .progress import TrainingProgress

_RECALIBRATION_IMAGES = 10_000
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


class TrainingError(RbonnError):
    """A training cannot go on: its loss is not a number any more."""


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a training gave.

    Parameters
    ----------
    checkpoint : Path - the network of the best epoch
    best_epoch : int - counted from 1
    held_out_accuracy, test_accuracy : float - shares; the test set was used once, after the last epoch
    test_images : int
    seconds : float - of training, all resumed parts together
    """

    checkpoint: Path
    best_epoch: int
    held_out_accuracy: float
    test_accuracy: float
    test_images: int
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImages:
    """`images` (n, height, width, channels) uint8 and `labels` (n,) int64, as tensors."""

    images: Tensor
    labels: Tensor

    def part(self, indices: Tensor) -> LabelledImages:
        return LabelledImages(self.images[indices], self.labels[indices])


class Training:
    """One training: network, optimiser, position and best epoch so far.

    Parameters
    ----------
    experiment : Experiment
    output : Path - folder for ``checkpoint.safetensors`` and ``last.safetensors``
    train_set : LabelledImages - `experiment.training.held_out` of them, drawn by the seed, choose the best epoch

    Raises
    ------
    ExperimentError - too few images for the held-out ones and one batch
    """

    def __init__(self, experiment: Experiment, output: Path, train_set: LabelledImages) -> None:
        config = experiment.training
        n_images = len(train_set.labels)
        if n_images - config.held_out < config.batch:
            raise ExperimentError(
                f"training: {n_images} images are too few for {config.held_out} held out and batches of {config.batch}",
                "Make held_out or batch smaller.",
            )
        self.experiment = experiment
        self.config = config
        self.last_path = output / LAST
        self.best_path = output / CHECKPOINT
        shuffled = torch.randperm(n_images, generator=_generator(config.seed, 0))
        self.held_out = train_set.part(shuffled[: config.held_out])
        self.images = train_set.part(shuffled[config.held_out :])
        torch.manual_seed(config.seed)
        self.network = new_network(experiment)
        self.network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - not in PyTorch's stubs
        self.binary_layers = [m for m in self.network.modules() if isinstance(m, BinaryLayer)]
        self.optimiser = torch.optim.Adam(self.network.parameters(), config.learning_rate)
        self.steps_per_epoch = len(self.images.labels) // config.batch
        self.epoch = 0
        self.best_epoch = 0
        self.best_accuracy = -1.0
        self.seconds = 0.0

    def run(self, last_epoch: int, *, quiet: bool) -> None:
        """Trains up to and including epoch `last_epoch`, counted from 1."""
        n_steps = self.config.epochs * self.steps_per_epoch
        done = self.epoch * self.steps_per_epoch
        with TrainingProgress(self.experiment.name, n_steps, done, quiet=quiet) as progress:
            while self.epoch < last_epoch:
                start = time.monotonic()
                loss = self._train_epoch(progress)
                recalibrate(self.network, self.images.images[:_RECALIBRATION_IMAGES])
                held_out = accuracy(self.network, self.held_out.images, self.held_out.labels)
                self.epoch += 1
                self.seconds += time.monotonic() - start
                if held_out >= self.best_accuracy:
                    self.best_epoch, self.best_accuracy = self.epoch, held_out
                    self._save(self.best_path, {})
                self._save(self.last_path, self._training_tensors())
                progress.epoch(
                    f"epoch {self.epoch}/{self.config.epochs}: loss {loss:.4f}, held out {100 * held_out:.2f} % "
                    f"(best {100 * self.best_accuracy:.2f} %), {time.monotonic() - start:.1f} s"
                )

    def _train_epoch(self, progress: TrainingProgress) -> float:
        """One pass over the training images; the mean loss."""
        config = self.config
        self.network.train()
        order = torch.randperm(
            len(self.images.labels), generator=_generator(config.seed, self.epoch + 1)
        )
        total = 0.0
        for step in range(self.steps_per_epoch):
            indices = order[step * config.batch : (step + 1) * config.batch]
            for group in self.optimiser.param_groups:
                group["lr"] = config.learning_rate * self._decay(step)
            loss = self._step(indices)
            if not math.isfinite(loss):
                raise TrainingError(
                    f"{self.experiment.name}: the loss is {loss} in step {step + 1} of epoch {self.epoch + 1}",
                    f"Lower training.learning_rate (it is {config.learning_rate}) and train again.",
                )
            total += loss
            progress.step()
        return total / self.steps_per_epoch

    def _step(self, indices: Tensor) -> float:
        """One step of the optimiser on the images at `indices`; the loss, bilinear term included."""
        images = pixels(self.images.images[indices])
        if self.experiment.augmentation.active:
            images = augment(
                images,
                indices,
                config=self.experiment.augmentation,
                seed=self.config.seed,
                epoch=self.epoch,
            ).contiguous(memory_format=torch.channels_last)
        loss = functional.cross_entropy(
            self.network(images),
            self.images.labels[indices],
            label_smoothing=self.config.label_smoothing,
        )
        for layer in self.binary_layers:
            if layer.lam:
                loss = loss + layer.bilinear_loss()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        for layer in self.binary_layers:
            layer.limit_weights()
        return float(loss.detach())

    def _decay(self, step: int) -> float:
        """The learning rate's factor at a step of the present epoch: 1 at the very start, 0 just after the end."""
        share = (self.epoch + step / self.steps_per_epoch) / self.config.epochs
        return 1 - share if self.config.decay == "linear" else 0.5 * (1 + math.cos(math.pi * share))

    def resume(self) -> None:
        """Takes up the state in `last_path`. Raises CheckpointError where it is missing, damaged or of another experiment."""
        if not self.last_path.exists():
            raise CheckpointError(
                f"{self.last_path}: nothing to resume, no epoch was finished there",
                "Start the training without --resume.",
            )
        contents = read_checkpoint(self.last_path)
        if contents.experiment != self.experiment:
            raise CheckpointError(
                f"{self.last_path}: made by an experiment with another {_first_difference(contents.experiment, self.experiment)}",
                "Resume with the experiment file that started the training, or name another output folder.",
            )
        load_network_tensors(self.network, contents.tensors, self.last_path)
        try:
            for name, parameter in self.network.named_parameters():
                self.optimiser.state[parameter] = {
                    moment: contents.tensors[f"optimiser.{name}.{moment}"] for moment in _MOMENTS
                }
            torch.set_rng_state(contents.tensors["random_state"])
            self.epoch = int(contents.results["epoch"])
            self.best_epoch = int(contents.results["best_epoch"])
            self.best_accuracy = float(contents.results["held_out_accuracy"])
            self.seconds = float(contents.results["seconds"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                f"{self.last_path}: not the state of a training ({error})",
                "Train again in another output folder.",
            ) from error

    def finish(self, test_set: LabelledImages) -> TrainingResult:
        """Measures the best epoch's network on the test set, once, and notes the result in its checkpoint."""
        contents = read_checkpoint(self.best_path)
        load_network_tensors(self.network, contents.tensors, self.best_path)
        test_accuracy = accuracy(self.network, test_set.images, test_set.labels)
        results = self._results() | {
            "epoch": self.best_epoch,
            "test_accuracy": test_accuracy,
            "test_images": len(test_set.labels),
        }
        save_checkpoint(self.best_path, CheckpointFile(self.experiment, results, contents.tensors))
        return TrainingResult(
            self.best_path,
            self.best_epoch,
            self.best_accuracy,
            test_accuracy,
            len(test_set.labels),
            self.seconds,
        )

    def _results(self) -> dict[str, float]:
        return {
            "epoch": self.epoch,
            "epochs": self.config.epochs,
            "best_epoch": self.best_epoch,
            "held_out_accuracy": self.best_accuracy,
            "seconds": round(self.seconds, 1),
        }

    def _save(self, path: Path, more: dict[str, Tensor]) -> None:
        tensors = network_tensors(self.network) | more
        save_checkpoint(path, CheckpointFile(self.experiment, self._results(), tensors))

    def _training_tensors(self) -> dict[str, Tensor]:
        """The optimiser's moments and the random state: what a resume needs beside the network."""
        tensors = {"random_state": torch.get_rng_state()}
        for name, parameter in self.network.named_parameters():
            for moment in _MOMENTS:
                value = self.optimiser.state[parameter][moment]
                tensors[f"optimiser.{name}.{moment}"] = value.contiguous()
        return tensors


def _generator(seed: int, stream: int) -> torch.Generator:
    """A generator of its own for each (seed, stream): stream 0 chooses the held-out images, stream n orders epoch n."""
    return torch.Generator().manual_seed(hash_integers(seed, stream))


def _first_difference(made_by: Experiment, asked: Experiment) -> str:
    """The first part in which two experiments differ: ``name (a, not b)``, one level down where it is a table."""
    for key, old in asdict(made_by).items():
        new = asdict(asked)[key]
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            for name in old.keys() | new.keys():
                if old.get(name) != new.get(name):
                    return f"{key}.{name} ({old.get(name)}, not {new.get(name)})"
        return f"{key} ({old}, not {new})"
    return "schema"
