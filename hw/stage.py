"""What all stages of an accelerator have in common: what they state of themselves, and their streams."""

from typing import Any, Protocol

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class StageConfig(Protocol):
    """What every stage states of itself; widths in bits, counts in transfers, times in cycles.

    `latency_cycles` counts to the cycle in which an output is offered, from the input that each config's docstring names: a
    frame's first one, a vector's last one, or the transfer itself.

    A join has several inputs, `i_0` and up, and says so by an attribute `n_inputs`; a fork has several outputs, `o_0` and up, and an attribute
    `n_outputs`. All inputs are alike, and all outputs are: widths and counts are those of each.
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


def n_inputs(config: StageConfig) -> int:
    """Streams that a stage takes."""
    return getattr(config, "n_inputs", 1)


def n_outputs(config: StageConfig) -> int:
    """Streams that a stage gives."""
    return getattr(config, "n_outputs", 1)


def input_ports(component: Any) -> list[Any]:
    """The streams that a stage's component takes."""
    return _ports(component, "i", n_inputs(component.config))


def output_ports(component: Any) -> list[Any]:
    """The streams that a stage's component gives."""
    return _ports(component, "o", n_outputs(component.config))


def _ports(component: Any, name: str, count: int) -> list[Any]:
    if count == 1:
        return [getattr(component, name)]
    return [getattr(component, f"{name}_{k}") for k in range(count)]
