"""What all trees that count one beat of a row have in common."""

from typing import Protocol

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .primitives import CountingForm


class BeatTreeConfig(Protocol):
    """What a processing element has to know of its tree, whatever it counts: matches, integers or products.

    The component has the ports `enable`, `activations`, `weights` and `o`, all unsigned, and where `has_late_lane` the pair
    `late_activation` and `late_weight`. It has no valid flag: a beat's count is on `o` after `latency_cycles` enabled cycles.

    Members
    -------
    simd : int - lanes of a beat
    activation_bits, weight_bits, output_bits : int - of a beat, of one row's weights for it, and of the count
    most : int - the most that a beat can count, the late lane included
    step : int - what one count adds to the signed sum: 2 for matches of +1 and -1, else 1
    latency_cycles : int
    has_late_lane : bool - whether one lane is left to the adder behind the tree
    counting : CountingForm - for the adders behind the tree
    """

    @property
    def simd(self) -> int: ...
    @property
    def activation_bits(self) -> int: ...
    @property
    def weight_bits(self) -> int: ...
    @property
    def output_bits(self) -> int: ...
    @property
    def most(self) -> int: ...
    @property
    def step(self) -> int: ...
    @property
    def latency_cycles(self) -> int: ...
    @property
    def has_late_lane(self) -> bool: ...
    @property
    def counting(self) -> CountingForm: ...
    def component(self) -> wiring.Component: ...


def tree_ports(config: BeatTreeConfig, *, late_lane: bool = False) -> dict[str, wiring.Member]:
    """Signature members of a tree, with those of the late lane where `late_lane`."""
    ports = {
        "enable": In(1),
        "activations": In(config.activation_bits),
        "weights": In(config.weight_bits),
        "o": Out(config.output_bits),
    }
    return ports | ({"late_activation": Out(1), "late_weight": Out(1)} if late_lane else {})
