"""The units that `pe_array.py` measures: one matrix with random weights and thresholds, in different foldings and forms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from amaranth.sim import Simulator
from rbonn.hw.leaf_memory import LeafMemoryConfig
from rbonn.hw.matrix_vector import MatrixVectorConfig
from rbonn.hw.matrix_vector_layer import MatrixVectorLayerConfig
from rbonn.hw.parity_popcount import ParityPopcountConfig
from rbonn.hw.preset_memory import PresetMemoryConfig
from rbonn.hw.weight_memory import WeightMemoryConfig
from rbonn.sw.build.packing import preset_words, weight_words, words

MH, MW = 64, 576
FARTHEST_THRESHOLD = 100
"""Thresholds are drawn up to that far from half of the columns, where those of trained networks lie."""

FORMS = {"iCE40UP5K": "ice40_no_twins", "iCE40HX8K": "ice40_no_twins", "ECP5-25F": "ecp5"}
RAM_DEPTH = {"iCE40UP5K": 256, "iCE40HX8K": 256, "ECP5-25F": 512}


@dataclass(frozen=True)
class Row:
    """One unit on one device.

    Parameters
    ----------
    device : str - one of `DEVICES`
    pe, simd : int - folding
    weights : str - "block" or "logic": memory of their own; "absorbed": leaf memories; "stream": the array alone, without presets
    form : str - how matches are counted; empty: the device's own
    back_pressure : str - empty: the device's own
    coded : bool - whether lanes are coded, see `ParityPopcountConfig`
    memory_form : str - of block RAM
    mh, mw : int - the matrix
    side : int - 1: all vectors have the same presets; else those of a 3 x 3 convolution with exact zero padding, whose outputs are side x side
        pixels in nine border classes
    """

    device: str
    pe: int
    simd: int
    weights: str = "block"
    form: str = ""
    back_pressure: str = ""
    coded: bool = False
    memory_form: str = "portable"
    mh: int = MH
    mw: int = MW
    side: int = 1

    @property
    def classes(self) -> tuple[int, ...]:
        """Border class of each row of pixels, and of each column."""
        return (0, *[1] * (self.side - 2), 2) if self.side > 1 else (0,)

    @property
    def matrix(self) -> np.ndarray:
        """(mh, mw) of +1 and -1."""
        return np.random.default_rng(1).choice([-1, 1], (self.mh, self.mw))

    @property
    def presets(self) -> np.ndarray:
        """(row classes, column classes, mh): minus the matches that each row has to have."""
        far, n_classes = min(FARTHEST_THRESHOLD, self.mw // 4), max(self.classes) + 1
        shape = (n_classes, n_classes, self.mh)
        return -(self.mw // 2 + np.random.default_rng(2).integers(-far, far + 1, shape))

    @property
    def accumulator_bits(self) -> int:
        """Of two's complement, for no match to all."""
        lowest, highest = int(self.presets.min()), int(self.presets.max()) + self.mw
        return max((-lowest - 1).bit_length(), highest.bit_length()) + 1

    @property
    def config(self) -> MatrixVectorLayerConfig:
        is_ecp5 = self.device == "ECP5-25F"
        memory: dict[str, Any] = {"read_latency": 2 if is_ecp5 else 1, "form": self.memory_form}
        is_array = self.weights == "stream"
        source = self.weights if self.weights in ("absorbed", "stream") else "memory"
        unit = MatrixVectorConfig(
            self.mh,
            self.mw,
            self.pe,
            self.simd,
            self.mw.bit_length() if is_array else self.accumulator_bits,
            "matches" if is_array else "bits",
            self.side**2,
            form=self.form or FORMS[self.device],
            back_pressure=self.back_pressure or ("credit" if is_ecp5 else "enable"),
            weights=source,
            coded=self.coded,
            read_latency=memory["read_latency"],
        )
        contents = weight_words(self.matrix, self.pe, self.simd)
        weights: WeightMemoryConfig | LeafMemoryConfig | None = None
        if source == "absorbed":
            weights = LeafMemoryConfig(
                self.pe, unit.element.popcount, contents, RAM_DEPTH[self.device], **memory
            )
        elif source == "memory":
            weights = WeightMemoryConfig(unit.weight_bits, contents, self.weights, **memory)
        if is_array:
            return MatrixVectorLayerConfig(unit, weights, None, replay_form=self.memory_form)
        presets = PresetMemoryConfig(
            self.pe * self.accumulator_bits,
            preset_words(self.presets, self.pe, self.accumulator_bits),
            unit.row_groups,
            self.classes,
            self.classes,
            memory="logic" if self.weights == "logic" else "block",
            **memory,
        )
        return MatrixVectorLayerConfig(unit, weights, presets, replay_form=self.memory_form)

    @property
    def _streamed_words(self) -> tuple[int, ...]:
        """The weights of one vector as they come in a stream."""
        plain, tree = (
            weight_words(self.matrix, self.pe, self.simd),
            self.config.unit.element.popcount,
        )
        if not isinstance(tree, ParityPopcountConfig):
            return plain
        starts, mask = range(0, self.pe * self.simd, self.simd), (1 << self.simd) - 1
        return tuple(
            sum(tree.coded_weights(word >> at & mask) << at for at in starts) for word in plain
        )

    @property
    def ideal_cycles(self) -> int:
        """Per vector: every lane is busy in every cycle."""
        return self.mh * self.mw // (self.pe * self.simd)

    def measured_cycles(self) -> int:
        """Cycles per vector in simulation, inputs and outputs never waiting, once the results are seen to be those of NumPy."""
        vectors = np.random.default_rng(3).choice([-1, 1], (4, self.mw))
        matches = (vectors @ self.matrix.T + self.mw) // 2
        beats = [word for vector in vectors for word in _beats(vector, self.simd)]
        if self.weights == "stream":
            expected = [w for row in matches for w in words(row.reshape(-1, self.pe), self.mw.bit_length())]  # fmt: skip
        else:
            # The first pixels of a frame: those of the uppermost row.
            presets = self.presets[0, list(self.classes * len(vectors))[: len(vectors)]]
            bits = (matches + presets >= 0).astype(np.int64)
            expected = [w for row in bits for w in words(row.reshape(-1, self.pe), 1)]
        streamed = self._streamed_words * len(vectors)
        # An ECP5's primitives have no model in the simulator; the portable form takes as many cycles for a vector.
        row = (
            self
            if self.device != "ECP5-25F"
            else replace(self, form="portable", memory_form="portable")
        )
        outputs = simulated(row.config, beats, streamed, len(expected))
        if [word for _, word in outputs] != expected:
            raise RuntimeError("the simulated results are not those of NumPy")
        groups = self.mh // self.pe
        # From the last result of one vector to that of the next, for the two last ones.
        (second, _), (third, _) = outputs[3 * groups - 1], outputs[4 * groups - 1]
        return third - second


