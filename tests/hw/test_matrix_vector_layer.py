"""`rbonn.hw.matrix_vector_layer`: the array with its weights and presets against NumPy."""

import itertools
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.leaf_memory import LeafMemoryConfig
from rbonn.hw.matrix_vector import MatrixVectorConfig
from rbonn.hw.matrix_vector_layer import MatrixVectorLayerConfig
from rbonn.hw.preset_memory import PresetMemoryConfig
from rbonn.hw.processing_element import least_accumulator_bits
from rbonn.hw.weight_memory import WeightMemoryConfig

from .stream_driver import Run, Stalls, drive


def word_of(bits: np.ndarray) -> int:
    """A word whose least significant bit is the first of `bits`."""
    return sum(int(bit) << k for k, bit in enumerate(bits.ravel()))


class Case:
    """A layer with random weights and presets, random input vectors, and what NumPy says comes out.

    `unit` are further options of `MatrixVectorConfig`.
    """

    def __init__(
        self,
        mh: int,
        mw: int,
        pe: int,
        simd: int,
        *,
        output: str = "bits",
        seed: int = 0,
        rows: tuple[int, ...] = (0,),
        columns: tuple[int, ...] = (0,),
        n_frames: int = 3,
        memory: str = "block",
        replay: str = "block",
        offer_latency: int = 0,
        **unit: Any,
    ) -> None:
        rng = np.random.default_rng(seed)
        weights = rng.integers(0, 2, (mh, mw))
        n_classes = (max(rows) + 1) * (max(columns) + 1)
        step = 2 if output == "sums" else 1
        has_presets = output != "matches"
        presets = rng.integers(-(mw + 1), 1, (n_classes, mh)) * step * has_presets
        lowest, highest = presets.min(), presets.max() + mw * step
        bits = int(max(highest, ~lowest)).bit_length() + has_presets
        bits = max(bits, least_accumulator_bits(simd, output))
        vectors_per_frame = len(rows) * len(columns)
        latency = unit.get("read_latency", 1)
        config = MatrixVectorConfig(mh, mw, pe, simd, bits, output, vectors_per_frame, **unit)
        words = tuple(
            word_of(weights[group * pe : (group + 1) * pe, beat * simd : (beat + 1) * simd])
            for group in range(mh // pe)
            for beat in range(mw // simd)
        )
        self.weight_words = words
        memories: dict[str, Any] = {
            "memory": WeightMemoryConfig(pe * simd, words, memory, read_latency=latency, rows=pe),
            "stream": None,
        }
        if config.weights == "absorbed":
            popcount = config.element.popcount
            memories["absorbed"] = LeafMemoryConfig(pe, popcount, words, read_latency=latency)
        table = PresetMemoryConfig(
            pe * bits,
            tuple(
                sum((int(v) & ((1 << bits) - 1)) << (k * bits) for k, v in enumerate(group))
                for pixel_class in presets
                for group in pixel_class.reshape(-1, pe)
            ),
            mh // pe,
            rows,
            columns,
            "logic" if memory == "lut_ram" else memory,
            latency,
        )
        self.config = MatrixVectorLayerConfig(
            config,
            memories[config.weights],
            table if has_presets else None,
            replay,
            offer_latency=offer_latency,
        )
        vectors = rng.integers(0, 2, (n_frames * vectors_per_frame, mw))
        classes = [row * (max(columns) + 1) + column for row in rows for column in columns]
        self.inputs, self.outputs = [], []
        for index, vector in enumerate(vectors):
            matches = (weights == vector).sum(axis=1)
            results = presets[classes[index % vectors_per_frame]] + matches * step
            self.inputs += [word_of(beat) for beat in vector.reshape(-1, simd)]
            for group in results.reshape(-1, pe):
                self.outputs.append(
                    word_of(group >= 0)
                    if output == "bits"
                    else sum(
                        (int(v) & ((1 << bits) - 1)) << (k * bits) for k, v in enumerate(group)
                    )
                )
        self.streams: dict[str, list[int]] = {"i": self.inputs}
        if config.weights == "stream":
            self.streams["i_weights"] = list(words) * len(vectors)

    def run(self, **options: Any) -> Run:
        return drive(self.config.component(), self.streams, n_outputs=len(self.outputs), **options)


CASES = {
    "one by one": Case(1, 1, 1, 1),
    "one beat": Case(4, 6, 2, 6),
    "one row group": Case(3, 8, 3, 2),
    "unfolded": Case(4, 9, 4, 9),
    "serial": Case(3, 5, 1, 1),
    "folded both ways": Case(6, 12, 2, 4),
    "sums": Case(10, 12, 1, 4, output="sums"),
    "sums unfolded": Case(3, 7, 3, 7, output="sums"),
    "border classes": Case(4, 6, 2, 3, rows=(0, 1, 1, 2), columns=(0, 1, 2)),
    "classes in one beat": Case(2, 3, 2, 3, rows=(0, 1, 2), columns=(0, 1, 1, 2)),
    "logic": Case(4, 8, 2, 4, memory="logic"),
    "logic of one word": Case(2, 8, 2, 8, memory="logic"),
    "LUT RAM": Case(4, 8, 2, 4, memory="lut_ram"),
    "matches": Case(4, 12, 2, 4, output="matches"),
    "matches, preset last": Case(6, 24, 2, 8, form="ice40", output="matches"),
    "preset last": Case(6, 24, 2, 8, form="ice40"),
    "preset last, sums": Case(6, 24, 2, 8, form="ice40", output="sums"),
    "preset last in one beat": Case(4, 7, 2, 7, form="ice40", rows=(0, 1, 2)),
    "carry lanes": Case(6, 48, 2, 16, form="ice40_carry_lanes"),
    "carry lanes, not as many as leaves": Case(2, 13, 1, 13, form="ice40_carry_lanes"),
    "nothing behind the array": Case(6, 12, 2, 4, output_places=0),
    "nothing behind the array, preset last": Case(6, 24, 2, 8, form="ice40", output_places=0),
    "two results behind the array": Case(6, 12, 2, 4, output_places=2, output="sums"),
    "two results behind the array, one beat": Case(4, 7, 2, 7, form="ice40", output_places=2),
    "credits": Case(6, 12, 2, 4, back_pressure="credit"),
    "credits in one beat": Case(6, 12, 2, 12, back_pressure="credit"),
    "credits, fold of two": Case(6, 12, 2, 6, back_pressure="credit", output="sums"),
    "credits, long rows": Case(2, 36, 2, 2, back_pressure="credit"),
    "credits, preset last": Case(4, 24, 2, 6, back_pressure="credit", form="ice40_carry_lanes"),
    "slow memories": Case(6, 24, 2, 8, read_latency=2, back_pressure="credit", rows=(0, 1, 2)),
    "slow memories, clock enable": Case(6, 24, 2, 8, read_latency=2),
    "slow logic": Case(6, 24, 2, 8, read_latency=2, memory="logic"),
    "register": Case(6, 7, 2, 7, replay="register"),
    "register, used once": Case(3, 7, 3, 7, replay="register"),
    "register, credits": Case(
        8, 9, 2, 9, replay="register", back_pressure="credit", output="sums", rows=(0, 1, 1, 2)
    ),
    "register, offers in a register": Case(6, 7, 2, 7, replay="register", offer_latency=1),
    "register, offers in a register, slow, credits": Case(
        8, 9, 2, 9, replay="register", offer_latency=1, back_pressure="credit", read_latency=2
    ),
    "register, slow logic, credits": Case(
        12,
        20,
        1,
        20,
        replay="register",
        back_pressure="credit",
        read_latency=2,
        memory="logic",
        rows=(1, 0, 2),
        columns=(1, 0),
    ),
    "streamed weights": Case(6, 24, 2, 8, weights="stream", output="matches"),
    "streamed weights, slow": Case(
        6, 24, 2, 8, weights="stream", read_latency=2, back_pressure="credit"
    ),
    "absorbed leaves": Case(6, 24, 2, 8, weights="absorbed"),
    "absorbed leaves, carry lanes, sums": Case(
        6, 48, 3, 16, weights="absorbed", form="ice40_carry_lanes", output="sums"
    ),
    "absorbed leaves, slow, credits": Case(
        6, 45, 2, 15, weights="absorbed", read_latency=2, back_pressure="credit", rows=(0, 1)
    ),
    "absorbed single leaf": Case(4, 6, 2, 3, weights="absorbed"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_it_equals_numpy_at_one_beat_per_cycle(case: Case) -> None:
    run = case.run()
    assert run.outputs == case.outputs
    assert set(run.intervals(case.config.outputs_per_frame)) == {case.config.interval_cycles}
    first = run.latency(0, case.config.unit.beats_per_row - 1)
    assert first == case.config.latency_cycles - case.config.early_cycles
    if case.config.replay_memory == "register":
        uses = case.config.unit.uses
        first = case.config.early_cycles
        assert run.input_cycles["i"] == [
            first + uses * k for k in range(len(run.input_cycles["i"]))
        ]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_stalls_on_both_sides_change_nothing(case: Case) -> None:
    for seed in range(2):
        assert case.run(stalls=Stalls(seed)).outputs == case.outputs


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_folding_that_divides_equals_numpy(data: st.DataObject) -> None:
    pe, simd = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 7))
    form = data.draw(st.sampled_from(["portable", "ice40", "ice40_carry_lanes"]))
    memories = ["block", "logic", *(["lut_ram"] if form == "portable" else [])]
    beats_per_row, row_groups = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    replays = [("block", 0)]
    if beats_per_row == 1:
        replays += [("register", 0)] + [("register", 1)] * (row_groups > 1)
    replay, offer_latency = data.draw(st.sampled_from(replays))
    case = Case(
        pe * row_groups,
        simd * beats_per_row,
        pe,
        simd,
        output=data.draw(st.sampled_from(["bits", "sums", "matches"])),
        seed=data.draw(st.integers(0, 999)),
        rows=data.draw(st.sampled_from([(0,), (0, 1), (0, 1, 2)])),
        n_frames=2,
        form=form,
        back_pressure=data.draw(st.sampled_from(["enable", "credit"])),
        output_places=data.draw(st.integers(0, 2)),
        weights=data.draw(st.sampled_from(["memory", "absorbed", "stream"])),
        read_latency=data.draw(st.sampled_from([1, 2])),
        memory=data.draw(st.sampled_from(memories)),
        replay=replay,
        offer_latency=offer_latency,
    )
    assert case.run(stalls=Stalls(data.draw(st.integers(0, 99)))).outputs == case.outputs


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_consumer_that_waits_for_valid_gets_everything(case: Case) -> None:
    assert case.run(ready_after_valid=True).outputs == case.outputs


@pytest.mark.parametrize(
    "name",
    [
        "folded both ways",
        "border classes",
        "classes in one beat",
        "matches, preset last",
        "preset last, sums",
        "carry lanes",
        "credits",
        "slow memories",
        "absorbed leaves, slow, credits",
        "register, credits",
    ],
)
def test_a_reset_anywhere_in_a_frame_starts_afresh(name: str) -> None:
    case = CASES[name]
    for reset_after in range(1, len(case.inputs) + 1):
        assert case.run(reset_after=reset_after).outputs == case.outputs


def test_weights_that_were_loaded_are_used() -> None:
    case = CASES["folded both ways"]
    words = case.config.weights.contents
    blank = replace(case.config.weights, contents=(0,) * len(words), writable=True)
    layer = replace(case.config, weights=blank).component()
    outputs: list[int] = []

    async def bench(ctx) -> None:
        for word in words:
            ctx.set(layer.i_load.valid, 1)
            ctx.set(layer.i_load.payload, word)
            await ctx.tick()
        ctx.set(layer.i_load.valid, 0)
        ctx.set(layer.o.ready, 1)
        inputs = itertools.chain(case.inputs, itertools.repeat(0))
        ctx.set(layer.i.valid, 1)
        ctx.set(layer.i.payload, next(inputs))
        while len(outputs) < len(case.outputs):
            *_, taken, valid, payload = await ctx.tick().sample(
                layer.i.ready, layer.o.valid, layer.o.payload
            )
            if taken:
                ctx.set(layer.i.payload, next(inputs))
            if valid:
                outputs.append(payload)

    simulator = Simulator(layer)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert outputs == case.outputs


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"pe": 4},
            re.escape("PE must divide the rows, not 4 into 6; it may be one of [1, 2, 3, 6]"),
        ),
        ({"simd": 5}, "SIMD must divide the columns, not 5 into 12"),
        ({"mh": 0}, "mh must be at least 1, not 0"),
        ({"accumulator_bits": 3}, "Accumulator must have at least 4 bits for SIMD 4, not 3"),
        ({"output_places": 3}, "Output places must be 0, 1 or 2, not 3"),
        ({"output": "words"}, "Output must be one of .*, not 'words'"),
    ],
)
def test_it_rejects(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CASES["folded both ways"].config.unit, **changes)


