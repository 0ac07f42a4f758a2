"""How far the integers of a residual network are from the trained network that they were lowered from.

Rounding the residual stream turns a few binary activations round, and behind each of them the two networks are no longer the same computation, so
errors are stated twice: against the trained network's own run, where they include those activations, and against what each block would give in real
numbers on the integer network's own values, which is the rounding alone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..network import INPUT, Network
from ..network.golden import GoldenModel
from .merged_run import Edges, on_line, real_scores, run_behind_product
from .residual_form import MergedNetwork, block_name, merge_constants
from .residual_stages import ResidualNetwork, group_residual
from .trace import Layer, run_chain, trace

_BATCH = 100


@dataclass(frozen=True, slots=True)
class StreamError:
    """The error of one edge of the residual stream over all images.

    Parameters
    ----------
    largest, mean : float - magnitude, against the trained network's own run, in its units
    largest_lsb : float - the largest in units of the stream's last bit
    rounding_lsb : float - largest magnitude against the block in real numbers on the integer network's own input, same unit
    """

    largest: float
    mean: float
    largest_lsb: float
    rounding_lsb: float


@dataclass(frozen=True, slots=True)
class ResidualAgreement:
    """What `compare_residual` found.

    Parameters
    ----------
    images : int - how many were compared
    accuracy_float, accuracy_integer : float - part of the labels that are right, 0 to 1
    class_agreement : float - part of the images on which both give the same class, 0 to 1
    stream : dict of str to StreamError - of every addition and PReLU, and of the stem
    scores : StreamError - of the scores, in units of their own last bit
    bits : dict of str to int - bits compared on each binary edge, all images together
    disagreements : dict of str to int - how many of them differ: some do, see above
    saturations : dict of str to int - see `GoldenModel`
    """

    images: int
    accuracy_float: float
    accuracy_integer: float
    class_agreement: float
    stream: dict[str, StreamError]
    scores: StreamError
    bits: dict[str, int]
    disagreements: dict[str, int]
    saturations: dict[str, int]

    def metadata(self) -> dict[str, Any]:
        """What a network file states about its accuracy."""
        return {
            "accuracy_float": self.accuracy_float,
            "accuracy_integer": self.accuracy_integer,
            "test_images": self.images,
            "class_agreement": self.class_agreement,
            "bits_compared": sum(self.bits.values()),
            "bit_disagreements": sum(self.disagreements.values()),
            "saturations": sum(self.saturations.values()),
            "stream_errors": {edge: asdict(error) for edge, error in self.stream.items()},
            "score_error": asdict(self.scores),
        }


def compare_residual(
    module: nn.Module,
    network: Network,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    dtype: torch.dtype = torch.float32,
    progress: Callable[[int], None] = lambda images: None,
) -> ResidualAgreement:
    """Compares a trained residual network with the integer network made from it by `lower`. Parameters and errors as `compare` has them."""
    if len(images) != len(labels) or not len(images):
        raise ValueError(f"Labels must be one per image, not {len(labels)} for {len(images)}")
    numbers = network.metadata.get("fixed_point")
    layers = trace(module, network.input_type)
    grouped = group_residual(layers)
    merged = merge_constants(grouped)
    if numbers is None or _names(merged) - set(network.edges):
        raise ValueError(f"Network must be one lowered from the module, not {network.name!r}")
    floating = _as_type(layers, dtype)
    model = GoldenModel(network)
    found = _Findings(2.0 ** numbers["stream_fraction"], 2.0 ** numbers["score_fraction"])
    classes = []
    for start in range(0, len(images), _BATCH):
        batch = np.ascontiguousarray(images[start : start + _BATCH])
        integers = {name: _channel_first(edge) for name, edge in model.edges(batch).items()}
        with torch.no_grad():
            trained = _run_trained(floating, integers[INPUT].to(dtype))
            found.add(trained, integers, _rounding_alone(merged, integers, found.unit))
        scores = integers["scores"].flatten(1).long()
        classes.append(torch.stack([trained["scores"].flatten(1).argmax(1), scores.argmax(1)]))
        progress(len(batch))
    label_float, label_integer = torch.cat(classes, dim=1).numpy()
    return ResidualAgreement(
        images=len(images),
        accuracy_float=float((label_float == labels).mean()),
        accuracy_integer=float((label_integer == labels).mean()),
        class_agreement=float((label_float == label_integer).mean()),
        stream={edge: found.error(edge, len(images)) for edge in found.largest if edge != "scores"},
        scores=found.error("scores", len(images)),
        bits=found.bits,
        disagreements=found.disagreements,
        saturations=model.saturations,
    )


class _Findings:
    """Collects errors and differing bits; `unit` and `score_unit` are integers per unit of the trained network."""

    def __init__(self, unit: float, score_unit: float) -> None:
        self.unit = unit
        self.score_unit = score_unit
        self.largest: dict[str, float] = {}
        self.total: dict[str, float] = {}
        self.rounding: dict[str, float] = {}
        self.elements: dict[str, int] = {}
        self.bits: dict[str, int] = {}
        self.disagreements: dict[str, int] = {}

    def add(self, trained: Edges, integers: Edges, alone: Edges) -> None:
        """Edges by name, (n, channel, height, width): the trained network's, the integer network's, and `_rounding_alone`."""
        for edge, expected in trained.items():
            if edge.endswith("_bits"):
                differ = (expected > 0) != (integers[edge] > 0)
                self.bits[edge] = self.bits.get(edge, 0) + differ.numel()
                self.disagreements[edge] = self.disagreements.get(edge, 0) + int(differ.sum())
                continue
            actual = integers[edge].double() / self._unit(edge)
            error = (actual - expected.double()).abs()
            self.largest[edge] = max(self.largest.get(edge, 0.0), float(error.max()))
            self.total[edge] = self.total.get(edge, 0.0) + float(error.sum())
            self.elements[edge] = error[0].numel()
            rounding = float((actual - alone[edge]).abs().max())
            self.rounding[edge] = max(self.rounding.get(edge, 0.0), rounding)

    def error(self, edge: str, n_images: int) -> StreamError:
        """Of one edge over all images."""
        unit = self._unit(edge)
        mean = self.total[edge] / (n_images * self.elements[edge])
        return StreamError(self.largest[edge], mean, self.largest[edge] * unit, self.rounding[edge] * unit)  # fmt: skip

    def _unit(self, edge: str) -> float:
        return self.score_unit if edge == "scores" else self.unit


def _run_trained(layers: tuple[Layer, ...], images: Tensor) -> Edges:
    """The trained network's own run: its stem, bits, additions, PReLUs and scores, with the constants that the integer stream has elsewhere.

    An addition is taken with the first shift of the RPReLU behind it, an RPReLU without its last shift.
    """
    grouped = group_residual(layers)
    with _recorded(grouped) as edges:
        scores = run_chain(layers, images)
    for number, block in enumerate(grouped.blocks, start=1):
        name, activation = block_name(number), block.module.activation
        edges[f"{name}_sum"] = edges[f"{name}_sum"] + activation.shift_in[:, None, None]
        edges[name] = edges[name] - activation.shift_out[:, None, None]
    return {**edges, "scores": scores[:, :, None, None]}


@contextmanager
def _recorded(network: ResidualNetwork) -> Iterator[Edges]:
    """Keeps what the recorded modules give while the network runs."""
    edges: Edges = {}

    def keep(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        return lambda module, inputs, output: edges.update({name: output})

    recorded = {"stem_norm": (network.stem, *network.norms)[-1].module}
    for number, block in enumerate(network.blocks, start=1):
        name = block_name(number)
        recorded |= {f"{name}_bits": block.module.sign, f"{name}_sum": block.module.add, name: block.module.activation}  # fmt: skip
    handles = [module.register_forward_hook(keep(name)) for name, module in recorded.items()]
    try:
        yield edges
    finally:
        for handle in handles:
            handle.remove()


def _rounding_alone(network: MergedNetwork, integers: Edges, unit: float) -> Edges:
    """Stem, blocks and head in real numbers, each on the values of the integer network."""
    edges = {"stem_norm": on_line(network.line, integers["stem"].double())}
    stream = integers["stem_norm"].double() / unit
    for number, block in enumerate(network.blocks, start=1):
        name = block_name(number)
        behind = run_behind_product(block, integers[f"{name}_conv"].double(), stream)
        edges |= {f"{name}_sum": behind["_sum"], name: behind[""]}
        stream = integers[name].double() / unit
    return {**edges, "scores": real_scores(network, stream.mean(dim=(2, 3)))[:, :, None, None]}


def _names(network: MergedNetwork) -> set[str]:
    """Of the edges that are compared."""
    blocks = [block_name(number) for number in range(1, len(network.blocks) + 1)]
    return {"stem_norm", "scores", *blocks, *(f"{name}_bits" for name in blocks)}


def _as_type(layers: tuple[Layer, ...], dtype: torch.dtype) -> tuple[Layer, ...]:
    return tuple(Layer(layer.name, copy.deepcopy(layer.module).to(dtype)) for layer in layers)


def _channel_first(edge: Tensor) -> Tensor:
    return edge.permute(0, 3, 1, 2)
