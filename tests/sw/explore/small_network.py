"""A network that is planned in a moment, as if trained on some data set."""

from dataclasses import replace

from rbonn.sw.network import Network

from ...random_networks import ConvShape, random_network


def small_network(
    *, channels: int = 4, accuracy: float | None = 0.9, seed: int = 0, name: str = ""
) -> Network:
    """A convolution and a dense layer on 6 x 6 pixels, of a data set called "squares"."""
    network = random_network(
        (6, 6, 1), [ConvShape(channels, padding=1, pool=2)], n_classes=3, seed=seed
    )
    metadata = {"dataset": "squares"}
    if accuracy is not None:
        metadata["accuracy_integer"] = accuracy
    return replace(network, name=name or network.name, metadata=metadata)
