"""Random networks with random legal foldings in a device's structure, and Amaranth's simulation of them: every transfer at both ends, and the answers.

Case number n of a seed is the same everywhere. Networks are small enough to be simulated in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
from amaranth.hdl import Value
from amaranth.sim import Simulator
from rbonn.boards import ICEBREAKER, ULX3S_25F
from rbonn.boards.board import Board
from rbonn.hw.fifo import FifoConfig
from rbonn.sw.build.device_forms import DeviceForms, device_forms
from rbonn.sw.build.elaborate import Elaboration, elaborate, skip_fifo
from rbonn.sw.errors import PlanError
from rbonn.sw.network import Conv, Dense, Network
from rbonn.sw.network.golden import GoldenModel
from rbonn.sw.plan.folding import (
    Folding,
    IntegerForm,
    Memory,
    WeightForm,
    WindowForm,
    divisors,
)
from rbonn.sw.plan.plan import AcceleratorPlan

from .random_networks import ConvShape, random_network
from .random_networks import random_images as chain_images
from .random_residual_networks import BlockShape, random_images, random_residual_network

MOST_CYCLES = 250
"""Of a layer per frame."""

FORMS: dict[str, tuple[str, ...]] = {
    "weights": get_args(WeightForm),
    "presets": get_args(Memory),
    "window": get_args(WindowForm),
    "integers": get_args(IntegerForm),
}
"""What a folding may say of a layer's parts, by the field that says it."""

BOARDS = (ICEBREAKER, ULX3S_25F)


@dataclass(frozen=True)
class RandomAccelerator:
    """A network, a plan for a board that need not be a good one, and images."""

    network: Network
    board: Board
    foldings: dict[str, Folding]
    images: np.ndarray

    @property
    def forms(self) -> DeviceForms:
        """The structure of the board's device, without its cells."""
        return structure(self.board)

    def skip_fifo(self, fifo: FifoConfig, depth: int) -> FifoConfig:
        """What lies beside a long branch instead of `fifo` if it has `depth` places."""
        return skip_fifo(fifo.input_width, depth, fifo.inputs_per_frame, self.forms)

    def elaborate(self, skip_places: dict[str, int] | None = None) -> Elaboration:
        return elaborate(self.network, self.foldings, self.forms, skip_places)


def structure(board: Board) -> DeviceForms:
    """What a device's accelerators are like but for the cells that count, multiply and store: their handshakes take the same cycles."""
    forms = device_forms(board)
    return replace(forms.portable, coded_rows=forms.coded_rows)


