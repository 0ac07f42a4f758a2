"""What each process of `test_distributed.py` runs: python -W error -m torch.distributed.run ... two_processes.py FOLDER."""

import dataclasses
import os
import signal
import sys
import warnings
from pathlib import Path

import safetensors.torch
import torch
from rbonn.sw.train import loop
from rbonn.sw.train.distributed import Ranks, joined
from rbonn.sw.train.experiment import Experiment, StageConfig, TrainingConfig
from rbonn.sw.train.labelled_images import LabelledImages
from rbonn.sw.train.layers import ChannelLastFlatten, RBOLinear
from rbonn.sw.train.networks import MlpConfig
from torch import nn

STAGES = (
    StageConfig(epochs=1, weights="real", weight_decay=1e-4, learning_rate=0.01),
    StageConfig(epochs=2, learning_rate=0.01),
)
EXPERIMENT = Experiment(
    name="two",
    title="two processes",
    dataset="mnist",
    network=MlpConfig(hidden=()),  # replaced
    training=TrainingConfig(stages=STAGES, batch=16, held_out=7, selection=7),
)


class Double(nn.Module):
    def forward(self, x):
        return (x.double() - 128) / 128


def network_without_batch_norm(mode, u0=0.05):
    """In float64, so that the order of sums does not matter: every sample's part of a gradient is the same in a batch of 8 and of 16."""
    options = {"mode": mode, "u0": u0}
    return nn.Sequential(
        Double(),
        ChannelLastFlatten(),
        RBOLinear(784, 12, **options),
        nn.Tanh(),
        RBOLinear(12, 10, **options),
    ).double()


def images(n=110, seed=3):
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (n, 28, 28, 1), generator=generator, dtype=torch.uint8)
    return LabelledImages(pixels, torch.randint(0, 10, (n,), generator=generator))


def trained(mode, output, ranks=None, u0=0.05, accumulation=1):
    """A finished training of the small network."""
    config = dataclasses.replace(EXPERIMENT.training, accumulation=accumulation)
    experiment = dataclasses.replace(EXPERIMENT, training=config)
    loop.new_network = lambda _experiment: network_without_batch_norm(mode, u0)
    training = loop.Training(experiment, output, images(), ranks=ranks or Ranks())
    training.run(quiet=True)
    return training


def state(training):
    """Everything that processes have to agree on, and what shows that the recurrent step fired."""
    tensors = dict(training.network.state_dict())
    tensors |= {f"recurrent.{name}": t for name, t in training.recurrent.state_dict().items()}
    tensors["active_share"] = torch.tensor([r.active_channel_ratio for r in training.history])
    return {name: tensor.contiguous().clone() for name, tensor in tensors.items()}


def interrupt_one(folder, ranks):
    """Trains until the second process alone gets a signal in its fifth step; a file tells that this process stopped, too."""
    loop.new_network = lambda _experiment: network_without_batch_norm("off")
    training = loop.Training(EXPERIMENT, folder, images(), ranks=ranks)
    steps = []

    def interrupt(*_):
        steps.append(1)
        if ranks.rank == 1 and len(steps) == 5:
            os.kill(os.getpid(), signal.SIGINT)

    training.optimiser.register_step_post_hook(interrupt)
    try:
        training.run(quiet=True)
    except KeyboardInterrupt:
        (folder / f"stopped{ranks.rank}").touch()


def overflow_in_one(folder, ranks):
    """Trains until the second process alone has images that overflow; a file keeps what this process was told."""
    loop.new_network = lambda _experiment: network_without_batch_norm("off")
    training = loop.Training(EXPERIMENT, folder, images(), ranks=ranks)
    if ranks.rank == 1:
        training.network[3].register_forward_hook(lambda _m, _i, output: output * torch.nan)
    try:
        training.run(quiet=True)
    except loop.TrainingError as error:
        (folder / f"told{ranks.rank}").write_text(error.message)


def main(folder):
    with joined() as ranks:
        for mode, accumulation in (("paper", 1), ("official", 2)):
            training = trained(mode, folder / mode, ranks, accumulation=accumulation)
            safetensors.torch.save_file(state(training), folder / f"{mode}{ranks.rank}.safetensors")
        del training
        interrupt_one(folder / "signal", ranks)
        overflow_in_one(folder / "overflow", ranks)


if __name__ == "__main__":
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
