"""`rbonn.sw.build.skips`: where the FIFOs beside long branches go."""

from dataclasses import replace

import numpy as np
import pytest
from rbonn.sw.build.skips import Skip, find_skips
from rbonn.sw.errors import UnsupportedLayerError
from rbonn.sw.network import Add, PReLU

from ...random_residual_networks import BlockShape, random_residual_network

NETWORK = random_residual_network(
    (8, 8, 1),
    [BlockShape(4), BlockShape(8, 2), BlockShape(16, 2, "conv1x1"), BlockShape(16)],
)


def test_the_branch_without_a_window_is_early_and_its_fifo_lies_where_the_fewest_bits_pass() -> (
    None
):
    assert find_skips(NETWORK) == {
        "block1_add": Skip("block1_affine", "stem_affine", "stem_affine", "block1_add"),
        # A sum of four pixels has two bits more than their mean, and the copies are twice as many.
        "block2_add": Skip("block2_affine", "block2_copies", "block2_mean", "block2_copies"),
        "block3_add": Skip("block3_affine", "block3_scaled", "block3_mean", "block3_conv1x1"),
        "block4_add": Skip("block4_affine", "block3_prelu", "block3_prelu", "block4_add"),
    }


def test_the_order_of_the_branches_does_not_matter() -> None:
    nodes = tuple(
        replace(node, inputs=node.inputs[::-1]) if isinstance(node, Add) else node
        for node in NETWORK.nodes
    )
    assert find_skips(replace(NETWORK, nodes=nodes)) == find_skips(NETWORK)


def test_branches_that_both_have_sums_of_their_own_are_refused() -> None:
    plain = random_residual_network((8, 8, 1), [])
    *before, pool, features, head, scores, label = plain.nodes
    stream = before[-1].name
    ones = np.ones(plain.edges[stream].shape[2], np.int64)
    nodes = list(before)
    for side in ("left", "right"):
        nodes.append(PReLU(f"{side}_prelu", (stream,), ones, 0))
        nodes.append(Add(side, (f"{side}_prelu", stream)))
    nodes += [Add("both", ("left", "right")), replace(pool, inputs=("both",))]
    network = replace(plain, nodes=(*nodes, features, head, scores, label))
    with pytest.raises(
        UnsupportedLayerError,
        match=r"Layer both \(Add\) adds left and right, which are no branches of one edge",
    ):
        find_skips(network)
