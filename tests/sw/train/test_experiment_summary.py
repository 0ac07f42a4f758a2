"""The summary of an experiment is that of the network it would train."""

from rbonn.sw.train.experiment import find_experiment, load_experiment
from rbonn.sw.train.experiment_summary import experiment_summary


def test_the_summary_is_of_the_experiments_network_and_data_set():
    total = experiment_summary(load_experiment(find_experiment("mnist_mlp_1w1a"))).total
    assert total.binary_parameters == 784 * 96 + 96 * 64 + 64 * 10
    assert total.output_shape == (10,)
