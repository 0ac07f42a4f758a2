"""Benches of the proofs about counting and accumulating: the device's way beside plain arithmetic, on the same bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import (
    Array,
    Assert,
    Assume,
    Cat,
    Const,
    Elaboratable,
    Module,
    Mux,
    Signal,
    Value,
    signed,
)
from rbonn.hw.leaf_memory import LeafMemoryConfig
from rbonn.hw.parity_popcount import ParityPopcountConfig
from rbonn.hw.popcount import PopcountConfig
from rbonn.hw.processing_element import ProcessingElementConfig

COUNT_BITS = 8


def matches_of(activations: Value, weights: Value) -> Value:
    """How many lanes match, as a sum of one comparison after the other."""
    return sum(
        (a == w for a, w in zip(activations, weights, strict=True)), start=Const(0, COUNT_BITS)
    )[:COUNT_BITS]


def stored(config: PopcountConfig | ParityPopcountConfig, lanes: Value, odd: int) -> Value:
    """Lanes as a popcount takes them: coded ones as the parity of all up to them, each inverted where `odd`."""
    if isinstance(config, PopcountConfig):
        return lanes
    coded, parity = [], Const(0, 1)
    for lane in lanes[: config.coded_lanes]:
        parity = parity ^ lane ^ odd
        coded.append(parity)
    return Cat(*coded, lanes[config.coded_lanes :])


def delayed(m: Module, name: str, value: Value, cycles: int, enable: Value) -> Value:
    """`value` so many enabled cycles before."""
    for stage in range(cycles):
        register = Signal(len(value), name=f"{name}{stage}")
        with m.If(enable):
            m.d.sync += register.eq(value)
        value = register
    return value


class CountBench(Elaboratable):
    """Popcounts of any widths: each count, with its late lane, against `matches_of`, for any beats.

    Looks at the one count that depends on nothing but beats since the start. Where the registers of the submodules ``count*`` start at
    any value, that says everything about counts at any later time, because the start may be any time.

    Parameters
    ----------
    configs : Sequence[PopcountConfig | ParityPopcountConfig]
    pauses : int - cycles without enable among those looked at, at most; wherever they are
    """

    def __init__(
        self, configs: Sequence[PopcountConfig | ParityPopcountConfig], pauses: int = 0
    ) -> None:
        self.configs = configs
        self.pauses = pauses

    @property
    def depth(self) -> int:
        """Cycles to look at: the longest latency, the pauses, and the cycle of the count."""
        return max(config.latency_cycles for config in self.configs) + self.pauses + 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        enable, n_enabled = Signal(), Signal(5)
        m.d.comb += enable.eq(AnySeq(1) if self.pauses else 1)
        m.d.sync += n_enabled.eq(n_enabled + enable)
        for k, config in enumerate(self.configs):
            m.submodules[f"count{k}"] = count = config.component()
            activations, weights = Signal(config.simd), Signal(config.simd)
            m.d.comb += [
                activations.eq(AnySeq(config.simd)),
                weights.eq(AnySeq(config.simd)),
                count.enable.eq(enable),
                count.activations.eq(stored(config, activations, 0)),
                count.weights.eq(stored(config, weights, 1)),
            ]
            expected = delayed(
                m,
                f"expected{k}_",
                matches_of(activations, weights),
                config.latency_cycles,
                enable,
            )
            with m.If(n_enabled == config.latency_cycles):
                m.d.comb += Assert(count.o + _late_match(count) == expected)
        return m


class LeafBench(Elaboratable):
    """Popcounts whose leaves a memory counts, for all elements: against `matches_of` of the plain weights at the same address."""

    def __init__(self, config: LeafMemoryConfig) -> None:
        self.config = config

    @property
    def depth(self) -> int:
        return self._latency_cycles + 2

    @property
    def _latency_cycles(self) -> int:
        return self.config.read_latency + self.config.popcount.latency_cycles

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, simd = self.config, self.config.popcount.simd
        n_cycles = Signal(5)
        m.d.sync += n_cycles.eq(n_cycles + 1)
        m.submodules.leaves = leaves = config.component()
        word = Signal(range(config.depth))
        m.d.comb += [
            word.eq(AnySeq(len(word))),
            leaves.read.address.eq(word),
            leaves.read.enable.eq(1),
            leaves.activations.eq(AnySeq(simd)),
        ]
        weights = Array(Const(row, config.pe * simd) for row in config.contents)[word]
        for pe in range(config.pe):
            m.submodules[f"count{pe}"] = count = config.popcount.component()
            own = weights[pe * simd : (pe + 1) * simd]
            expected = delayed(
                m,
                f"expected{pe}_",
                matches_of(leaves.activations, own),
                self._latency_cycles,
                Const(1),
            )
            is_stored = delayed(
                m, f"is_stored{pe}_", word < config.depth, self._latency_cycles, Const(1)
            )
            m.d.comb += [
                count.enable.eq(1),
                count.weights.eq(leaves.read.data.word_select(pe, len(count.weights))),
            ]
            with m.If((n_cycles == self._latency_cycles) & is_stored):
                m.d.comb += Assert(count.o + _late_match(count) == expected)
        return m


@dataclass(frozen=True)
class Rows:
    """What a processing element computes, and what its results mean.

    Parameters
    ----------
    element : ProcessingElementConfig
    n_beats : int - beats of a row
    presets : tuple of int - one for each row; none for matches
    thresholds : tuple of int - signed sum from which on the output of that row is 1; only for bits
    """

    element: ProcessingElementConfig
    n_beats: int
    presets: tuple[int, ...] = ()
    thresholds: tuple[int, ...] = ()


class ElementBench(Elaboratable):
    """A processing element against wide arithmetic, after every beat of every row: its sum, and the comparison with the threshold.

    Beats, gaps between them and the row's number are any; the preset is that row's for as long as the proof runs.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    @property
    def depth(self) -> int:
        """Cycles in which what is in the pipeline is replaced by beats that were seen, and two more."""
        return self.rows.element.popcount.latency_cycles + 3

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, config = self.rows, self.rows.element
        simd, latency = config.popcount.simd, config.popcount.latency_cycles
        n_columns = rows.n_beats * simd
        assert n_columns == config.most_matches
        m.submodules.element = element = config.component()
        row, preset = AnyConst(16), Signal(signed(24))
        if rows.presets:
            table = Array(Const(value, signed(24)) for value in rows.presets)
            m.d.comb += [Assume(row < len(table)), preset.eq(table[row])]

        # Beats come in any cycle, and are accumulated when their count is there.
        beat, is_last = Signal(range(rows.n_beats)), Signal()
        m.d.comb += is_last.eq(beat == rows.n_beats - 1)
        accumulate = delayed(m, "valid", AnySeq(1), latency, Const(1))
        activations, weights = Signal(simd), Signal(simd)
        count = delayed(m, "count", matches_of(activations, weights), latency, Const(1))
        m.d.comb += [
            activations.eq(AnySeq(simd)),
            weights.eq(AnySeq(simd)),
            element.enable.eq(1),
            element.activations.eq(activations),
            element.weights.eq(weights),
            element.accumulate.eq(accumulate),
            element.is_first.eq(beat == 0),
            element.is_last.eq(is_last),
            element.preset.eq(preset[: config.preset_bits]),
        ]

        # What a row has so far. It can have no more matches than columns: what the induction starts from.
        matches, so_far, with_beat = Signal(16), Signal(range(rows.n_beats + 1)), Signal(16)
        m.d.comb += with_beat.eq(Mux(beat == 0, 0, matches) + count)
        with m.If(accumulate):
            m.d.sync += [
                beat.eq(Mux(is_last, 0, beat + 1)),
                matches.eq(with_beat),
                so_far.eq(beat + 1),
            ]
        m.d.comb += [
            Assert(beat < rows.n_beats),
            Assert(Mux(so_far == rows.n_beats, 0, so_far) == beat),
            Assert(matches <= simd * so_far),
        ]

        # When the sum is there: with the beat, once the registers hold beats that were seen; or after it, and where a preset comes last or a
        # beat is a row, after a row's last beat for one cycle only.
        just, is_row = Signal(), so_far == rows.n_beats
        m.d.sync += just.eq(accumulate)
        if config.is_cleared:
            is_there = delayed(m, "is_there", Const(1), latency, Const(1))
            is_result, expected = is_there & is_last, with_beat
        else:
            lasts = just if config.is_preset_last or config.is_unfolded else Const(1)
            is_there = (so_far > 0) & (~is_row | lasts)
            is_result, expected = is_row & lasts, matches
        total = Signal(signed(24))
        m.d.comb += total.eq(preset + (2 if config.output == "sums" else 1) * expected)
        held = element.sum if config.output == "matches" else element.sum.as_signed()
        with m.If(is_there):
            m.d.comb += Assert(held == total)
        if rows.thresholds:
            threshold = Array(Const(value, signed(24)) for value in rows.thresholds)[row]
            with m.If(is_result):
                m.d.comb += Assert(element.o == (2 * expected - n_columns >= threshold))
        return m


class Together(Elaboratable):
    """Several benches in one proof, which costs less time than one proof each."""

    def __init__(self, benches: Sequence[Any]) -> None:
        self.benches = benches

    @property
    def depth(self) -> int:
        return max(bench.depth for bench in self.benches)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules += self.benches
        return m


def _late_match(count: Any) -> Value:
    return count.late_activation == count.late_weight
