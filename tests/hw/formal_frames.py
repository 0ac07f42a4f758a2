"""Bench of the proofs about stages whose outputs are each something of the inputs of their frame: comparisons, pools, the label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from amaranth.asserts import AnySeq
from amaranth.hdl import Array, Assert, Elaboratable, Module, Mux, Signal, Value, signed

from .formal import assert_offer_holds


class Answer(NamedTuple):
    """One output of a frame: what it is of the frame's inputs, and how many of them must have come before it."""

    of: Callable[[list[Value]], Value]
    needed: int


class FrameBench(Elaboratable):
    """A stage with any inputs and any stalls on both sides, from a reset on, against these rules:

    * the outputs of each frame are its `answers`, in their order: none is lost, repeated, made up or offered before its inputs have come;
    * an offered output holds, with its payload, until it is taken;
    * an answer whose inputs have come is offered within `patience` cycles of which none is a stall: what is inside comes out.

    The inputs of `frames` frames are kept, and looked at in turn.

    Parameters
    ----------
    component : Component - with the streams `i` and `o`
    inputs : int - of a frame
    answers : Sequence[Answer] - of a frame
    patience : int - see above
    """

    def __init__(
        self, component: Any, inputs: int, answers: Sequence[Answer], patience: int, frames: int = 2
    ) -> None:
        self.component = component
        self.inputs = inputs
        self.answers = answers
        self.patience = patience
        self.frames = frames

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.stage = stage = self.component
        i, o = stage.i, stage.o
        width = len(Value.cast(i.payload))
        m.d.comb += [
            i.valid.eq(AnySeq(1)),
            Value.cast(i.payload).eq(AnySeq(width)),
            o.ready.eq(AnySeq(1)),
        ]
        n_inputs, n_outputs = self.frames * self.inputs, self.frames * len(self.answers)
        words = [Signal(width, name=f"word_{k}") for k in range(n_inputs)]
        n_in, n_out = Signal(range(n_inputs)), Signal(range(n_outputs))
        # Inputs since the frame of the answer at hand began; less than 0 where a frame's last answer needs not all of them.
        ahead = Signal(signed(n_inputs.bit_length() + 2))
        accepts, takes = i.valid & i.ready, o.valid & o.ready
        ends = takes & n_out.matches(*range(len(self.answers) - 1, n_outputs, len(self.answers)))
        m.d.sync += ahead.eq(ahead + accepts - Mux(ends, self.inputs, 0))
        with m.If(accepts):
            m.d.sync += [
                Array(words)[n_in].eq(i.payload),
                n_in.eq(Mux(n_in == n_inputs - 1, 0, n_in + 1)),
            ]
        with m.If(takes):
            m.d.sync += n_out.eq(Mux(n_out == n_outputs - 1, 0, n_out + 1))

        is_owed = Signal()
        with m.Switch(n_out):
            for k in range(n_outputs):
                frame, place = divmod(k, len(self.answers))
                of, needed = self.answers[place]
                own = words[frame * self.inputs : (frame + 1) * self.inputs]
                with m.Case(k):
                    m.d.comb += is_owed.eq(ahead >= needed)
                    with m.If(o.valid):
                        m.d.comb += Assert(Value.cast(o.payload) == of(own))
        waited = Signal(range(self.patience + 2))
        m.d.sync += waited.eq(Mux(is_owed & ~o.valid, waited + 1, 0))
        m.d.comb += [
            Assert(~o.valid | is_owed),
            Assert(waited <= self.patience),
            # No input that is compared has been overwritten.
            Assert(ahead <= n_inputs),
        ]
        assert_offer_holds(m, o)
        return m
