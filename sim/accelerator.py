"""Simulates a network's accelerator against the golden model, on every edge of the graph."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..hw.accelerator import AcceleratorConfig
from ..hw.accelerator import Probe as HardwareProbe
from ..sw.build.design import component_verilog
from ..sw.build.elaborate import Elaboration
from ..sw.host.packing import pack
from ..sw.network import Network
from ..sw.network.golden import GoldenModel
from .plan import Limits
from .run import Progress
from .simulation import SimulationResult, simulate
from .specification import Field, OutputSpec, Probe, Stalls

CORE = "core"
"""Name of the accelerator's module."""

DEFAULT_STALLS = Stalls()


def simulate_accelerator(
    network: Network,
    elaboration: Elaboration,
    images: np.ndarray,
    *,
    folder: Path,
    stalls: Stalls | None = DEFAULT_STALLS,
    simulator: str | None = None,
    verilog: str | None = None,
    progress: Progress | None = None,
) -> SimulationResult:
    """Runs `images` through the Verilog of the accelerator and compares every edge that it computes with the golden model.

    Parameters
    ----------
    network : Network
    elaboration : Elaboration - of the same network
    images : uint8 (images, height, width, channels) - raw
    folder : Path - receives the files of the run
    stalls : Stalls or None - random stalls on both sides in a second pass
    simulator : "verilator", "icarus" or None (the first that is installed)
    verilog : str or None - the accelerator as module `core`; None: generated from `elaboration`
    progress : called with (what, done, of)

    Returns
    -------
    SimulationResult - `boundaries_checked` counts the edge on which images enter and one edge per node of the accelerator

    Raises
    ------
    see `simulate`
    """
    what = comparison(network, elaboration, images)
    if verilog is None:
        verilog = component_verilog(elaboration.config.component(), CORE)
    return simulate(
        verilog,
        CORE,
        what.inputs,
        what.output,
        what.probes,
        what.expected,
        what.expected_output,
        folder=folder,
        stalls=stalls,
        limits=what.limits,
        simulator=simulator,
        progress=progress,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What enters an accelerator, where it is looked at, and what the golden model says of every edge; see `simulate`."""

    inputs: np.ndarray
    output: OutputSpec
    probes: list[Probe]
    expected: dict[str, np.ndarray]
    expected_output: dict[str, np.ndarray]
    limits: Limits


def comparison(network: Network, elaboration: Elaboration, images: np.ndarray) -> Comparison:
    """Of raw images, uint8 (images, height, width, channels)."""
    golden = {name: edge.numpy() for name, edge in GoldenModel(network).edges(images).items()}
    config = elaboration.config
    label = network.device_nodes[-1]
    entry = network.edges[network.device_input]
    return Comparison(
        np.stack([pack(image, entry) for image in golden[network.device_input]]),
        _output_spec(config, label.name),
        [_probe(network, elaboration, probe) for probe in config.probes],
        {
            probe.edge: elaboration.observed(probe.edge, golden[probe.edge].astype(np.int64))
            for probe in config.probes
        },
        _expected_output(golden[network.scores], config.n_classes),
        # Rows that a pool drops are computed after the last score has left.
        Limits(settle_cycles=max(Limits().settle_cycles, config.interval_cycles)),
    )


def _output_spec(config: AcceleratorConfig, edge: str) -> OutputSpec:
    fields = (
        Field("score", config.score_bits, signed=True),
        Field("label", config.label_bits),
        Field("last", 1),
    )
    return OutputSpec(sum(field.bits for field in fields), config.n_classes, fields, (edge,))


def _probe(network: Network, elaboration: Elaboration, probe: HardwareProbe) -> Probe:
    edge = network.edges[probe.edge]
    if probe.edge in elaboration.layers:  # sums appear as the accumulators hold them
        bits = elaboration.layers[probe.edge].unit.accumulator_bits
        return Probe(probe.edge, edge.shape, probe.width // bits, bits, signed=True)
    stage = next(stage for stage in elaboration.config.stages if stage.name == probe.stage)
    lanes = edge.elements // stage.config.outputs_per_frame
    # Scores with their bias are as wide as the accumulators, which may be narrower than the edge's type.
    return replace(Probe.of_edge(probe.edge, edge, lanes), element_bits=probe.width // lanes)


def _expected_output(scores: np.ndarray, n_classes: int) -> dict[str, np.ndarray]:
    """Scores in class order, the class of the largest so far beside each, and the mark of the last."""
    scores = scores.reshape(-1, n_classes).astype(np.int64)
    labels = np.stack([scores[:, : k + 1].argmax(axis=1) for k in range(n_classes)], axis=1)
    last = np.zeros_like(scores)
    last[:, -1] = 1
    return {"score": scores, "label": labels, "last": last}