def random_accelerator(seed: int, number: int) -> RandomAccelerator:
    """Case `number`: in turn chains and residual networks, in turn for an iCE40 and an ECP5."""
    rng = np.random.default_rng([seed, number])
    board, is_residual = BOARDS[number // 2 % 2], number % 2 == 1
    while True:
        network = _residual(rng) if is_residual else _chain(rng)
        foldings = {
            node.name: _folding(rng, network, node, board)
            for node in network.device_nodes
            if isinstance(node, Conv | Dense)
        }
        if all(foldings.values()):
            break
    kept = {name: folding for name, folding in foldings.items() if folding}
    images = (random_images if is_residual else chain_images)(network, 3, seed=number)
    return RandomAccelerator(network, board, kept, images)


def _chain(rng: np.random.Generator) -> Network:
    """Up to three convolutions of any kernel, stride and border, pools behind some, then dense layers."""
    height, width = (int(side) for side in rng.integers(3, 10, 2))
    image = height, width, int(rng.integers(1, 4))
    convolutions = []
    for _ in range(rng.integers(0, 4)):
        kernel = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        padding, stride = int(rng.integers(0, min(kernel))), int(rng.choice([1, 1, 1, 2, 3]))
        outer = [
            (length + 2 * padding - k) // stride + 1
            for length, k in zip((height, width), kernel, strict=True)
        ]
        if min(outer) < 1:
            break
        pool = int(rng.integers(1, min(3, *outer) + 1)) if rng.random() < 0.4 else 1
        height, width = (length // pool for length in outer)
        channels, pad_value = int(rng.integers(1, 9)), int(rng.integers(-1, 2))
        convolutions.append(ConvShape(channels, kernel, stride, padding, pad_value, pool))
    return random_network(
        image,
        convolutions,
        [int(size) for size in rng.integers(1, 13, rng.integers(0, 3))],
        int(rng.integers(2, 6)),
        seed=int(rng.integers(1 << 32)),
        bias=bool(rng.random() < 0.5),
        entrance=str(rng.choice(["host", "device", "thermometer"])),
    )


def _residual(rng: np.random.Generator) -> Network:
    """Up to three blocks on images of 4 to 8 pixels a side."""
    height, width = (int(side) for side in rng.choice([4, 4, 5, 6, 7, 8], 2))
    image = height, width, int(rng.integers(1, 4))
    stem_channels = channels = int(rng.integers(2, 5))
    blocks = []
    for _ in range(rng.integers(1, 4)):
        is_even = height % 2 == 0 and width % 2 == 0 and min(height, width) > 2
        stride = int(rng.choice([1, 2])) if is_even else 1
        height, width = height // stride, width // stride
        shortcut = "conv1x1" if rng.random() < 0.3 else "duplicate"
        if shortcut == "conv1x1":
            channels = int(rng.integers(2, 9))
        else:
            channels *= int(rng.integers(1, 8 // channels + 1))
        kernel = 1 if rng.random() < 0.15 else 5 if rng.random() < 0.1 else 3
        pad_value, is_shift = int(rng.integers(-1, 2)), bool(rng.random() < 0.5)
        blocks.append(BlockShape(channels, stride, shortcut, pad_value, is_shift, kernel))
    return random_residual_network(
        image,
        blocks,
        stem=rng.choice(["host", "device", "thermometer", "int8", "binary"]),
        stem_channels=stem_channels,
        stream_bits=int(rng.integers(8, 17)),
        n_classes=int(rng.integers(2, 6)),
        seed=int(rng.integers(1 << 32)),
    )


def _folding(
    rng: np.random.Generator, network: Network, node: Conv | Dense, board: Board
) -> Folding | None:
    """Any folding that the hardware has and that takes at most `MOST_CYCLES`; None where none was found."""
    mh, mw = node.matrix.shape
    shape = network.edges[node.name].shape
    vectors = shape[0] * shape[1]
    bits = network.edges[node.inputs[0]].datatype.bits
    for _ in range(40):
        pe, simd = (int(rng.choice(divisors(length))) for length in (mh, mw))
        folding = Folding(pe, simd, *(str(rng.choice(forms)) for forms in FORMS.values()))
        planes = bits if folding.integers == "planes" else 1
        cycles = vectors * (mh // pe) * (mw // simd) * planes
        if cycles <= MOST_CYCLES and is_legal(network, node, folding, board):
            return folding
    return None


def is_legal(network: Network, node: Conv | Dense, folding: Folding, board: Board) -> bool:
    """Whether a plan file may ask for it."""
    others = {
        other.name: Folding(1, 1)
        for other in network.device_nodes
        if isinstance(other, Conv | Dense)
    }
    foldings = others | {node.name: folding}
    plan = AcceleratorPlan(network.name, network.hash(), board.name, 1, foldings)
    try:
        plan.check(network, board)
    except PlanError:
        return False
    return True


@dataclass(frozen=True)
class Simulated:
    """What Amaranth's simulator shows of some frames at full speed.

    Members
    -------
    accepted, given : list of int - cycles of the transfers at both ends, up to where nothing moved any more
    is_stuck : bool - nothing moved any more
    is_right : bool - answers, as far as they came, are those of the golden model
    """

    accepted: list[int]
    given: list[int]
    is_stuck: bool
    is_right: bool


def simulated(case: RandomAccelerator, elaboration: Elaboration, frames: int) -> Simulated:
    """Offers bytes of so many frames in every cycle and takes every score at once. The images repeat."""
    config, network = elaboration.config, case.network
    order = np.arange(frames) % len(case.images)
    right = expected(network, case.images[order])
    accepted, given, words = [], [], []
    core = config.component()
    patience = 2 * config.interval_cycles + 500

    async def bench(ctx: Any) -> None:
        data = packed(network, case.images[order])
        ctx.set(core.o.ready, 1)
        ctx.set(core.i.valid, 1)
        ctx.set(core.i.payload, data[0])
        payload, cycle, last = Value.cast(core.o.payload), 0, 0
        while len(words) < len(right) and cycle - last <= patience:
            sampled = await ctx.tick().sample(core.i.ready, core.o.valid, payload)
            is_taken, is_given, word = sampled[2:]
            if is_taken and len(accepted) < len(data):
                accepted.append(cycle)
                if len(accepted) < len(data):
                    ctx.set(core.i.payload, data[len(accepted)])
                else:
                    ctx.set(core.i.valid, 0)
            if is_given:
                given.append(cycle)
                words.append(word)
            last = cycle if is_given or is_taken else last
            cycle += 1

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    answers = answers_of(elaboration, words)
    return Simulated(accepted, given, len(words) < len(right), answers == right[: len(answers)])


def packed(network: Network, images: np.ndarray) -> list[int]:
    """The images as the bytes that enter the accelerator: pixels, or bits in stream order, the first least significant."""
    if network.n_host_nodes == 0:
        return images.ravel().tolist()
    bits = images.reshape(len(images), -1) >= network.nodes[0].threshold
    return np.packbits(bits, axis=1, bitorder="little").ravel().tolist()


def expected(network: Network, images: np.ndarray) -> list[tuple[int, int, int]]:
    """Score, running label and last of every transfer."""
    scores = GoldenModel(network).run(images).scores.numpy()
    return [
        (int(score), int(row[: k + 1].argmax()), int(k == len(row) - 1))
        for row in scores
        for k, score in enumerate(row)
    ]


def answers_of(elaboration: Elaboration, words: list[int]) -> list[tuple[int, int, int]]:
    """Score, label and last of the words that left."""
    bits, label_bits = elaboration.config.score_bits, elaboration.config.label_bits
    answers = []
    for word in words:
        score = word & ((1 << bits) - 1)
        score -= (score >> (bits - 1)) << bits
        label = word >> bits & ((1 << label_bits) - 1)
        answers.append((score, label, word >> bits + label_bits))
    return answers
