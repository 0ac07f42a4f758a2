"""Bench of the proofs about stages whose outputs are each something of some inputs of their frame: comparisons, pools, windows, the label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import Array, Assert, Elaboratable, Module, Mux, Signal, Value, signed

from .formal import assert_offer_holds, assume_few


class Answer(NamedTuple):
    """One output of a frame.

    Parameters
    ----------
    of : what it is of those words
    inputs : Sequence[int] - of the frame, by number: the words that it is made of
    needed : int or None - inputs of the frame that must have come before it; None: all up to the last one of `inputs`
    """

    of: Callable[[Sequence[Value]], Value]
    inputs: Sequence[int]
    needed: int | None = None

    @property
    def least(self) -> int:
        return max(self.inputs) + 1 if self.needed is None else self.needed


class FrameBench(Elaboratable):
    """A stage with any inputs and stalls on both sides, from a reset on, against these rules:

    * the outputs of each frame are its `answers`, in their order: none is lost, repeated, made up or offered before its inputs have come. The
      payload is looked at for one output of `frames` frames, whichever the solver likes;
    * an offered output holds, with its payload, until it is taken;
    * an answer whose inputs have come is offered within `patience` cycles of which none is a stall: what is inside comes out;
    * while no answer is owed, an input is accepted within as many cycles.

    Parameters
    ----------
    component : Component - with the streams `i` and `o`
    inputs : int - of a frame
    answers : Sequence[Answer] - of a frame
    patience : int - see above
    frames : int - more than the stage holds
    stalls : int or None - cycles in which inputs or outputs wait, at most, wherever they are; None: any number
    """

    def __init__(
        self,
        component: Any,
        inputs: int,
        answers: Sequence[Answer],
        patience: int,
        frames: int = 2,
        stalls: int | None = None,
    ) -> None:
        self.component = component
        self.inputs = inputs
        self.answers = answers
        self.patience = patience
        self.frames = frames
        self.stalls = stalls

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.stage = stage = self.component
        i, o = stage.i, stage.o
        m.d.comb += [
            i.valid.eq(AnySeq(1)),
            Value.cast(i.payload).eq(AnySeq(len(Value.cast(i.payload)))),
            o.ready.eq(AnySeq(1)),
        ]
        if self.stalls is not None:
            assume_few(m, ~i.valid | ~o.ready, self.stalls)
        n_inputs, n_outputs = self.frames * self.inputs, self.frames * len(self.answers)
        n_in, n_out = Signal(range(n_inputs)), Signal(range(n_outputs))
        # Inputs since the frame of the answer at hand began; less than 0 where a frame's last answer needs not all of them.
        ahead = Signal(signed(n_inputs.bit_length() + 2))
        accepts, takes = i.valid & i.ready, o.valid & o.ready
        ends = takes & n_out.matches(*range(len(self.answers) - 1, n_outputs, len(self.answers)))
        m.d.sync += ahead.eq(ahead + accepts - Mux(ends, self.inputs, 0))
        with m.If(accepts):
            m.d.sync += n_in.eq(Mux(n_in == n_inputs - 1, 0, n_in + 1))
        with m.If(takes):
            m.d.sync += n_out.eq(Mux(n_out == n_outputs - 1, 0, n_out + 1))

        watched = AnyConst(len(n_out))
        expected = self._expected(m, watched, i, accepts, n_in)
        with m.If(o.valid & (n_out == watched)):
            m.d.comb += Assert(Value.cast(o.payload) == expected)

        needed = Array(answer.least for _ in range(self.frames) for answer in self.answers)
        is_owed = Signal()
        m.d.comb += is_owed.eq(ahead >= needed[n_out])
        for name, waits in (("out", is_owed & ~o.valid), ("in", ~is_owed & i.valid & ~i.ready)):
            waited = Signal(range(self.patience + 2), name=f"waited_{name}")
            m.d.sync += waited.eq(Mux(waits, waited + 1, 0))
            m.d.comb += Assert(waited <= self.patience)
        m.d.comb += [
            Assert(~o.valid | is_owed),
            # No input that is looked at has been overwritten.
            Assert(ahead <= n_inputs),
        ]
        assert_offer_holds(m, o)
        return m

    def _expected(self, m: Module, watched: Value, i: Any, accepts: Value, n_in: Signal) -> Value:
        """What the answer `watched` is of the words that it is made of, which are kept."""
        words = []
        for place in range(max(len(answer.inputs) for answer in self.answers)):
            numbers = [
                frame * self.inputs + answer.inputs[min(place, len(answer.inputs) - 1)]
                for frame in range(self.frames)
                for answer in self.answers
            ]
            word = Signal(len(Value.cast(i.payload)), name=f"word_{place}")
            with m.If(accepts & (n_in == Array(numbers)[watched])):
                m.d.sync += word.eq(i.payload)
            words.append(word)
        results = [answer.of(words[: len(answer.inputs)]) for answer in self.answers]
        expected = Signal(max(map(len, results)))
        m.d.comb += expected.eq(Array(results * self.frames)[watched])
        return expected
