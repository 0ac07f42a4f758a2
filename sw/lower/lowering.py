"""A trained module becomes an integer network: all passes in their order."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import UnsupportedLayerError
from ..network import EdgeType, Network, Node, Threshold
from ..network.golden import GoldenModel
from .encoding import encoding_node
from .fold_thresholds import fold_thresholds
from .graph_builder import GraphBuilder
from .head import head_nodes
from .host_input import host_input
from .merged_run import run_merged
from .products import negate, product_node, stage_weights
from .residual_form import MergedNetwork, merge_constants
from .residual_nodes import residual_nodes
from .residual_stages import group_residual, is_residual
from .stages import Chain, group_stages
from .stream_format import FixedPoint, choose_format, measure_ranges
from .trace import Layer, probes, trace

MERGE_TOLERANCE = 1e-9
"""Part of the largest score by which the merged network may differ from the trained one, both in float64."""


def lower(
    module: nn.Module,
    name: str,
    image: EdgeType,
    class_names: Sequence[str] | None = None,
    metadata: dict[str, Any] | None = None,
    *,
    calibration: np.ndarray | None = None,
    fixed_point: FixedPoint | None = None,
) -> Network:
    """The integer network that computes what `module` computes in eval.

    Chains are exact: their nodes are called ``binarise`` or ``thermometer``, then ``conv1``, ``conv1_bits``, ``conv1_pool``, ... ``dense1``, ``dense1_bits``, ...
    and at the end ``head``, ``scores``, ``label``. Networks of `Block` hold their residual stream in fixed point, see `residual_nodes`; their
    metadata say in ``fixed_point`` with which numbers.

    Parameters
    ----------
    module : Module - built from the project's layers, see `trace`; takes raw pixels as float (n, channel, height, width); left as it is
    name : str - of the network, for example ``mnist_cnn_1w1a``
    image : EdgeType - type and (height, width, channels) of the raw images
    class_names : sequence of str - one per class; None for "0", "1", ...
    metadata : dict - stored in the network as it is
    calibration : (n, height, width, channels) raw pixels - training images on which the ranges of a residual network are measured; chains need none
    fixed_point : FixedPoint or None - widths of a residual network's numbers; None: the defaults, nothing that a chain has

    Raises
    ------
    UnsupportedLayerError - a layer, an order of layers or a module that cannot be lowered exactly; ranges that the wanted format does not
        hold; a residual network without calibration images, or a chain with a fixed-point format
    CheckpointError - a parameter is not finite
    ValueError - another number of class names than classes
    """
    layers = trace(module, image)
    if is_residual(layers):
        nodes, n_classes, numbers = _lower_residual(module, layers, image, calibration, fixed_point)
        metadata = {**(metadata or {}), "fixed_point": numbers}
        chain = None
    else:
        if fixed_point is not None:
            raise UnsupportedLayerError(
                f"{type(module).__name__} has no residual stream, so it has no fixed-point format",
                "Leave the widths out: everything between the bits of this network is exact.",
            )
        chain = group_stages(layers)
        nodes, n_classes = _chain_nodes(chain, image), len(chain.head.product.module.weight)
    names = tuple(str(i) for i in range(n_classes)) if class_names is None else tuple(class_names)
    if len(names) != n_classes:
        raise ValueError(f"Class names must be {n_classes}, not {len(names)}")
    network = Network(name, image, nodes, 0, "scores", names, dict(metadata or {}))
    if chain is not None:
        _check_scores(module, network, chain)
    return host_input(network)


def _lower_residual(
    module: nn.Module,
    layers: tuple[Layer, ...],
    image: EdgeType,
    calibration: np.ndarray | None,
    fixed_point: FixedPoint | None,
) -> tuple[tuple[Node, ...], int, dict[str, Any]]:
    """The nodes, the number of classes, and the numbers chosen."""
    merged = merge_constants(group_residual(layers))
    _check_merged(module, merged, image)
    if calibration is None or not len(calibration):
        raise UnsupportedLayerError(
            f"{type(module).__name__} has a residual stream, whose ranges have to be measured",
            "Name the data set that it was trained on: its training images are used.",
        )
    wanted = fixed_point or FixedPoint()
    ranges = measure_ranges(merged, calibration)
    stream = choose_format(ranges, wanted, merged.largest_scale)
    nodes, score_fraction = residual_nodes(merged, image, stream, ranges, wanted.head_bits)
    numbers = {
        **asdict(wanted),
        "stream_fraction": stream.fraction,
        "score_fraction": score_fraction,
        "calibration_images": ranges.n_images,
    }
    return nodes, len(merged.weights), numbers


def _check_merged(module: nn.Module, merged: MergedNetwork, image: EdgeType) -> None:
    """The float64 module gives the merged network's scores on random images, but for the order of roundings."""
    x = probes(image)
    expected = _float64_scores(module, x)
    scores = run_merged(merged, x)["scores"]
    if not torch.allclose(scores, expected, rtol=0, atol=MERGE_TOLERANCE * float(expected.abs().max())):  # fmt: skip
        raise _other_computation(module)


def _check_scores(module: nn.Module, network: Network, chain: Chain) -> None:
    """The float64 module gives the integer scores times the head's scale factor, to the last bit, on random images."""
    x = probes(network.input_type)
    scores, _ = GoldenModel(network).run(x.permute(0, 2, 3, 1).long())
    if not torch.equal(
        scores * chain.head.product.module.alpha.detach(), _float64_scores(module, x)
    ):
        raise _other_computation(module)


def _float64_scores(module: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return copy.deepcopy(module).cpu().eval().double()(x)


def _other_computation(module: nn.Module) -> UnsupportedLayerError:
    return UnsupportedLayerError(
        f"{type(module).__name__} does not compute what its layers' kinds promise",
        "Use the project's layers as they are, without changing their 'forward' in a subclass.",
    )


def _chain_nodes(chain: Chain, image: EdgeType) -> tuple[Node, ...]:
    graph = GraphBuilder(image)
    if chain.encoding is not None:
        graph.append(chain.encoding, encoding_node(chain.encoding, graph.edge))
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
