"""The training loop: stages of Adam on latent weights with the recurrent step, the best epoch chosen on images set apart, exact resume.

The order of the images and their augmentation are pure functions of (seed, epoch, index), and checkpoints hold the whole state, also within an
epoch: a training that was stopped, or killed, gives the same bits as one that was not (same PyTorch, kind of device, and number of processes).
"""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path

import torch

from ..errors import ExperimentError
from .averaging import Averaging
from .batches import Batches
from .checkpoint import (
    CHECKPOINT,
    LAST,
    CheckpointFile,
    load_network_tensors,
    network_tensors,
    new_network,
    read_checkpoint,
    remove_leftovers,
    save_checkpoint,
)
from .distillation import Distillation
from .distributed import Ranks
from .evaluation import count_right, recalibrate
from .experiment import Experiment, StageConfig
from .finiteness import NonFiniteError
from .history import EpochRecord, History
from .interruption import Interruption
from .labelled_images import LabelledImages, share_out
from .networks import Network
from .progress import TrainingProgress, say_stopped
from .recurrent import RecurrentOptimisation
from .stages import begin_stage, build_optimiser, learning_rate, set_learning_rate, stage_position
from .step import TrainingStep
from .surroundings import Surroundings
from .training_error import TrainingError, training_error
from .training_record import TrainingRecord
from .training_result import TrainingResult
from .training_state import Position, TrainingState, damage_named, load_best, read_state

__all__ = ["Training", "TrainingError"]

_RECALIBRATION_IMAGES = 5_000
"""Enough for means and variances; ten thousand take a tenth of an epoch of CIFAR-10."""


