"""A trained module becomes an integer network: all passes in their order."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import UnsupportedLayerError
from ..network import (
    INPUT,
    Binarise,
    EdgeType,
    MaxPool,
    Network,
    Node,
    Thermometer,
    Threshold,
)
from ..network.golden import GoldenModel
from ..train.layers import InputThermometer
from .fold_thresholds import fold_thresholds
from .head import head_nodes
from .host_input import host_input
from .products import negate, product_node, stage_weights
from .stages import Chain, group_stages, pool_size
from .trace import Layer, probes, trace


def lower(
    module: nn.Module,
    name: str,
    image: EdgeType,
    class_names: Sequence[str] | None = None,
    metadata: dict[str, Any] | None = None,
) -> Network:
    """The integer network that computes what `module` computes in eval.

    Nodes are called ``binarise`` or ``thermometer``, then ``conv1``, ``conv1_bits``, ``conv1_pool``, ... ``dense1``, ``dense1_bits``, ... and at the end ``head``,
    ``scores``, ``label``.

    Parameters
    ----------
    module : Module - built from the project's layers, see `trace`; takes raw pixels as float (n, channel, height, width); left as it is
    name : str - of the network, for example ``mnist_cnn_1w1a``
    image : EdgeType - type and (height, width, channels) of the raw images
    class_names : sequence of str - one per class; None for "0", "1", ...
    metadata : dict - stored in the network as it is

    Raises
    ------
    UnsupportedLayerError - a layer, an order of layers or a module that cannot be lowered exactly
    CheckpointError - a parameter is not finite
    ValueError - another number of class names than classes
    """
    chain = group_stages(trace(module, image))
    n_classes = len(chain.head.product.module.weight)
    names = tuple(str(i) for i in range(n_classes)) if class_names is None else tuple(class_names)
    if len(names) != n_classes:
        raise ValueError(f"Class names must be {n_classes}, not {len(names)}")
    nodes = _nodes(chain, image)
    network = Network(name, image, nodes, 0, "scores", names, dict(metadata or {}))
    _check_scores(module, network, chain)
    return host_input(network)


def encoding_edge(encoding: Layer) -> str:
    """Name of the node that makes bits of pixels: ``binarise`` or ``thermometer``."""
    return "thermometer" if isinstance(encoding.module, InputThermometer) else "binarise"


def pool_names(stage_name: str, pools: Sequence[Layer]) -> tuple[str, ...]:
    """Names of the `MaxPool` nodes behind a stage: ``conv1_pool``, or ``conv1_pool1``, ``conv1_pool2``, ... where there are several."""
    if len(pools) == 1:
        return (f"{stage_name}_pool",)
    return tuple(f"{stage_name}_pool{i + 1}" for i in range(len(pools)))


def _check_scores(module: nn.Module, network: Network, chain: Chain) -> None:
    """The float64 module gives the integer scores times the head's scale factor, to the last bit, on random images."""
    x = probes(network.input_type)
    with torch.no_grad():
        expected = copy.deepcopy(module).cpu().eval().double()(x)
        alpha = chain.head.product.module.alpha
    scores, _ = GoldenModel(network).run(x.permute(0, 2, 3, 1).long())
    if not torch.equal(scores * alpha, expected):
        raise UnsupportedLayerError(
            f"{type(module).__name__} does not compute what its layers' kinds promise",
            "Use the project's layers as they are, without changing their 'forward' in a subclass.",
        )


def _nodes(chain: Chain, image: EdgeType) -> tuple[Node, ...]:
    graph = _Graph(image)
    if chain.encoding is not None:
        graph.append(chain.encoding, _encoding_node(chain.encoding, graph.edge))
        graph.append_pools(graph.edge, chain.input_pools)
    for stage in chain.stages:
        fold = fold_thresholds(stage, graph.x)
        weights = negate(stage_weights(stage, graph.x), fold.complement)
        graph.append(stage.product, product_node(stage, weights, graph.edge))
        bits = Threshold(f"{stage.name}_bits", (graph.edge,), fold.thresholds)
        graph.append(stage.product, bits)
        graph.append_pools(stage.name, stage.pools)
    head = chain.head
    for node in head_nodes(head, stage_weights(head, graph.x), graph.edge, graph.x):
        graph.append(head.product, node)
    return tuple(graph.nodes)


def _encoding_node(encoding: Layer, edge: str) -> Binarise | Thermometer:
    layer = encoding.module
    if isinstance(layer, InputThermometer):
        thresholds = np.array(layer.thresholds, np.int64)
        return Thermometer(encoding_edge(encoding), (edge,), thresholds)
    return Binarise(encoding_edge(encoding), (edge,), layer.threshold)


class _Graph:
    """A chain of nodes that grows at its end: the edge `edge` of type `x`."""

    def __init__(self, image: EdgeType) -> None:
        self.nodes: list[Node] = []
        self.edge = INPUT
        self.x = image

    def append(self, layer: Layer, node: Node) -> None:
        """Appends the node that comes from `layer`, which errors name."""
        try:
            self.x = node.output(self.x)
        except ValueError as error:
            raise UnsupportedLayerError(
                f"layer {layer} cannot be lowered: {error}",
                "Check the layer's parameters against the image size and the layer before it.",
            ) from error
        self.nodes.append(node)
        self.edge = node.name

    def append_pools(self, stage_name: str, pools: Sequence[Layer]) -> None:
        for layer, name in zip(pools, pool_names(stage_name, pools), strict=True):
            self.append(layer, MaxPool(name, (self.edge,), pool_size(layer)))
