"""What the stages of a residual block cost, and the clock that they reach: one row for each stage, shape and form.

Cells are those of the stage alone after synthesis; the clock is that of place and route behind shift registers, so that streams
of any width need no pins, the slowest of three seeds. Constants are random, as wide as lowering makes them: 16-bit multipliers, results of 16 bits. Takes
about half an hour; writes `results/residual_stages.json`, of which rows that are not asked for stay as they are:

    python benchmarks/residual_stages.py [TEXT IN NAMES ...]
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.back import verilog
from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from pe_array_measure import DEVICES, Device, Measurement
from rbonn.hw.affine import AffineConfig
from rbonn.hw.concat_channels import ConcatChannelsConfig
from rbonn.hw.fork import ForkConfig
from rbonn.hw.prelu import PReLUConfig
from rbonn.hw.residual_add import ResidualAddConfig
from rbonn.hw.stage import StageConfig
from rbonn.sw.build.toolchain import find_tools, use_in_amaranth, warm_up
from rbonn.sw.files import written_whole

RESULT = Path(__file__).parent / "results" / "residual_stages.json"
SEEDS = (1, 2, 3)
STREAM_BITS = 16

GROUPS = {1: (4, 16, 144), 2: (2, 32, 288), 3: (1, 64, 576)}
"""Of ResNet-20 at 4 096 cycles a frame: lanes, channels, and taps of a sum."""

ECP5_85F = Device(
    "ecp5",
    "synth_ecp5 -nowidelut",
    ("--85k", "--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained"),
    250,
)
UP5K = Device("ice40", "synth_ice40 -device u", DEVICES["iCE40UP5K"].place, 60)


def affine(group: int, **options: Any) -> AffineConfig:
    """A block's affine layer: random multipliers of 16 bits, results within the stream's range."""
    lanes, channels, taps = GROUPS[group]
    rng = np.random.default_rng(group)
    multipliers = rng.integers(-(2**15) + 1, 2**15, channels)
    shift = 10 if group == 1 else 11
    offsets = rng.integers(-(2**22), 2**22, channels)
    return AffineConfig(
        taps.bit_length() + 1, tuple(multipliers.tolist()), tuple(offsets.tolist()), shift, STREAM_BITS, lanes,
        lowest=-taps, highest=taps, **options,
    )  # fmt: skip


def shortcut(group: int) -> AffineConfig:
    """Behind the average of a shortcut that halves the image, whose channels are those of the group before."""
    lanes, channels, _ = GROUPS[group]
    ones = (1,) * (channels // 2)
    return AffineConfig(STREAM_BITS + 2, ones, (0,) * len(ones), 2, STREAM_BITS, lanes)


def powers(group: int) -> PReLUConfig:
    """Slopes between 1/2 and 1/32."""
    lanes, channels, _ = GROUPS[group]
    exponents = np.random.default_rng(group).integers(1, 6, channels)
    return PReLUConfig(STREAM_BITS, tuple((1 << exponents).tolist()), 6, lanes)


def slopes(group: int, **options: Any) -> PReLUConfig:
    lanes, channels, _ = GROUPS[group]
    found = np.random.default_rng(group).integers(1, 1 << 14, channels)
    return PReLUConfig(STREAM_BITS, tuple(found.tolist()), 15, lanes, **options)


def rows() -> dict[str, tuple[StageConfig, Device]]:
    """Stage and device of each row."""
    ecp5, found = {"read_latency": 2, "form": "ecp5"}, {}
    for group, (lanes, channels, _) in GROUPS.items():
        shape = f"{lanes} x {channels} channels, ECP5"
        for memory in ("logic", "block"):
            if memory == "block" and group == 1:
                continue  # four words for each lane: logic is as small
            config = affine(group, multiplier="ecp5", memory=memory, **ecp5)
            found[f"affine, {memory}, {shape}"] = (config, ECP5_85F)
        found[f"affine, joined ready, {shape}"] = (affine(group, multiplier="ecp5", output_places=0), ECP5_85F)  # fmt: skip
        found[f"affine, inferred, {shape}"] = (affine(group), ECP5_85F)
        found[f"affine, no multiplier, {shape}"] = (affine(group, multiplier="logic"), ECP5_85F)
        found[f"prelu, powers of two, {shape}"] = (powers(group), ECP5_85F)
        found[f"prelu, free slopes, {shape}"] = (slopes(group, multiplier="ecp5"), ECP5_85F)
        if group > 1:
            found[f"affine of a shortcut, {shape}"] = (shortcut(group), ECP5_85F)
            concat = ConcatChannelsConfig(channels // 2, STREAM_BITS, lanes, 2)
            found[f"concat_channels, {shape}"] = (concat, ECP5_85F)
        found[f"residual_add, {shape}"] = (ResidualAddConfig(STREAM_BITS, lanes), ECP5_85F)
        found[f"fork, {shape}"] = (ForkConfig(STREAM_BITS * lanes, 2), ECP5_85F)
    shape = "1 x 64 channels, UP5K"
    found[f"prelu, powers of two, {shape}"] = (powers(3), UP5K)
    found[f"residual_add, {shape}"] = (ResidualAddConfig(STREAM_BITS, 1), UP5K)
    found[f"fork, {shape}"] = (ForkConfig(STREAM_BITS, 2), UP5K)
    for name, options in {
        "affine, logic": {"multiplier": "ice40"},
        "affine, block": {"multiplier": "ice40", "memory": "block"},
        "affine, no multiplier": {"multiplier": "logic"},
    }.items():
        found[f"{name}, {shape}"] = (affine(3, **options), UP5K)
    return found


class Serial(wiring.Component):
    """A stage between shift registers, all its streams: a pin for each payload, whatever its width."""

    def __init__(self, stage: wiring.Component) -> None:
        self.stage = stage
        members = stage.signature.members
        self.inputs = [name for name, member in members.items() if member.flow is In]
        self.outputs = [name for name in members if name not in self.inputs]
        ports: dict[str, wiring.Member] = {}
        for name in members:
            way, back = (In, Out) if name in self.inputs else (Out, In)
            ports |= {f"{name}_bit": way(1), f"{name}_valid": way(1), f"{name}_ready": back(1)}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.stage = self.stage
        for name in (*self.inputs, *self.outputs):
            port = getattr(self.stage, name)
            payload = Value.cast(port.payload)
            shift = Signal(len(payload), name=f"{name}_shift", reset_less=True)
            bit, valid, ready = (getattr(self, f"{name}_{part}") for part in ("bit", "valid", "ready"))  # fmt: skip
            if name in self.inputs:
                m.d.comb += payload.eq(shift)
                m.d.sync += [shift.eq(shift << 1 | bit), port.valid.eq(valid), ready.eq(port.ready)]
                continue
            m.d.comb += bit.eq(shift[0])
            m.d.sync += [shift.eq(shift >> 1), port.ready.eq(ready), valid.eq(port.valid)]
            with m.If(port.valid & port.ready):
                m.d.sync += shift.eq(payload)
        return m


class StageMeasurement(Measurement):
    """The same for a stage with any streams."""

    def __init__(
        self, device: Device, component: Callable[[], wiring.Component], folder: Path
    ) -> None:
        self.device = device
        self.folder = folder
        self.texts = {
            name: verilog.convert(top, name="top", emit_src=False)
            for name, top in (("alone", component()), ("serial", Serial(component())))
        }


def main() -> None:
    use_in_amaranth()
    warm_up(*find_tools("ecp5").values(), *find_tools("ice40").values())
    values = json.loads(RESULT.read_text()) if RESULT.exists() else {"schema": 1, "rows": {}}
    values["seeds"] = SEEDS
    for name, (config, device) in rows().items():
        if sys.argv[1:] and not any(text in name for text in sys.argv[1:]):
            continue
        with tempfile.TemporaryDirectory() as folder:
            measurement = StageMeasurement(device, config.component, Path(folder))
            if values["rows"].get(name, {}).get("key") == measurement.key:
                continue
            row = {
                "key": measurement.key,
                "latency_cycles": config.latency_cycles,
                **measurement.cells(),
                "mhz": measurement.clocks(SEEDS)["mhz"],
            }
        values["rows"][name] = row
        print(name, row, flush=True)
        with written_whole(RESULT) as temporary:
            temporary.write_text(json.dumps(values, indent=1) + "\n")


if __name__ == "__main__":
    main()