def test_coded_weights_are_stored_row_by_row_as_the_tree_takes_them() -> None:
    config = Case(4, 6, 2, 3, form="ice40_no_twins", coded=True).config
    unit, weights, stored = config.unit, config.weights, config.stored_weights
    for plain, coded in zip(weights.contents, stored.contents, strict=True):
        for at in range(0, unit.pe * unit.simd, unit.simd):
            row, mask = plain >> at, (1 << unit.simd) - 1
            assert coded >> at & mask == unit.element.popcount.coded_weights(row & mask)
        assert coded >> unit.pe * unit.simd == 0


def test_it_rejects_weights_and_presets_of_another_shape() -> None:
    config, other = CASES["folded both ways"].config, CASES["sums"].config
    with pytest.raises(ValueError, match="Weights must be 9 words of 8 bits, not 30 of 4"):
        replace(config, weights=other.weights)
    with pytest.raises(ValueError, match="Presets must have 3 row groups of"):
        replace(config, presets=other.presets)


def test_it_rejects_memories_that_the_device_lacks() -> None:
    config = CASES["preset last"].config
    with pytest.raises(ValueError, match="Weights on an iCE40 must be in 'block' or 'logic'"):
        replace(config, weights=replace(config.weights, memory="lut_ram"))
    with pytest.raises(ValueError, match="Replay memory on an iCE40 must be 'block' or 'logic'"):
        replace(config, replay_memory="lut_ram")


def test_it_rejects_presets_with_which_a_row_could_leave_the_accumulator() -> None:
    config = CASES["preset last"].config
    highest = max(config.presets.values(config.unit.accumulator_bits))
    narrow = config.unit.accumulator_bits - 1
    words = tuple(
        sum(
            (value & ((1 << narrow) - 1)) << (k * narrow)
            for k, value in enumerate((highest, highest))
        )
        for _ in range(config.unit.row_groups)
    )
    presets = replace(config.presets, width=2 * narrow, contents=words)
    with pytest.raises(ValueError, match=f"Presets must be at most .* not {highest}"):
        replace(config, unit=replace(config.unit, accumulator_bits=narrow), presets=presets)
