"""What all stages of an accelerator have in common: what they state of themselves, and their two streams."""

from typing import Protocol

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class StageConfig(Protocol):
    """What every stage states of itself; widths in bits, counts in transfers, times in cycles.

    `latency_cycles` counts to the cycle in which an output is offered, from the input that each config's docstring names: a
    frame's first one, a vector's last one, or the transfer itself.
    """

    @property
    def input_width(self) -> int: ...
    @property
    def output_width(self) -> int: ...
    @property
    def inputs_per_frame(self) -> int: ...
    @property
    def outputs_per_frame(self) -> int: ...
    @property
    def interval_cycles(self) -> int: ...
    @property
    def latency_cycles(self) -> int: ...
    def component(self) -> wiring.Component: ...


def stage_ports(input_width: int, output_width: int) -> dict[str, wiring.Member]:
    """Signature members of a stage: a stream `i` and a stream `o` of words of so many bits, lane 0 least significant."""
    return {
        "i": In(stream.Signature(unsigned(input_width))),
        "o": Out(stream.Signature(unsigned(output_width))),
    }
