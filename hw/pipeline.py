"""The handshake of a stage whose registers all move together: one clock enable, and what waits at its end."""

from typing import Any

from amaranth import *
from amaranth.lib import wiring

from .fifo import FifoConfig

OUTPUT_PLACES = (0, 2)
"""Registers behind a pipeline; two of them cut the way of `ready`."""


def output_queue(width: int, places: int) -> FifoConfig:
    """What stands behind a pipeline: with 0 places a wire."""
    if places not in OUTPUT_PLACES:
        raise ValueError(f"Output places must be 0 or 2, not {places!r}")
    return FifoConfig(width, places)


def pipeline_enable(
    m: Module, stage: Any, queue_config: FifoConfig, cycles: int, payload: Value
) -> Signal:
    """Adds to `m` the handshake between the streams `i` and `o` of `stage`; answers the clock enable of its registers.

    Everything moves unless a result waits that has no place in the queue. So the registers at the end hold what they offer, a bubble moves
    along, and with ready high everything inside comes out. Nothing is valid after a reset.

    Parameters
    ----------
    stage : Component - being elaborated; has the streams `i` and `o`
    queue_config : FifoConfig - what stands behind the last registers
    cycles : int - enabled cycles from an input to its result, at least 1
    payload : Value - the last registers
    """
    enable, valid = Signal(), stage.i.valid
    for cycle in range(cycles):
        register = Signal(name=f"valid{cycle}")
        if cycle < cycles - 1:
            with m.If(enable):
                m.d.sync += register.eq(valid)
        else:  # what stays is 1
            m.d.sync += register.eq(valid | ~enable)
        valid = register
    m.submodules.queue = queue = queue_config.component()
    m.d.comb += [
        enable.eq(~valid | queue.i.ready),
        stage.i.ready.eq(enable),
        queue.i.valid.eq(valid),
        queue.i.payload.eq(payload),
    ]
    wiring.connect(m, queue.o, wiring.flipped(stage.o))
    return enable
