"""How far an integer network agrees with the float network it was lowered from: on every bit of every image.

Each stage of the float network is run on the bits of the integer network, and its own bits are compared; so a difference is reported
where it arises and nowhere else. Where nothing differs this is the float network's own run. Labels and accuracy come from the float
network run as a whole.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..network import INPUT, Network
from ..network.golden import GoldenModel
from ..train.layers import RBOConv2d
from .encoding import encoding_edge
from .fold_thresholds import fold_thresholds
from .graph_builder import pool_names
from .lowering import lower
from .stages import Chain, Stage, group_stages
from .trace import Layer, run_chain, trace

TIE = 1e-5
"""A pre-activation below this part of its channel's scale may fall on either side of 0 in float32."""

MOST = 1000
"""Differences that are kept one by one."""

_BATCH = 250


@dataclass(frozen=True, slots=True)
class Difference:
    """One bit on which the networks differ.

    Parameters
    ----------
    image, row, column, channel : int - where, on the edge
    edge : str - of the integer network
    pre_activation : float - what the float network takes the sign of
    scale : float - largest magnitude of that in the channel
    """

    edge: str
    image: int
    row: int
    column: int
    channel: int
    pre_activation: float
    scale: float

    @property
    def tie(self) -> bool:
        """Whether rounding in the float network explains the difference."""
        return abs(self.pre_activation) < TIE * self.scale


@dataclass(frozen=True, slots=True)
class Agreement:
    """What `compare` found.

    Parameters
    ----------
    images : int - how many were compared
    accuracy_float, accuracy_integer : float - part of the labels that are right, 0 to 1
    class_agreement : float - part of the images on which both give the same class, 0 to 1
    bits : dict of str to int - bits compared on each binary edge, all images together
    disagreements : dict of str to int - how many of them differ, float ties included
    float_ties : int - how many of these rounding in the float network explains, see `Difference.tie`
    score_disagreements : int - scores that differ when the head reads the same bits
    differences : tuple of Difference - the first `MOST` of them
    saturations : dict of str to int - see `GoldenModel`
    """

    images: int
    accuracy_float: float
    accuracy_integer: float
    class_agreement: float
    bits: dict[str, int]
    disagreements: dict[str, int]
    float_ties: int
    score_disagreements: int
    differences: tuple[Difference, ...]
    saturations: dict[str, int]

    @property
    def exact(self) -> bool:
        """Every bit and every score equal."""
        return not any(self.disagreements.values()) and not self.score_disagreements

    def metadata(self) -> dict[str, Any]:
        """What a network file states about its accuracy."""
        return {
            "accuracy_float": self.accuracy_float,
            "accuracy_integer": self.accuracy_integer,
            "test_images": self.images,
            "class_agreement": self.class_agreement,
            "bits_compared": sum(self.bits.values()),
            "bit_disagreements": sum(self.disagreements.values()),
            "float_ties": self.float_ties,
        }


def compare(
    module: nn.Module,
    network: Network,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    dtype: torch.dtype = torch.float32,
    progress: Callable[[int], None] = lambda images: None,
) -> Agreement:
    """Compares the float network with the integer network made from it by `lower`.

    Parameters
    ----------
    module : Module - left as it is
    images : (n, height, width, channels) raw pixels
    labels : (n,) right classes
    dtype : torch.float32 or torch.float64 - in which the float network is run
    progress : called with the number of images done after each batch

    Raises
    ------
    ValueError - no images, another number of labels, or a network that was not lowered from such a module
    """
    if len(images) != len(labels) or not len(images):
        raise ValueError(f"Labels must be one per image, not {len(labels)} for {len(images)}")
    if _shapes(lower(module, network.name, network.input_type)) != _shapes(network):
        raise ValueError(f"Network must be one lowered from the module, not {network.name!r}")
    layers = trace(module, network.input_type)
    scales = _scales(group_stages(layers), network)
    chain = group_stages(tuple(Layer(x.name, copy.deepcopy(x.module).to(dtype)) for x in layers))
    floating = copy.deepcopy(module).cpu().eval().to(dtype)
    model = GoldenModel(network)
    found = _Findings(scales)
    label_pairs = []
    for start in range(0, len(images), _BATCH):
        batch = np.ascontiguousarray(images[start : start + _BATCH])
        edges = model.edges(batch)
        with torch.no_grad():
            label_float = floating(_channel_first(edges[INPUT], dtype)).argmax(dim=1)
            for edge, pre_activation in _pre_activations(chain, edges, dtype):
                found.add(edge, start, pre_activation, edges[edge])
            found.score_disagreements += _score_disagreements(chain.head, edges, dtype)
        label_pairs.append(torch.stack([label_float, edges["scores"].flatten(1).long().argmax(1)]))
        progress(len(batch))
    label_float, label_integer = torch.cat(label_pairs, dim=1).numpy()
    return Agreement(
        images=len(images),
        accuracy_float=float((label_float == labels).mean()),
        accuracy_integer=float((label_integer == labels).mean()),
        class_agreement=float((label_float == label_integer).mean()),
        bits=found.bits,
        disagreements=found.disagreements,
        float_ties=found.float_ties,
        score_disagreements=found.score_disagreements,
        differences=tuple(found.differences),
        saturations=model.saturations,
    )


