"""Last pass: a leading `Binarise` is computed by the host, so that an image travels over the link as one bit per pixel."""

from __future__ import annotations

from dataclasses import replace

from ..network import Binarise, Network


def host_input(network: Network) -> Network:
    """`network` with a leading `Binarise` marked as the host's; unchanged where there is none."""
    starts_with_bits = len(network.nodes) > 1 and isinstance(network.nodes[0], Binarise)
    return replace(network, n_host_nodes=int(starts_with_bits))
