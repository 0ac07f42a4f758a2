"""A training that kills itself, for `test_resume.py`: python killed_training.py FOLDER step|write N."""

import os
import signal
import sys
from pathlib import Path

import safetensors.torch
import torch
from rbonn.sw.train import loop
from rbonn.sw.train.augmentation import AugmentationConfig
from rbonn.sw.train.experiment import Experiment, StageConfig, TrainingConfig
from rbonn.sw.train.labelled_images import LabelledImages
from rbonn.sw.train.networks import CnnConfig, ConvConfig

EXPERIMENT = Experiment(
    name="killed",
    title="killed",
    dataset="mnist",
    network=CnnConfig(convolutions=(ConvConfig(channels=4, pool=2), ConvConfig(channels=6))),
    training=TrainingConfig(
        stages=(
            StageConfig(epochs=1, weights="real", weight_decay=1e-4),
            StageConfig(epochs=2, decay="linear"),
        ),
        batch=8,
        held_out=5,
        selection=5,
        checkpoint_minutes=3,
    ),
    augmentation=AugmentationConfig(shift_pixels=1, rotation_degrees=5),
)
STEPS_PER_EPOCH = 11


def images():
    generator = torch.Generator().manual_seed(5)
    pixels = torch.randint(0, 256, (100, 28, 28, 1), generator=generator, dtype=torch.uint8)
    return LabelledImages(pixels, torch.randint(0, 10, (100,), generator=generator))


class Clock:
    """A clock by which each step takes a minute: with `checkpoint_minutes` 3, every third step of an epoch is saved."""

    def __init__(self):
        self.minutes = 0

    def monotonic(self):
        return 60.0 * self.minutes


def start(folder, clock, on_step=lambda n: None):
    """A training in `folder`, resumed where one lies there; `on_step(n)` is called when its n-th step has changed the weights."""
    torch.manual_seed(os.getpid() + clock.minutes)  # what was drawn before must not matter
    training = loop.Training(EXPERIMENT, folder, images())
    begin_stage = training._begin_stage

    def count(*_):
        clock.minutes += 1
        on_step(clock.minutes)

    def begin(index):
        begin_stage(index)
        training.optimiser.register_step_post_hook(count)

    training._begin_stage = begin
    training.optimiser.register_step_post_hook(count)
    if training.last_path.exists():
        training.resume()
    return training


def main():
    folder, where, last = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    loop.time = clock = Clock()
    save_file = safetensors.torch.save_file

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def write_half(tensors, path, metadata):
        save_file(tensors, path, metadata=metadata)
        os.truncate(path, path.stat().st_size // 2)
        die()

    def on_step(n):
        if n == last and where == "step":
            die()
        if n == last:
            safetensors.torch.save_file = write_half

    start(folder, clock, on_step).run(quiet=True)


if __name__ == "__main__":
    main()
