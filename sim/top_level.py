"""Simulates a network's whole top level, from the pins of the serial line to the answers, against the golden model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..hw.top import Top
from ..sw.build.design import TOP, component_verilog
from ..sw.host.packing import device_values, pack
from ..sw.network import Network
from ..sw.network.golden import GoldenModel
from .link import LinkResult, simulate_link
from .run import Progress

CLOCK_ERROR = 0.01
"""How much slower than the board's the host's bits are: no two oscillators agree."""


def simulate_top_level(
    network: Network,
    top: Top,
    images: np.ndarray,
    *,
    folder: Path,
    clock_error: float = CLOCK_ERROR,
    simulator: str | None = None,
    progress: Progress | None = None,
) -> LinkResult:
    """Sends `images` through the serial line of `top`, as `rbonn run` does, and compares scores and labels with the golden model.

    Everything that `top` has but the board's PLL and power-on reset is simulated, bit by bit on the line.

    Parameters
    ----------
    network : Network
    top : Top - with the accelerator of the same network, for example `Project.top()`
    images : uint8 (images, height, width, channels) - raw
    folder : Path - emptied first; receives the files of the run
    clock_error : float - relative difference of the host's bit time, about -0.02 to 0.02
    simulator : "verilator", "icarus" or None (the first that is installed)
    progress : called with (what, done, of)

    Raises
    ------
    see `simulate_link`
    """
    answers = GoldenModel(network).run(images)
    entry = network.edges[network.device_input]
    return simulate_link(
        component_verilog(top, TOP),
        TOP,
        top.config.info,
        top.config.uart.divisor * (1 + clock_error),
        np.stack([pack(device_values(image, network), entry) for image in images]),
        answers.scores.numpy(),
        answers.labels.numpy(),
        folder=folder,
        simulator=simulator,
        progress=progress,
    )
