"""One stream for several readers: every branch gets every transfer, once, and takes it when it likes.

Eager: a transfer is offered to all branches at once, and each of them may take it in a cycle of its own; a flag for each remembers that it
has. The input is accepted in the cycle in which the last branch takes it. So a branch that waits for another one further down, as the two
ways of a residual block do, never waits here: what has to be held meanwhile is held by FIFOs on the branches, of computed depth.

Latency is 0 cycles: an output is offered in the cycle in which the input is; throughput is one transfer per cycle. `valid` and payload of
an output are those of the input behind one gate, and never depend on any `ready`. `i.ready` follows the `ready` of all branches
combinationally. A reset forgets who has taken the transfer at hand.
Storage is a flip-flop for each branch.
"""

from __future__ import annotations

from dataclasses import dataclass

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


@dataclass(frozen=True, slots=True)
class ForkConfig:
    """Shape of a `Fork`.

    Parameters
    ----------
    width : int - bits of the payload, at least 1
    branches : int - output streams, at least 2
    transfers_per_frame : int - transfers per image, at least 1; only the interval depends on it
    """

    width: int
    branches: int
    transfers_per_frame: int = 1

    def __post_init__(self) -> None:
        for name, least in (("width", 1), ("branches", 2), ("transfers_per_frame", 1)):
            if getattr(self, name) < least:
                subject = name.replace("_", " ").capitalize()
                raise ValueError(f"{subject} must be at least {least}, not {getattr(self, name)!r}")

    @property
    def n_inputs(self) -> int:
        return 1

    @property
    def n_outputs(self) -> int:
        return self.branches

    @property
    def input_width(self) -> int:
        return self.width

    @property
    def output_width(self) -> int:
        """Bits of each branch."""
        return self.width

    @property
    def inputs_per_frame(self) -> int:
        return self.transfers_per_frame

    @property
    def outputs_per_frame(self) -> int:
        """On each branch."""
        return self.transfers_per_frame

    @property
    def interval_cycles(self) -> int:
        return self.transfers_per_frame

    @property
    def latency_cycles(self) -> int:
        """Cycles from the offer of a transfer to its offer on every branch."""
        return 0

    def component(self) -> Fork:
        return Fork(self)


class Fork(wiring.Component):
    """See the module.

    Members
    -------
    i : In(stream.Signature(unsigned(width)))
    o_0, o_1, ... : Out(stream.Signature(unsigned(width))) - the same transfers in the same order, `branches` times
    """

    i: stream.Interface

    def __init__(self, config: ForkConfig) -> None:
        self.config = config
        signature = stream.Signature(unsigned(config.width))
        outputs = {f"o_{branch}": Out(signature) for branch in range(config.branches)}
        super().__init__({"i": In(signature), **outputs})

    @property
    def outputs(self) -> list[stream.Interface]:
        """The branches, `o_0` first."""
        return [getattr(self, f"o_{branch}") for branch in range(self.config.branches)]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        has_taken = Signal(self.config.branches)
        takes = Cat(branch.ready for branch in self.outputs)
        m.d.comb += self.i.ready.eq((has_taken | takes).all())
        for index, branch in enumerate(self.outputs):
            m.d.comb += [
                branch.valid.eq(self.i.valid & ~has_taken[index]),
                branch.payload.eq(self.i.payload),
            ]
        waits = self.i.valid & ~self.i.ready
        m.d.sync += has_taken.eq((has_taken | takes) & waits.replicate(len(has_taken)))
        return m
