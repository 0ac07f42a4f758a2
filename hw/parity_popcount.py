"""Number of matches in one beat of a row, from parities of the lanes: one LUT4 for each lane in front of the tree."""

from dataclasses import dataclass
from functools import cached_property, reduce
from operator import xor

from amaranth import *
from amaranth.lib import wiring

from .beat_tree import tree_ports
from .popcount import PopcountConfig
from .primitives import CountingForm


@dataclass(frozen=True)
class ParityPopcountConfig:
    """Shape of a popcount over coded lanes.

    Lanes are coded when they are stored: lane k of the activations becomes the parity of lanes 0 to k, and so do the complements of
    the weights. Both are one to one, so no memory grows. Where the form has carry lanes, the last lane stays as it is, and is left
    to the accumulator's carry-in.

    Parameters
    ----------
    simd : int - lanes of a beat, at least 1
    form : str - one of `COUNTING_FORMS`
    """

    simd: int
    form: str = "portable"

    def __post_init__(self) -> None:
        assert self.plain  # its own conditions

    step = 2
    """What a match adds to a sum of +1 and -1."""

    @property
    def plain(self) -> PopcountConfig:
        """The tree without coding."""
        return PopcountConfig(self.simd, self.form)

    @property
    def counting(self) -> CountingForm:
        return self.plain.counting

    @property
    def activation_bits(self) -> int:
        return self.simd

    @property
    def weight_bits(self) -> int:
        return self.simd

    @property
    def most(self) -> int:
        """The most that a beat can count: all its lanes."""
        return self.simd

    @property
    def has_late_lane(self) -> bool:
        """Whether the accumulator has to take a lane."""
        return self.counting.carry_lanes and self.simd > 1

    @property
    def coded_lanes(self) -> int:
        """Lanes that are coded: the lowest ones."""
        return self.simd - self.has_late_lane

    @property
    def falls(self) -> int:
        """Bits that the tree adds up."""
        return self.coded_lanes // 2

    @cached_property
    def tree(self) -> PopcountConfig:
        """What adds them up. None of them may be left to the accumulator, where it would count once and not twice."""
        tree = PopcountConfig(max(self.falls, 1), self.form)
        return PopcountConfig(tree.simd + 1, self.form) if tree.has_late_lane else tree

    @property
    def output_bits(self) -> int:
        """Bits of the count, which reaches all lanes but the late one."""
        return self.coded_lanes.bit_length()

    @property
    def latency_cycles(self) -> int:
        """Enabled cycles from a beat to its count."""
        return 1 + (self.tree.latency_cycles if self.falls else 0)

    def coded_activations(self, lanes: int) -> int:
        """The activations of a beat as they are stored, lane 0 least significant."""
        return self._parities(lanes, 0)

    def coded_weights(self, lanes: int) -> int:
        """The weights of one row for a beat as they are stored, lane 0 least significant."""
        return self._parities(lanes, 1)

    def _parities(self, lanes: int, odd: int) -> int:
        coded, parity = lanes >> self.coded_lanes << self.coded_lanes, 0
        for lane in range(self.coded_lanes):
            parity ^= lanes >> lane & 1 ^ odd
            coded |= parity << lane
        return coded

    def component(self) -> "ParityPopcount":
        return ParityPopcount(self)


class ParityPopcount(wiring.Component):
    """Counts the lanes of a beat that match, activations and weights being coded as `ParityPopcountConfig` states.

    Then a comparison of lane k is the parity y[k] of the matches in lanes 0 to k, and it changes where a lane matches. It starts at 0, so every
    match raises it or lets it fall, in turn: ``matches = 2 * falls + y[last]``. Falls into lane k and into lane k + 1 exclude each
    other, so one bit holds both: ``~y[k + 1] if y[k] else y[k - 1]``, a LUT4 of two parities and one raw lane. With the LUT of every other parity
    that is one for each lane, for bits that count twice; a leaf of three raw lanes takes four LUT4, or three of coded ones.

    Timing and ports are those of `Popcount`.

    Members
    -------
    enable : In(1) - the registers move only while this is high
    activations, weights : In(simd)
    o : Out(output_bits) - the count
    late_activation, late_weight : Out(1) - the lane that the accumulator adds, matching where both are equal; 0 and 1 if there is none
    """

    def __init__(self, config: ParityPopcountConfig) -> None:
        self.config = config
        super().__init__(tree_ports(config, late_lane=True))

    def elaborate(self, platform) -> Module:
        m = Module()
        config = self.config
        n = config.coded_lanes
        parity = [self.activations[k] ^ self.weights[k] for k in range(n)]
        # Into lanes k and k + 1; behind the last lane there is no other.
        falls = [
            Mux(parity[k], ~parity[k + 1], parity[k - 1])
            if k + 1 < n
            else parity[k - 1] & ~parity[k]
            for k in range(1, n, 2)
        ]
        registers = Signal(len(falls), name="falls", reset_less=True)
        with m.If(self.enable):
            m.d.sync += registers.eq(Cat(falls))

        late = self.activations[-1] == self.weights[-1] if config.has_late_lane else C(0, 1)
        waiting = Cat(parity[-1], late)
        for stage in range(config.latency_cycles):
            later = Signal(2, name=f"waiting{stage}", reset_less=True)
            with m.If(self.enable):
                m.d.sync += later.eq(waiting)
            waiting = later

        count = C(0, 0)
        if falls:
            m.submodules.tree = tree = config.tree.component()
            # Every fall is compared with 1: these lanes have been compared already.
            m.d.comb += [
                tree.enable.eq(self.enable),
                tree.activations.eq(registers),
                tree.weights.eq(C(-1, len(tree.weights))),
            ]
            count = tree.o
        m.d.comb += [
            self.o.eq(Cat(waiting[0], count)),
            self.late_activation.eq(waiting[1]),
            self.late_weight.eq(1),
        ]
        return m


def prefix_parities(lanes: list[Value]) -> list[Value]:
    """Parity of lanes 0 to k for each k, in few levels of LUT4 and about one LUT for each lane."""
    if len(lanes) <= 4:
        return [reduce(xor, lanes[: k + 1]) for k in range(len(lanes))]
    groups = [lanes[k : k + 4] for k in range(0, len(lanes), 4)]
    totals = prefix_parities([reduce(xor, group) for group in groups])
    parities = []
    for group, total, before in zip(groups, totals, [None, *totals], strict=False):
        start = [] if before is None else [before]
        parities += [reduce(xor, start + group[: k + 1]) for k in range(len(group) - 1)]
        parities.append(total)
    return parities