def _beats(vector: np.ndarray, simd: int) -> tuple[int, ...]:
    return words((vector.reshape(-1, simd) > 0).astype(np.int64), 1)


def simulated(
    config: MatrixVectorLayerConfig, beats: list[int], streamed: tuple[int, ...], n_outputs: int
) -> list[tuple[int, int]]:
    """(cycle, word) of each output."""
    dut = config.component()
    outputs: list[tuple[int, int]] = []
    inputs = {"i": list(beats)} | ({"i_weights": list(streamed)} if config.weights is None else {})

    async def bench(ctx) -> None:
        ctx.set(dut.o.ready, 1)
        at = dict.fromkeys(inputs, 0)
        cycle = 0
        while len(outputs) < n_outputs:
            for name, items in inputs.items():
                port = getattr(dut, name)
                ctx.set(port.valid, at[name] < len(items))
                ctx.set(port.payload, items[at[name] % len(items)])
            ports = [getattr(dut, name).ready for name in inputs]
            _, _, valid, word, *ready = await ctx.tick().sample(dut.o.valid, dut.o.payload, *ports)
            for name, taken in zip(inputs, ready, strict=True):
                at[name] += bool(taken and at[name] < len(inputs[name]))
            if valid:
                outputs.append((cycle, word))
            cycle += 1

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return outputs


def _rows() -> dict[str, Row]:
    rows = {}
    for device in ("iCE40UP5K", "iCE40HX8K", "ECP5-25F"):
        is_ecp5 = device == "ECP5-25F"
        memory_form = "ecp5" if is_ecp5 else "portable"
        # Coding pays where enough rows share it, on iCE40: an ECP5's carry cells compare lanes for nothing.
        complete = Row(device, 8, 32, coded=not is_ecp5, memory_form=memory_form)
        rows |= {
            f"8x32 complete, {device}": complete,
            f"8x32 array, {device}": replace(complete, weights="stream"),
            f"8x32 complete, fold 4, logic, {device}": replace(
                complete, weights="logic", mh=16, mw=64
            ),
            f"4x16 complete, {device}": replace(complete, pe=4, simd=16, coded=False),
            f"1x64 complete, {device}": replace(complete, pe=1, simd=64, coded=False),
        }
    for device in ("iCE40UP5K", "ECP5-25F"):
        rows[f"8x32 complete, border classes, {device}"] = replace(
            rows[f"8x32 complete, {device}"], side=32
        )
    rows["8x32 complete, twins, iCE40UP5K"] = replace(
        rows["8x32 complete, iCE40UP5K"], form="ice40_carry_lanes"
    )
    rows["16x64 complete, ECP5-25F"] = Row("ECP5-25F", 16, 64, "absorbed", memory_form="ecp5")
    rows["16x64 complete, plain weights, ECP5-25F"] = Row("ECP5-25F", 16, 64, memory_form="ecp5")
    return rows


ROWS = _rows()
"""By name: PE x SIMD, what is in it, device."""
