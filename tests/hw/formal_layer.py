"""Bench of the proofs about a complete matrix-vector layer: the stream contract and the results, whatever stalls and resets there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import Array, Assert, Cat, Const, Elaboratable, Module, Mux, Signal, Value, signed
from rbonn.hw.matrix_vector_layer import MatrixVectorLayerConfig

from .formal import assert_offer_holds
from .formal_counting import matches_of


class Stimulus(Elaboratable):
    """Anything on all ports of a component with the streams `i` and `o`; for assertions about its inside, and about the hold of `o`."""

    def __init__(self, component: Any) -> None:
        self.component = component

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = self.component
        for port in (dut.i.valid, dut.i.payload, dut.o.ready):
            m.d.comb += port.eq(AnySeq(len(port)))
        assert_offer_holds(m, dut.o)
        return m


class LayerBench(Elaboratable):
    """A layer of bits with random inputs and stalls on all its streams, from a reset on, against these rules:

    * an offered output holds, with its payload, until it is taken;
    * output n is that of vector n // row groups and of row group n % row groups, and is not there before all of that vector is: nothing is
      made up, lost, repeated or out of order. Its payload is what the comparison of the plain numbers gives, looked at for one vector,
      whichever the solver likes;
    * from the cycle after a whole vector's acceptance on, one of its results is offered in every cycle but for `patience` cycles in a row, the
      documented latency: what is inside comes out without further inputs, however long the output was stalled before;
    * while no result is owed, an input is accepted after at most `patience` cycles of offering.

    Streamed weights are offered in their order, in any cycles. A vector for a register is used a cycle before it is accepted where memories take two:
    its producer holds it as the contract of streams says.

    Parameters
    ----------
    config : MatrixVectorLayerConfig - output "bits", without border classes
    words : Sequence[int] - plain words of weights, bit ``pe * SIMD + lane``
    patience : int - see above; None: what the documented latency allows
    """

    def __init__(
        self, config: MatrixVectorLayerConfig, words: Sequence[int], patience: int | None = None
    ) -> None:
        assert config.unit.output == "bits"
        assert config.presets is not None
        self.config = config
        self.words = words
        self.patience = config.latency_cycles - 1 if patience is None else patience

    def elaborate(self, platform: object) -> Module:
        m = Module()
        unit = self.config.unit
        m.submodules.layer = layer = self.config.component()
        i, o = layer.i, layer.o
        m.d.comb += o.ready.eq(AnySeq(1))
        accepted = self._offer_beats(m, i)
        if unit.weights == "stream":
            self._offer_weights(m, layer.i_weights)

        # How many inputs and outputs there were, in vectors and beats, and in vectors and row groups.
        vectors_in, beat = Signal(4), Signal(range(unit.beats_per_row))
        vectors_out, group = Signal(4), Signal(range(unit.row_groups))
        _count(m, accepted, beat, unit.beats_per_row, vectors_in)
        _count(m, o.valid & o.ready, group, unit.row_groups, vectors_out)

        watched = AnyConst(4)
        vector = Signal(unit.mw)
        with m.If(accepted & (vectors_in == watched)):
            m.d.sync += vector.word_select(beat, unit.simd).eq(i.payload)
        with m.If(o.valid):
            m.d.comb += Assert(vectors_out < vectors_in)
            with m.If(vectors_out == watched):
                results = Array(self._result(vector, k) for k in range(unit.row_groups))
                m.d.comb += Assert(o.payload == results[group])
        assert_offer_holds(m, o)

        owed = Signal()
        m.d.comb += owed.eq(vectors_out != vectors_in)
        self._assert_patience(m, "output", owed, o.valid)
        self._assert_patience(m, "input", ~owed & i.valid, i.ready)
        return m

    def _result(self, vector: Value, group: int) -> Value:
        """The bits of a row group, from the matches of whole rows."""
        unit, bits = self.config.unit, []
        presets = self.config.presets.values(unit.accumulator_bits)
        for pe in range(unit.pe):
            row = 0
            for beat in range(unit.beats_per_row):
                word = self.words[group * unit.beats_per_row + beat] >> pe * unit.simd
                row |= (word & (1 << unit.simd) - 1) << beat * unit.simd
            matches = matches_of(vector, Const(row, unit.mw))
            bits.append(matches + Const(presets[group * unit.pe + pe], signed(8)) >= 0)
        return Cat(bits)

    def _offer_beats(self, m: Module, i: Any) -> Value:
        """Offers beats in any cycles; answers when one is accepted."""
        if self.config.replay_memory != "register":
            m.d.comb += [i.valid.eq(AnySeq(1)), i.payload.eq(AnySeq(len(i.payload)))]
            return i.valid & i.ready
        waits, payload = Signal(), Signal.like(i.payload)
        m.d.comb += [
            i.valid.eq(AnySeq(1) | waits),
            i.payload.eq(Mux(waits, payload, AnySeq(len(i.payload)))),
        ]
        m.d.sync += [waits.eq(i.valid & ~i.ready), payload.eq(i.payload)]
        return i.valid & i.ready

    def _offer_weights(self, m: Module, i_weights: Any) -> None:
        word, offered = Signal(range(len(self.words))), Signal()
        m.d.comb += [
            i_weights.valid.eq(AnySeq(1) | offered),
            i_weights.payload.eq(Array(Const(w, len(i_weights.payload)) for w in self.words)[word]),
        ]
        m.d.sync += offered.eq(i_weights.valid & ~i_weights.ready)
        with m.If(i_weights.valid & i_weights.ready):
            m.d.sync += word.eq(Mux(word == len(self.words) - 1, 0, word + 1))

    def _assert_patience(self, m: Module, name: str, expected: Value, comes: Value) -> None:
        """Asserts that `comes` is high within `patience` cycles of `expected`. Streamed weights may take any time."""
        if self.config.unit.weights == "stream":
            return
        waited = Signal(range(self.patience + 2), name=f"waited_for_{name}")
        m.d.sync += waited.eq(Mux(expected & ~comes, waited + 1, 0))
        m.d.comb += Assert(waited <= self.patience)


def _count(m: Module, moves: Value, part: Signal, parts: int, whole: Signal) -> None:
    """Counts `moves` as `part` of `parts` that make a `whole`."""
    is_last = part == parts - 1
    with m.If(moves):
        m.d.sync += [part.eq(Mux(is_last, 0, part + 1)), whole.eq(whole + is_last)]
