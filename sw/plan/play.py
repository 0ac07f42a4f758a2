"""An accelerator's streams, cycle by cycle: when every transfer happens if bytes are always offered and scores always taken.

`schedule` says when transfers could happen if nothing were held up. Here stages hold each other up as they do in hardware, so that
the interval is exact for any folding: also where bursts, windows that wait or unequal widths keep the slowest stage from running all the time.

A play ends when it repeats itself: when at the end of a frame every stage is in a state in which it was at the end of an earlier one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from ...hw.accelerator import AcceleratorConfig, Source, Stage
from ...hw.affine import AffineConfig
from ...hw.argmax import ArgMaxConfig
from ...hw.avg_pool import AvgPoolConfig
from ...hw.bit_planes import BitPlanesConfig
from ...hw.concat_channels import ConcatChannelsConfig
from ...hw.fifo import FifoConfig
from ...hw.fork import ForkConfig
from ...hw.global_avg_pool import GlobalAvgPoolConfig
from ...hw.matrix_vector_layer import MatrixVectorLayerConfig
from ...hw.max_pool import MaxPoolConfig
from ...hw.pair_sums import PairSumsConfig
from ...hw.parallel_window import ParallelWindowConfig
from ...hw.prelu import PReLUConfig
from ...hw.residual_add import ResidualAddConfig
from ...hw.sliding_window import SlidingWindowConfig
from ...hw.stage import StageConfig, n_outputs
from ...hw.thermometer import ThermometerConfig
from ...hw.threshold import ThresholdConfig
from ...hw.width_converter import WidthConverterConfig
from .layer_play import ParallelMoving, ProductMoving, SlidingMoving
from .regrouping_play import Copying, Repeating, converter, global_pool, pool
from .stage_play import Channel, Forking, Joining, Moving, Pipeline, Register, Skid, argmax, fifo

MOST_FRAMES = 64
"""Frames after which a play is given up that does not repeat itself."""


@dataclass(frozen=True, slots=True)
class Played:
    """What happened; cycles count from the one in which the first byte is accepted.

    Members
    -------
    first_frame_latency : int - cycles from the first byte to the first frame's last score
    ends : list of int - cycle of the last score of each frame
    interval : Fraction or None - cycles from frame to frame in the long run, the mean of those that repeat; None: nothing moves any more, or more than `MOST_FRAMES`
        frames without repetition
    period : int - frames after which the last of `ends` repeat themselves
    is_stuck : bool - nothing moves any more
    """

    first_frame_latency: int
    ends: list[int]
    interval: Fraction | None
    period: int = 0
    is_stuck: bool = False


def play(config: AcceleratorConfig, frames: int = MOST_FRAMES) -> Played:
    """Plays frames until they repeat themselves, at most so many."""
    stages = PlayedAccelerator(config)
    seen: dict[tuple[object, ...], int] = {}
    ends: list[int] = []
    while len(ends) < frames:
        if not stages.run_frame():
            return Played(ends[0] if ends else -1, ends, None, is_stuck=True)
        ends.append(stages.cycles - 1)
        state = stages.state()
        if state in seen:
            before = seen[state]
            period = len(ends) - 1 - before
            return Played(ends[0], ends, Fraction(ends[-1] - ends[before], period), period)
        seen[state] = len(ends) - 1
    return Played(ends[0], ends, None)


class PlayedStages:
    """Stages at work, with an input that always offers transfers and an output whose transfers are always taken.

    Members
    -------
    cycles : int - that have passed
    accepted, given : list of int - cycles of all transfers at the input and at the output
    """

    def __init__(
        self,
        connections: Iterable[tuple[Stage, tuple[Source, ...]]],
        entrance: Source | None = None,
        *,
        holds_least: bool = False,
    ) -> None:
        """`connections` read the stream `entrance` and each other (no source: the entrance); the last one is the output.

        With `holds_least` stages hold as little while they wait as stalls can make them: bubbles stay where they are.
        """
        self.entrance = Channel()
        self.moving: list[Moving] = []
        self.forks: list[Forking] = []
        outputs = {} if entrance is None else {entrance: self.entrance}
        made: list[Channel] = []
        slowest, n_stages = 1, 0
        for stage, sources in connections:
            inputs = [outputs[source] for source in sources] or [self.entrance]
            made = [Channel() for _ in range(n_outputs(stage.config))]
            if _is_wire(stage.config):
                made = inputs
            else:
                self._add(_moving(stage.config, inputs, made), holds_least=holds_least)
            outputs |= {Source(stage.name, k): channel for k, channel in enumerate(made)}
            slowest, n_stages = max(slowest, stage.config.interval_cycles), n_stages + 1
        self.exit = made[0]
        self.entrance.valid = self.exit.ready = True
        self.moving.reverse()
        self.channels = [channel for stage in self.moving for channel in (stage.i, stage.o)]
        self.patience = 2 * slowest + 1000 + 8 * n_stages
        self.cycles = 0
        self.accepted: list[int] = []
        self.given: list[int] = []

    def _add(self, made: list[Moving], *, holds_least: bool) -> None:
        self.moving += made
        self.forks += [stage for stage in made if isinstance(stage, Forking)]
        for stage in made if holds_least else ():
            stage.hold_least()

    def run(self, count: int) -> bool:
        """Until `count` more transfers have been given; False where nothing comes any more."""
        end, deadline = len(self.given) + count, self.cycles + self.patience
        while len(self.given) < end:
            if self.cycles > deadline:
                return False
            if self.step():
                deadline = self.cycles + self.patience
        return True

    def step(self) -> bool:
        """One cycle; whether anything has moved at either end."""
        entrance, leaves = self.entrance, self.exit
        for fork in self.forks:
            fork.offer()
        gives = leaves.valid and leaves.ready
        for stage in self.moving:
            stage.cycle()
        if gives:
            self.given.append(self.cycles)
        accepts = entrance.valid and entrance.ready
        if accepts:
            self.accepted.append(self.cycles)
        self.cycles += 1
        return gives or accepts

    def state(self) -> tuple[object, ...]:
        """Of all stages."""
        return (
            *(stage.state() for stage in self.moving),
            tuple(channel.valid for channel in self.channels),
        )


class PlayedAccelerator(PlayedStages):
    """The stages of an accelerator at work, from its bytes to its scores."""

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(config.connections)
        self.scores = config.n_classes

    def run_frame(self) -> bool:
        """Until the last score of the next frame has been given; False where nothing comes any more."""
        return self.run(self.scores)


def _is_wire(config: StageConfig) -> bool:
    if isinstance(config, WidthConverterConfig):
        return config.is_wire
    return isinstance(config, FifoConfig) and config.depth == 0


def _pipeline(i: Channel, o: Channel, config: AffineConfig | PReLUConfig) -> list[Moving]:
    if not config.queue.depth:
        return [Pipeline(i, o, config.pipeline_cycles)]
    between = Channel()
    return [Pipeline(i, between, config.pipeline_cycles), *fifo(between, o, config.queue)]


_ONE_TO_ONE: dict[type, Callable[..., Moving | list[Moving]]] = {
    AffineConfig: _pipeline,
    ArgMaxConfig: argmax,
    AvgPoolConfig: pool,
    BitPlanesConfig: Repeating,
    ConcatChannelsConfig: Copying,
    FifoConfig: fifo,
    GlobalAvgPoolConfig: global_pool,
    MatrixVectorLayerConfig: ProductMoving,
    MaxPoolConfig: pool,
    PReLUConfig: _pipeline,
    PairSumsConfig: lambda i, o, _: Register(i, o),
    ParallelWindowConfig: ParallelMoving,
    SlidingWindowConfig: SlidingMoving,
    ThermometerConfig: lambda i, o, _: Register(i, o),
    ThresholdConfig: lambda i, o, _: Skid(i, o),
    WidthConverterConfig: converter,
}


def _moving(config: StageConfig, inputs: list[Channel], outputs: list[Channel]) -> list[Moving]:
    """A stage at work, in parts from input to output. Raises TypeError for an unknown stage."""
    if isinstance(config, ForkConfig):
        return [Forking(inputs[0], outputs)]
    if isinstance(config, ResidualAddConfig):
        first, other = inputs
        return [Joining(first, other, outputs[0])]
    if type(config) not in _ONE_TO_ONE:
        raise TypeError(f"No play is known for {type(config).__name__}")
    made = _ONE_TO_ONE[type(config)](inputs[0], outputs[0], config)
    return made if isinstance(made, list) else [made]
