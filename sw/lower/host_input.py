"""Last pass: what makes an image smaller before the first product is computed by the host, so that fewer bits travel over the link."""

from __future__ import annotations

from dataclasses import replace

from ..network import Binarise, Network, Thermometer


def host_input(network: Network) -> Network:
    """`network` with a leading `Binarise` or `Thermometer` marked as the host's, where its bits are fewer than the pixels'."""
    first = network.nodes[0]
    is_smaller = network.edges[first.name].bits < network.input_type.bits
    goes = len(network.nodes) > 1 and isinstance(first, Binarise | Thermometer) and is_smaller
    return replace(network, n_host_nodes=int(goes))
