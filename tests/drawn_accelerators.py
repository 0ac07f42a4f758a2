"""Whole accelerators drawn by Hypothesis: a network, a folding of each layer, a device's forms, images and stalls; and files of single ones, to run again.

Networks are small, so that many are compiled in a minute, and go to the edges: images and sums of one pixel or channel, kernels up to 5 x 5 that
reach over both borders, strides that skip pixels, thresholds that are always or never reached.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from rbonn.boards import ICEBREAKER, ULX3S_25F
from rbonn.boards.board import Board
from rbonn.sim.specification import Stalls
from rbonn.sw.build.device_forms import PORTABLE, DeviceForms, device_forms
from rbonn.sw.build.elaborate import Elaboration, elaborate
from rbonn.sw.network import Add, Conv, Dense, EdgeType, MaxPool, Network, UInt
from rbonn.sw.network.file import load_network, save_network
from rbonn.sw.plan.folding import Folding, divisors

from .random_accelerators import FORMS, is_legal
from .random_networks import ConvShape, random_network
from .random_networks import random_images as chain_images
from .random_residual_networks import DRAWN_STEMS, BlockShape, random_residual_network
from .random_residual_networks import random_images as residual_images

IMAGES = 4
MOST_CYCLES, MOST_LANES = 600, 24
"""Of a layer: cycles per frame, and rows times columns per cycle."""

MOST_COLUMNS = 80
"""Of a matrix: most of a simulation's Verilog is weights."""

DEVICES: dict[str, tuple[Board, DeviceForms]] = {
    "portable": (ICEBREAKER, PORTABLE),
    "ice40": (ICEBREAKER, device_forms(ICEBREAKER)),
    "ecp5": (ULX3S_25F, device_forms(ULX3S_25F)),
}
"""Forms of accelerators, with the board whose plans may ask for the same foldings."""


@dataclass(frozen=True)
class DrawnAccelerator:
    """A network as hardware, and what it is tried with.

    Parameters
    ----------
    network : Network
    device : str - one of `DEVICES`
    foldings : dict[str, Folding] - of each matrix-vector layer
    image_seed : int
    stalls : Stalls - of the second pass; the first one has none
    """

    network: Network
    device: str
    foldings: dict[str, Folding]
    image_seed: int
    stalls: Stalls

    @property
    def images(self) -> np.ndarray:
        """uint8 (images, height, width, channels)."""
        images = residual_images if self.is_residual else chain_images
        return images(self.network, IMAGES, self.image_seed)

    @property
    def is_residual(self) -> bool:
        return any(isinstance(node, Add) for node in self.network.nodes)

    @property
    def digest(self) -> str:
        """Of the network and its hardware."""
        parts = self.network.hash(), self.device, repr(sorted(self.foldings.items()))
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]

    @property
    def traits(self) -> list[str]:
        """What a campaign counts."""
        layers = [node for node in self.network.device_nodes if isinstance(node, Conv | Dense)]
        convolutions = [node for node in layers if isinstance(node, Conv)]
        columns = {node.matrix.shape[1] for node in layers}
        traits = {
            "convolution": bool(convolutions),
            "padding": any(node.padding for node in convolutions),
            "padding with +1": any(node.padding and node.pad_value == 1 for node in convolutions),
            "padding with 0": any(node.padding and node.pad_value == 0 for node in convolutions),
            "kernel of 4 or 5": any(max(node.kernel) > 3 for node in convolutions),
            "stride of 2 or 3": any(node.stride > 1 for node in convolutions),
            "max pool": any(isinstance(node, MaxPool) for node in self.network.nodes),
            "residual": self.is_residual,
            "columns no power of two": any(n & (n - 1) for n in columns),
            "one column": 1 in columns,
            "image of one pixel": self.network.input_type.shape[:2] == (1, 1),
            f"device {self.device}": True,
        }
        for form in sorted({value for f in self.foldings.values() for value in form_names(f)}):
            traits[form] = True
        return [name for name, is_so in traits.items() if is_so]

    def elaborate(self) -> Elaboration:
        return elaborate(self.network, self.foldings, DEVICES[self.device][1])

    def save(self, path: Path) -> None:
        """Writes a network file whose metadata hold the rest."""
        foldings = {name: asdict(folding) for name, folding in self.foldings.items()}
        metadata = {
            "device": self.device,
            "foldings": foldings,
            "image_seed": self.image_seed,
            "stalls": asdict(self.stalls),
        }
        save_network(replace(self.network, metadata=metadata), path)

    @classmethod
    def load(cls, path: Path) -> DrawnAccelerator:
        """What `save` wrote."""
        network = load_network(path)
        values = network.metadata
        foldings = {name: Folding(**folding) for name, folding in values["foldings"].items()}
        stalls = Stalls(**values["stalls"])
        return cls(network, values["device"], foldings, values["image_seed"], stalls)


def form_names(folding: Folding) -> tuple[str, str, str]:
    """Of weights, windows and integers."""
    return f"weights {folding.weights}", f"window {folding.window}", f"integers {folding.integers}"


SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def chains(draw: st.DrawFn) -> Network:
    """Up to three convolutions of any kernel up to 5 x 5, stride and border, pools behind some, then dense layers."""
    height, width = image = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    convolutions = []
    for _ in range(draw(st.sampled_from([1, 1, 2, 0, 3]))):
        kernel = draw(st.integers(1, 5)), draw(st.integers(1, 5))
        padding = draw(st.integers(0, min(kernel) - 1))
        stride = draw(st.sampled_from([1, 1, 2, 3]))
        outer = [
            (length + 2 * padding - k) // stride + 1
            for length, k in zip((height, width), kernel, strict=True)
        ]
        if min(outer) < 1:
            break
        pool = draw(st.sampled_from([1, 1, min(2, *outer), min(3, *outer)]))
        height, width = (length // pool for length in outer)
        pad_value, channels = draw(st.sampled_from([-1, 0, 1])), draw(st.integers(1, 6))
        convolutions.append(ConvShape(channels, kernel, stride, padding, pad_value, pool))
    return random_network(
        (*image, draw(st.integers(1, 3))),
        convolutions,
        draw(st.lists(st.integers(1, 9), max_size=2)),
        draw(st.integers(2, 4)),
        seed=draw(SEEDS),
        bias=draw(st.booleans()),
        entrance=draw(st.sampled_from(["host", "device", "thermometer"])),
        extremes=draw(st.sampled_from([0.125, 0.125, 0.5, 1.0])),
    )


@st.composite
def residuals(draw: st.DrawFn) -> Network:
    """One or two blocks on images of 2 to 6 pixels a side."""
    sides = height, width = draw(st.integers(2, 6)), draw(st.integers(2, 6))
    channels = stem_channels = draw(st.integers(1, 4))
    blocks = []
    for _ in range(draw(st.integers(1, 2))):
        stride = draw(st.sampled_from([1, 2])) if height % 2 == width % 2 == 0 else 1
        height, width = height // stride, width // stride
        shortcut = draw(st.sampled_from(["duplicate", "conv1x1"]))
        if shortcut == "conv1x1":
            channels = draw(st.integers(1, 5))
        else:
            channels *= draw(st.integers(1, 5 // channels))
        blocks.append(
            BlockShape(
                channels,
                stride,
                shortcut,
                draw(st.sampled_from([-1, 0, 1])),
                draw(st.booleans()),
                draw(st.sampled_from([3, 3, 1, 5])),
            )
        )
    return random_residual_network(
        (*sides, draw(st.integers(1, 2))),
        blocks,
        stem=draw(st.sampled_from([*DRAWN_STEMS, "binary", "binary"])),
        stem_channels=stem_channels,
        stream_bits=draw(st.integers(8, 16)),
        n_classes=draw(st.integers(2, 4)),
        seed=draw(SEEDS),
    )


@st.composite
def accelerators(draw: st.DrawFn) -> DrawnAccelerator:
    """Six chains to each residual network."""
    is_residual = draw(st.sampled_from([False] * 6 + [True]))
    network = draw(residuals() if is_residual else chains())
    device = draw(st.sampled_from(sorted(DEVICES)))
    layers = [node for node in network.device_nodes if isinstance(node, Conv | Dense)]
    assume(max(node.matrix.shape[1] for node in layers) <= MOST_COLUMNS)
    foldings = {node.name: draw(legal_foldings(network, node, device)) for node in layers}
    return DrawnAccelerator(network, device, foldings, draw(SEEDS), draw(stalls()))


@st.composite
def legal_foldings(draw: st.DrawFn, network: Network, node: Conv | Dense, device: str) -> Folding:
    """Of one layer: whatever a plan file may ask for within `MOST_CYCLES` and `MOST_LANES`."""
    mh, mw = node.matrix.shape
    output: EdgeType = network.edges[node.name]
    vectors = output.shape[0] * output.shape[1]
    datatype = network.edges[node.inputs[0]].datatype
    planes = datatype.bits if isinstance(datatype, UInt) else 1
    pairs = [
        (pe, simd)
        for simd in divisors(mw)
        for pe in divisors(mh)
        if vectors * (mh // pe) * (mw // simd) * planes <= MOST_CYCLES and pe * simd <= MOST_LANES
    ]
    assume(pairs)
    pe, simd = draw(st.sampled_from(pairs))
    folding = Folding(pe, simd)
    for name, forms in FORMS.items():
        other = replace(folding, **{name: draw(st.sampled_from(forms))})
        # The plainest where the layer or the device lacks it.
        folding = other if is_legal(network, node, other, DEVICES[device][0]) else folding
    return folding


def stalls() -> st.SearchStrategy[Stalls]:
    """Of either side or both, in single cycles and in bursts."""
    probabilities = st.sampled_from([0.0, 0.1, 0.3, 0.6, 0.9])
    return st.builds(
        Stalls, st.integers(1, 2**20), probabilities, probabilities, st.sampled_from([0, 8, 64])
    ).filter(lambda drawn: drawn.input_probability + drawn.output_probability > 0)