class _Findings:
    """Counts differing bits per edge and keeps the first of them."""

    def __init__(self, scales: dict[str, np.ndarray]) -> None:
        self.scales = scales
        self.bits = dict.fromkeys(scales, 0)
        self.disagreements = dict.fromkeys(scales, 0)
        self.float_ties = 0
        self.differences: list[Difference] = []
        self.score_disagreements = 0

    def add(self, edge: str, first_image: int, pre_activation: Tensor, expected: Tensor) -> None:
        """Both (n, height, width, channels), `expected` +1 and -1."""
        differ = (pre_activation >= 0) != (expected > 0)
        self.bits[edge] += differ.numel()
        n_differ = int(torch.count_nonzero(differ))
        if not n_differ:
            return
        self.disagreements[edge] += n_differ
        limit = torch.from_numpy(TIE * self.scales[edge]).to(pre_activation.dtype)
        self.float_ties += int((differ & (pre_activation.abs() < limit)).sum())
        for n, row, column, channel in torch.nonzero(differ)[
            : MOST - len(self.differences)
        ].tolist():
            value = float(pre_activation[n, row, column, channel])
            scale = float(self.scales[edge][channel])
            self.differences.append(
                Difference(edge, first_image + n, row, column, channel, value, scale)
            )


def _pre_activations(
    chain: Chain, edges: dict[str, Tensor], dtype: torch.dtype
) -> Iterator[tuple[str, Tensor]]:
    """(edge, what the float network takes the sign of, (n, height, width, channels)) for the edges of `_binary_edges`, in order.

    Behind a pool the layers run in the order in which they were trained, only the activation is left out: a pool behind the sign
    may as well stand before it.
    """
    edge = INPUT
    if chain.encoding is not None:
        pixels = _channel_first(edges[INPUT], dtype)
        encoded = encoding_edge(chain.encoding)
        for edge in _binary_edges(encoded, encoded, chain.input_pools):
            pools = () if edge == encoded else chain.input_pools
            yield edge, _channel_last(run_chain((chain.encoding, *pools), pixels))
    for stage in chain.stages:
        scaled = stage.product.module(_stage_input(stage, edges[edge], dtype))
        norms = tuple(step for step in stage.between if not isinstance(step.module, nn.MaxPool2d))
        bits = f"{stage.name}_bits"
        for edge in _binary_edges(bits, stage.name, stage.pools):
            steps = norms if edge == bits else (*stage.between, *stage.after)
            yield edge, _channel_last(run_chain(steps, scaled))


def _score_disagreements(head: Stage, edges: dict[str, Tensor], dtype: torch.dtype) -> int:
    """How many scores of the float head, run on the integer network's bits, are not its scale factor times the integer ones."""
    before = list(edges)[list(edges).index("head") - 1]
    actual = head.product.module(_stage_input(head, edges[before], dtype))
    expected = edges["scores"].flatten(1).to(dtype) * head.product.module.alpha
    return int((actual != expected).sum())


def _scales(chain: Chain, network: Network) -> dict[str, np.ndarray]:
    """Per binary edge the scale of each channel's pre-activations, see `Fold`; 0 for the input, which cannot tie."""
    scales = {}
    edge = INPUT
    if chain.encoding is not None:
        encoded = encoding_edge(chain.encoding)
        for edge in _binary_edges(encoded, encoded, chain.input_pools):
            scales[edge] = np.zeros(network.edges[edge].shape[2])
    for stage in chain.stages:
        scale = fold_thresholds(stage, network.edges[edge]).scale
        for edge in _binary_edges(f"{stage.name}_bits", stage.name, stage.pools):
            scales[edge] = scale
    return scales


def _shapes(network: Network) -> dict[str, tuple[int, int, int]]:
    return {name: edge.shape for name, edge in network.edges.items()}


def _binary_edges(bits: str, stage_name: str, pools: tuple[Layer, ...]) -> tuple[str, ...]:
    """The edge before all pools of a stage and, where it has pools, the one behind them."""
    return (bits, *pool_names(stage_name, pools)[-1:])


def _stage_input(stage: Stage, edge: Tensor, dtype: torch.dtype) -> Tensor:
    """An edge as the product of `stage` reads it: (n, channel, height, width), or flattened in its order for a dense layer."""
    if isinstance(stage.product.module, RBOConv2d):
        return _channel_first(edge, dtype)
    return (edge.permute(0, 3, 1, 2) if stage.channel_first else edge).flatten(1).to(dtype)


def _channel_first(edge: Tensor, dtype: torch.dtype) -> Tensor:
    return edge.permute(0, 3, 1, 2).to(dtype)


def _channel_last(x: Tensor) -> Tensor:
    """(n, channel, height, width) or (n, channel) to (n, height, width, channel)."""
    return x.permute(0, 2, 3, 1) if x.ndim == 4 else x[:, None, None, :]
