"""The stages of nodes that are no products: one stage each, as wide as the stream that comes."""

from __future__ import annotations

from dataclasses import dataclass

from ...hw.affine import AffineConfig
from ...hw.argmax import ArgMaxConfig
from ...hw.avg_pool import AvgPoolConfig
from ...hw.concat_channels import ConcatChannelsConfig
from ...hw.fifo import FifoConfig
from ...hw.global_avg_pool import GlobalAvgPoolConfig
from ...hw.max_pool import MaxPoolConfig
from ...hw.prelu import PReLUConfig
from ...hw.residual_add import ResidualAddConfig
from ...hw.stage import StageConfig
from ...hw.thermometer import ThermometerConfig
from ...hw.threshold import ThresholdConfig
from ..network import (
    Add,
    Affine,
    ArgMax,
    AvgPool,
    Binarise,
    ConcatChannels,
    Conv,
    Dense,
    GlobalAvgPool,
    Int,
    MaxPool,
    Network,
    Node,
    PReLU,
    Thermometer,
    Threshold,
)
from .device_forms import DeviceForms
from .layer import unsupported
from .presets import sum_ranges

MOST_LOGIC_GROUPS = 32
"""Groups of channels up to which the constants of an affine lie in lookup tables; more of them are cheaper in block RAM."""


@dataclass(frozen=True, slots=True)
class NodeStage:
    """A stage, and what it gives: `lanes` elements of `element_bits` bits per transfer. Behind it a queue, where one ends a path of `ready`."""

    config: StageConfig
    lanes: int
    element_bits: int
    queue: FifoConfig | None = None


def node_stage(
    network: Network, node: Node, lanes: int, element_bits: int, forms: DeviceForms
) -> NodeStage:
    """The stage of a node with one input, of which a transfer brings `lanes` elements of `element_bits` bits.

    `element_bits` may be more than the edge's type needs: sums come as wide as their accumulators.

    Raises
    ------
    UnsupportedLayerError - a node that the hardware does not have, or not for such an input
    """
    source = network.edges[node.inputs[0]]
    signed = isinstance(source.datatype, Int)
    height, width, channels = source.shape
    pixels, memory = height * width, "lut_ram" if forms.has_lut_ram else "block"
    match node:
        case Binarise():
            thresholds = (node.threshold,) * channels
            return NodeStage(
                ThresholdConfig(element_bits, thresholds, lanes, pixels, signed), lanes, 1
            )
        case Threshold():
            return NodeStage(
                ThresholdConfig(element_bits, _integers(node.thresholds), lanes, pixels, signed),
                lanes,
                1,
            )
        case Thermometer():
            levels = _integers(node.thresholds)
            config = ThermometerConfig(element_bits, levels, lanes, source.elements, signed)
            return NodeStage(config, lanes * len(levels), 1)
        case Affine():
            config = _affine(network, node, lanes, element_bits, forms)
        case PReLU():
            config = PReLUConfig(
                element_bits,
                _integers(node.slopes),
                node.shift,
                lanes,
                pixels,
                forms.multiplier(element_bits),
            )
        case AvgPool():
            config = AvgPoolConfig(
                height, width, channels, element_bits, lanes, node.size, signed, memory
            )
        case GlobalAvgPool():
            config = GlobalAvgPoolConfig(pixels, channels, element_bits, lanes, signed, memory)
            # What takes a frame's sums is a small part of the accelerator, and may be far from what makes them.
            queue = FifoConfig(config.output_width, 2, config.outputs_per_frame)
            return NodeStage(config, lanes, config.output_bits, queue)
        case ConcatChannels():
            config = ConcatChannelsConfig(
                channels, element_bits, lanes, node.copies, pixels, memory
            )
        case MaxPool():
            config = MaxPoolConfig(height, width, channels, element_bits, lanes, node.size, signed)
        case _:
            raise unsupported(node, "is not among them")
    return NodeStage(config, lanes, config.output_width // lanes)


def _affine(
    network: Network, node: Affine, lanes: int, element_bits: int, forms: DeviceForms
) -> AffineConfig:
    source, output = network.edges[node.inputs[0]], network.edges[node.name]
    lowest, highest = value_range(network, node.inputs[0])
    groups = source.shape[2] // lanes
    return AffineConfig(
        input_bits=element_bits,
        multipliers=_integers(node.multipliers),
        offsets=_integers(node.offsets),
        shift=node.shift,
        output_bits=output.datatype.bits,
        lanes=lanes,
        pixels=source.shape[0] * source.shape[1],
        signed=isinstance(source.datatype, Int),
        output_signed=isinstance(output.datatype, Int),
        lowest=lowest,
        highest=highest,
        multiplier=forms.multiplier(element_bits),
        memory="block" if groups > MOST_LOGIC_GROUPS else "logic",
        **forms.memory(groups),
    )


def value_range(network: Network, edge: str) -> tuple[int, int]:
    """The lowest and the highest value that can occur on an edge: less than its type has, behind products and pools."""
    node, kind = network.producer(edge), network.edges[edge].datatype
    if node is None:
        return kind.minimum, kind.maximum
    source = network.edges[node.inputs[0]]
    if isinstance(node, Conv | Dense):
        lowest, highest = sum_ranges(node.matrix, source.datatype)
        return int(lowest.min()), int(highest.max())
    if isinstance(node, AvgPool | GlobalAvgPool):
        pixels = source.elements // network.edges[edge].elements
        lowest, highest = value_range(network, node.inputs[0])
        return lowest * pixels, highest * pixels
    return kind.minimum, kind.maximum


def add_stage(network: Network, node: Add, lanes: int) -> ResidualAddConfig:
    """The join of a residual block, with `lanes` elements per transfer."""
    edge = network.edges[node.name]
    return ResidualAddConfig(edge.datatype.bits, lanes, edge.elements // lanes)


def argmax_stage(network: Network, node: ArgMax, element_bits: int) -> ArgMaxConfig:
    """The last stage. Raises UnsupportedLayerError for unsigned scores."""
    source = network.edges[node.inputs[0]]
    if not isinstance(source.datatype, Int):
        raise unsupported(node, f"compares {source.datatype}; it needs signed scores")
    return ArgMaxConfig(n_classes=source.shape[2], score_bits=element_bits)


def _integers(values: object) -> tuple[int, ...]:
    return tuple(int(value) for value in values)  # type: ignore[union-attr]
