"""What a lowered network is compared with: the integer nodes in NumPy int64, and that only what may saturate does."""

import numpy as np
from rbonn.sw.network import Add, Affine, Bipolar, PReLU

from ..network.integer_reference import network_reference


def run(network, images):
    """Every edge, (n, height, width, channels) int64, of raw images."""
    edges, saturations = network_reference(network, images)
    for node in network.nodes:
        out, edge = edges[node.name], network.edges[node.name]
        assert isinstance(node, Affine | PReLU | Add) or saturations[node.name] == 0
        assert out.shape[1:] == edge.shape
        assert not isinstance(edge.datatype, Bipolar) or set(np.unique(out)) <= {-1, 1}
    return edges
