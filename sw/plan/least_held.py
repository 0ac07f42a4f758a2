"""What FIFOs beside long branches hold in any folding: bounds for a search that does not know the schedule yet.

Before a join takes the first transfer of pixel j, the late branch must have had all pixels that j depends on, of which the early branch keeps what no pixel
before j needed. That follows from kernels, strides and borders alone; foldings and windows that wait for whole rows only add to it. So no depth that `skip_depths` computes
is less, and for whole windows it is the live depth itself.
"""

from __future__ import annotations

import numpy as np

from ...boards.board import Board
from ..build.elaborate import SHALLOW
from ..build.skips import Skip
from ..network import (
    Add,
    Affine,
    AvgPool,
    ConcatChannels,
    Conv,
    GlobalAvgPool,
    MaxPool,
    Network,
    Node,
    PReLU,
    Threshold,
)
from .joints import SkipFifo
from .resources import Resources


def least_cost(fifo: SkipFifo, held: int, lanes: int, board: Board) -> Resources:
    """What `fifo` takes at least of each resource if it holds `held` elements or more, `lanes` per transfer.

    A deeper one is never smaller, but that from `SHALLOW` places on block RAM takes the place of lookup tables.
    """
    shallow = fifo.cost(lanes, held, board)
    deep = fifo.cost(lanes, max(held, (SHALLOW + 1) * lanes), board)
    return Resources(
        min(shallow.lut4, deep.lut4),
        min(shallow.ff, deep.ff),
        min(shallow.block_rams, deep.block_rams),
        min(shallow.dsp, deep.dsp),
        min(shallow.carries, deep.carries),
    )


def least_held(network: Network, skip: Skip, lanes: int) -> int:
    """Elements that the FIFO of `skip` holds at least, whatever the foldings, `lanes` of them per transfer of the fork."""
    fork = _fork_of(network, skip)
    n_channels = network.edges[skip.edge].shape[2]
    late = _needed(network, skip.late, fork)
    put_by = _needed(network, skip.edge, fork)
    # A window on the early branch may take whole rows before it gives anything.
    asked = _needed(network, skip.early, skip.edge, whole_rows=True)
    left = n_channels * np.concatenate([[0], asked[:-1]])
    if _is_one_to_one(network, skip.edge, fork):
        # All transfers but the last, which the fork may still be offering; only products need all channels of a pixel.
        last = lanes if _has_product(network, skip.late, fork) else n_channels
        put = late * n_channels - last
    else:
        put = np.searchsorted(put_by, late - 1, side="right") * n_channels
    return max(int((put - left).max()), 0)


def _fork_of(network: Network, skip: Skip) -> str:
    """The edge that both branches come from."""
    above, edges = set(), [skip.late]
    while edges:
        edge = edges.pop()
        node = network.producer(edge)
        if edge not in above and node is not None:
            edges += node.inputs
        above.add(edge)
    edge = skip.early
    while edge not in above:
        edge = _producer(network, edge).inputs[0]
    return edge


def _producer(network: Network, edge: str) -> Node:
    node = network.producer(edge)
    assert node is not None, "a branch begins behind the image"
    return node


def _is_one_to_one(network: Network, edge: str, start: str) -> bool:
    """Whether each transfer of `start` becomes one of `edge`."""
    while edge != start:
        node = _producer(network, edge)
        if not isinstance(node, Affine | PReLU | Threshold):
            return False
        edge = node.inputs[0]
    return True


def _has_product(network: Network, edge: str, start: str) -> bool:
    """Whether each element of `edge` depends on all channels of a pixel of `start`."""
    if edge == start:
        return False
    node = _producer(network, edge)
    return isinstance(node, Conv) or all(_has_product(network, i, start) for i in node.inputs)


def _needed(network: Network, edge: str, start: str, *, whole_rows: bool = False) -> np.ndarray:
    """Pixels of `start`, in raster order, that must be there before each pixel of `edge` can be complete: int64 (pixels of `edge`,).

    With `whole_rows` those that may be there, where windows wait for the rows that they look at.
    """
    if edge == start:
        height, width, _ = network.edges[start].shape
        return np.arange(1, height * width + 1)
    node = _producer(network, edge)
    source = node.inputs[0]
    if isinstance(node, Add):
        return np.maximum.reduce(
            [_needed(network, i, start, whole_rows=whole_rows) for i in node.inputs]
        )
    before = _needed(network, source, start, whole_rows=whole_rows)
    if isinstance(node, Affine | PReLU | Threshold | ConcatChannels):
        return before
    in_height, in_width, _ = network.edges[source].shape
    out_height, out_width, _ = network.edges[edge].shape
    below, right, stride = _reach(node, in_height, in_width)
    if whole_rows and isinstance(node, Conv) and (node.kernel != (1, 1) or stride > 1):
        right = in_width - 1
    rows = np.minimum(np.arange(out_height) * stride + below, in_height - 1)
    columns = np.minimum(np.arange(out_width) * stride + right, in_width - 1)
    last = (rows[:, None] * in_width + columns).ravel()
    return np.maximum.accumulate(before[last])


def _reach(node: Node, height: int, width: int) -> tuple[int, int, int]:
    """Rows and columns from a window's place to its last one, and from window to window."""
    if isinstance(node, Conv):
        below, right = (size - 1 - node.padding for size in node.kernel)
        return below, right, node.stride
    if isinstance(node, MaxPool | AvgPool):
        return node.size - 1, node.size - 1, node.size
    assert isinstance(node, GlobalAvgPool), f"{node.kind} on a branch"
    return height - 1, width - 1, 1
