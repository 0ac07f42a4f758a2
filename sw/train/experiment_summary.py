"""What the network of an experiment consists of, before anything is trained."""

from __future__ import annotations

from .checkpoint import new_network
from .experiment import Experiment
from .networks.summary import Summary, summary


def experiment_summary(experiment: Experiment) -> Summary:
    """Layers, shapes, parameters, multiply-accumulates and memory for one image of the experiment's data set."""
    return summary(new_network(experiment), experiment.image)