class Training:
    """One training: network, optimiser, position and history.

    Parameters
    ----------
    experiment : Experiment
    output : Path - folder for all files
    train_set : LabelledImages - parts of it are held out and set apart for selection, drawn by the seed
    ranks : Ranks - this process among those of the training, and its device
    distillation : Distillation or None - the loss, where it is not the cross-entropy with the labels alone

    Members
    -------
    network : Module - neither wrapped nor compiled
    judged : Module - what is measured and kept: the network, or the average of its parameters where the experiment has one
    position : Position

    Raises
    ------
    ExperimentError - too few images, or a batch that does not split over the processes
    """

    def __init__(
        self,
        experiment: Experiment,
        output: Path,
        train_set: LabelledImages,
        *,
        ranks: Ranks | None = None,
        distillation: Distillation | None = None,
    ) -> None:
        config = experiment.training
        self.ranks = ranks = ranks or Ranks()
        if config.batch % (ranks.size * config.accumulation):
            raise ExperimentError(
                f"training.batch: {config.batch} images do not split over {ranks.size} processes in {config.accumulation} parts each",
                "Choose a batch that is a multiple of both, or other numbers of processes and parts.",
            )
        self.experiment = experiment
        self.config = config
        self.output = output
        self.last_path = output / LAST
        self.best_path = output / CHECKPOINT
        self._images = train_set.fingerprint()
        self.parts = share_out(train_set, config)
        self.batches = Batches(
            self.parts.training,
            experiment.augmentation,
            batch=config.batch,
            seed=config.seed,
            ranks=ranks,
        )
        torch.manual_seed(config.seed)
        self.network = new_network(experiment)
        self.network.to(ranks.device, memory_format=torch.channels_last)  # type: ignore[call-overload] - not in PyTorch's stubs
        self._teacher = distillation.fingerprint if distillation else None
        self._step = TrainingStep(self.network, config, ranks, distillation)
        self.position = Position()
        self._kept: Position | None = None  # that of the state on the disk
        self.history = History()
        self._stage_index = 0
        self._begin_stage(0)

    @property
    def stage(self) -> StageConfig:
        return self.config.stages[self._stage_index]

    @property
    def judged(self) -> Network:
        return self.averaging.network if self.averaging else self.network

    @property
    def _state(self) -> TrainingState:
        parts = (self.network, self.optimiser, self.recurrent, self.averaging)
        return TrainingState(*parts, self.ranks.device)

    def _begin_stage(self, index: int) -> None:
        """Layers in the form of stage `index`, a fresh optimiser and average, and gradients averaged over the processes."""
        self._stage_index = index
        begin_stage(self.network, self.config.stages, index)
        self.optimiser = build_optimiser(self.network, self.stage, self.config)
        self.recurrent = RecurrentOptimisation(self.optimiser, self.network)
        decay = self.config.averaging
        self.averaging = None if decay is None else Averaging(self.network, decay)
        # With real weights nothing reads the scale factors.
        self._step.begin_stage(some_unused=self.stage.weights == "real")

    def run(self, last_epoch: int | None = None, *, quiet: bool) -> None:
        """Trains up to and including epoch `last_epoch`, counted from 1; None for the experiment's last.

        Raises
        ------
        TrainingError - the loss or a weight is not a number any more; the latest checkpoint is from before
        OutputError - a checkpoint cannot be written; the one before it is whole
        KeyboardInterrupt, SystemExit - on Ctrl-C or SIGTERM, after the step that runs; the state is saved
        """
        last_epoch = self.config.epochs if last_epoch is None else last_epoch
        try:
            self._run(last_epoch, quiet=quiet or not self.ranks.is_main)
        except (KeyboardInterrupt, SystemExit):
            if self.ranks.is_main:
                say_stopped(self._kept, self.last_path)
            raise

    def _run(self, last_epoch: int, *, quiet: bool) -> None:
        steps = self.batches.per_epoch
        done = self.position.epoch * steps + self.position.step
        with (
            Interruption(patient=self.ranks.size > 1) as interruption,
            TrainingProgress(
                self.experiment.name, self.config.epochs, steps, done, quiet=quiet
            ) as progress,
            TrainingRecord(
                self.output, self.history, self.experiment.title, writes=self.ranks.is_main
            ) as record,
        ):
            while self.position.epoch < last_epoch:
                self._train_epoch(progress, interruption)
                self._finish_epoch(progress, record)
                if self.ranks.any(interruption.requested):
                    interruption.obey()

    def _train_epoch(self, progress: TrainingProgress, interruption: Interruption) -> None:
        """The steps of the present epoch that are left. Raises as `run`."""
        position = self.position
        self._clock = self._saved = time.monotonic()
        self.network.train()
        for batch in self.batches.epoch(position.epoch, position.step):
            set_learning_rate(self.optimiser, self._rate(position.step))
            try:
                loss, n_right = self._step(batch, self.optimiser)
            except NonFiniteError as error:
                name, rate = self.experiment.name, self.stage.learning_rate
                raise training_error(error, name, position, rate, self.last_path) from error
            if self.averaging:
                self.averaging.update()
            position.add_step(loss, n_right)
            progress.step()
            minutes = (time.monotonic() - self._saved) / 60
            interrupted = self.ranks.any(interruption.requested)
            if interrupted or minutes >= self.config.checkpoint_minutes:
                self._save_last()
            if interrupted:
                interruption.obey()

    def _rate(self, step: int) -> float:
        """The learning rate at a step of the present epoch."""
        share = step / self.batches.per_epoch
        return learning_rate(self.config.stages, self.position.epoch, share)

    def _finish_epoch(self, progress: TrainingProgress, record: TrainingRecord) -> None:
        """Measures the epoch, keeps its network where it is the best one, and saves the state for a resume."""
        position = self.position
        recalibrate(self.judged, self.parts.training.images[:_RECALIBRATION_IMAGES])
        selection = self.share_right(self.parts.selection)
        self._tick()
        entry = EpochRecord(
            epoch=position.epoch + 1,
            stage=self._stage_index,
            loss=position.loss_sum / self.batches.per_epoch,
            train_accuracy=position.n_right / (self.batches.per_epoch * self.config.batch),
            selection_accuracy=selection,
            learning_rate=self._rate(0),
            sign_flip_ratio=self.recurrent.sign_flips(),
            active_channel_ratio=self.recurrent.active_share(),
            seconds=position.epoch_seconds,
        )
        self.history.append(entry)
        position.next_epoch()
        # A network with real weights is no result.
        if self.stage.weights == "binary" and selection >= position.selection_accuracy:
            position.best_epoch, position.selection_accuracy = position.epoch, selection
            self._save_best()
        index = stage_position(self.config.stages, position.epoch).index
        if index != self._stage_index:
            self._begin_stage(index)
        self._save_last()
        record.add_last()
        progress.epoch(entry, position)

    def share_right(self, images: LabelledImages) -> float:
        """The accuracy of the judged network on `images`, of which each process looks at its share."""
        own = slice(self.ranks.rank, None, self.ranks.size)
        n_right = count_right(self.judged, images.images[own], images.labels[own])
        return self.ranks.sums([n_right])[0] / len(images)

    def resume(self) -> None:
        """Takes up the state in `last_path`. Raises CheckpointError as `read_state` does, and where the best epoch's network is lost."""
        made_with = (self.experiment, self._teacher, Surroundings.of(self.ranks, self._images))
        contents = read_state(self.last_path, *made_with, warns=self.ranks.is_main)
        if self.ranks.is_main:
            remove_leftovers(self.last_path, self.best_path)
        with damage_named(self.last_path):
            self.position = Position.of(contents.results)
            self._kept = replace(self.position)
            self.history = History.from_json(contents.results["history"])
            index = stage_position(self.config.stages, self.position.epoch).index
            if index:
                self._begin_stage(index)
            if self.position.best_epoch:  # found out now, not when the last epoch is done
                load_best(self.network, self.best_path, self.experiment)
            self._state.load(contents.tensors, self.last_path)

    def finish(self, test_set: LabelledImages) -> TrainingResult:
        """Measures the best epoch's network on the held-out images and on the test set, and notes the result in its checkpoint."""
        contents = read_checkpoint(self.best_path)
        begin_stage(self.judged, self.config.stages, len(self.config.stages) - 1)
        load_network_tensors(self.judged, contents.tensors, self.best_path)
        held_out, test = self.share_right(self.parts.held_out), self.share_right(test_set)
        result = TrainingResult.of(
            self.best_path,
            self.position,
            (held_out, len(self.parts.held_out)),
            (test, len(test_set)),
        )
        if self.ranks.is_main:
            results = asdict(result) | {"epoch": result.best_epoch, "epochs": self.config.epochs}
            del results["checkpoint"]
            save_checkpoint(
                self.best_path, CheckpointFile(self.experiment, results, contents.tensors)
            )
        return result

    def _save_best(self) -> None:
        if self.ranks.is_main:
            results = {
                "epoch": self.position.epoch,
                "epochs": self.config.epochs,
                "selection_accuracy": self.position.selection_accuracy,
                "seconds": self.position.seconds,
            }
            tensors = network_tensors(self.judged)
            save_checkpoint(self.best_path, CheckpointFile(self.experiment, results, tensors))

    def _save_last(self) -> None:
        self._tick()
        if self.ranks.is_main:
            results = {"history": self.history.to_json(), "teacher": self._teacher}
            results |= self.position.results()
            results |= Surroundings.of(self.ranks, self._images).results()
            tensors = self._state.tensors()
            save_checkpoint(self.last_path, CheckpointFile(self.experiment, results, tensors))
        self._saved, self._kept = time.monotonic(), replace(self.position)

    def _tick(self) -> None:
        """Adds the time since the last call to the position's."""
        now = time.monotonic()
        self.position.epoch_seconds += now - self._clock
        self.position.seconds += now - self._clock
        self._clock = now
