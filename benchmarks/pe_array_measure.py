"""Cells and clock of one stage with the open tools, for `pe_array.py`.

Cells are those of the stage alone, its streams being the top level's ports. For the clock it is placed behind shift registers, so that
streams of any width need no pins; the registers are in the number of cells after placement.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.back import verilog
from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from rbonn.boards import Family
from rbonn.sw.build.carry_cells import lighten_carry_cells
from rbonn.sw.build.process import last_error, run_tool
from rbonn.sw.build.report import FINISHED, cells_of, clocks_of, utilisation_of
from rbonn.sw.build.toolchain import find_tool
from rbonn.sw.errors import BuildFailedError

SYNTHESIS_SECONDS = 600
PLACE_SECONDS = 300


@dataclass(frozen=True)
class Device:
    """A device as the tools are asked for it.

    Parameters
    ----------
    family : Family
    synthesis : str - yosys' command
    place : tuple of str - options of nextpnr that select the device
    asked_mhz : int - clock that place and route tries to reach, above what they do reach
    """

    family: Family
    synthesis: str
    place: tuple[str, ...]
    asked_mhz: int

    @property
    def tools(self) -> list[str]:
        return [str(find_tool(name)) for name in ("yosys", f"nextpnr-{self.family}")]

    def place_command(self, seed: int) -> list[str]:
        """Options of nextpnr for one seed."""
        # A clock that is not reached is a result here, not an error.
        return [
            *self.place, "--json", "net.json", "--report", "report.json", "--seed", str(seed),
            "--freq", str(self.asked_mhz), "--timing-allow-fail",
        ]  # fmt: skip


DEVICES: dict[str, Device] = {
    "iCE40UP5K": Device(
        "ice40",
        "synth_ice40 -device u",
        ("--up5k", "--package", "sg48", "--pcf-allow-unconstrained"),
        90,
    ),
    "iCE40HX8K": Device(
        "ice40",
        "synth_ice40 -device hx",
        ("--hx8k", "--package", "ct256", "--pcf-allow-unconstrained"),
        160,
    ),
    "ECP5-25F": Device(
        "ecp5",
        "synth_ecp5 -nowidelut",
        ("--25k", "--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained"),
        250,
    ),
}


class Streams(wiring.Component):
    """A stage with its streams alone: what else it shows for observation costs nothing where nobody looks."""

    def __init__(self, component: wiring.Component) -> None:
        self.component = component
        members = component.signature.members
        super().__init__({name: members[name] for name in _stream_names(component)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.stage = self.component
        for name in _stream_names(self.component):
            outer, inner = getattr(self, name), getattr(self.component, name)
            if name == "o":
                wiring.connect(m, inner, wiring.flipped(outer))
            else:
                wiring.connect(m, wiring.flipped(outer), inner)
        return m


class Serial(wiring.Component):
    """A stage between shift registers: each stream has one pin for its payload, whatever its width.

    Members
    -------
    bits, valids, readies : one bit for each stream of the stage, in order of their names, as far as it comes from outside
    """

    def __init__(self, component: wiring.Component) -> None:
        self.component = component
        self.inputs = [name for name in _stream_names(component) if name != "o"]
        super().__init__(
            {
                **{f"{name}_bit": In(1) for name in self.inputs},
                **{f"{name}_valid": In(1) for name in self.inputs},
                **{f"{name}_ready": Out(1) for name in self.inputs},
                "o_bit": Out(1),
                "o_valid": Out(1),
                "o_ready": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.stage = stage = self.component
        for name in self.inputs:
            port = getattr(stage, name)
            shift = Signal(len(Value.cast(port.payload)), name=f"{name}_shift", reset_less=True)
            m.d.comb += Value.cast(port.payload).eq(shift)
            m.d.sync += [
                shift.eq(shift << 1 | getattr(self, f"{name}_bit")),
                port.valid.eq(getattr(self, f"{name}_valid")),
                getattr(self, f"{name}_ready").eq(port.ready),
            ]
        payload = Value.cast(stage.o.payload)
        shift = Signal(len(payload), name="o_shift", reset_less=True)
        m.d.comb += self.o_bit.eq(shift[0])
        m.d.sync += [
            shift.eq(shift >> 1),
            stage.o.ready.eq(self.o_ready),
            self.o_valid.eq(stage.o.valid),
        ]
        with m.If(stage.o.valid & stage.o.ready):
            m.d.sync += shift.eq(payload)
        return m


def _stream_names(component: wiring.Component) -> list[str]:
    return [name for name in ("i", "i_weights", "o") if name in component.signature.members]


class Measurement:
    """Measures one stage on one device.

    Parameters
    ----------
    device : Device
    component : Callable - makes the stage; called for each use
    folder : Path - for the tools' files
    """

    def __init__(
        self, device: Device, component: Callable[[], wiring.Component], folder: Path
    ) -> None:
        self.device = device
        self.folder = folder
        self.texts = {
            name: verilog.convert(wrapper(component()), name="top", emit_src=False)
            for name, wrapper in (("alone", Streams), ("serial", Serial))
        }

    @property
    def key(self) -> str:
        """Digest of everything that the numbers follow from."""
        parts = [*self.texts.values(), self.device.synthesis, *self.device.tools]
        parts += self.device.place_command(0)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    def cells(self) -> dict[str, int]:
        """What the stage alone is made of, after synthesis."""
        found = self._synthesise("alone")

        def count(pattern: str) -> int:
            return sum(n for kind, n in found.items() if re.fullmatch(pattern, kind))

        lut4, carries = count("SB_LUT4|LUT4"), count("SB_CARRY|CCU2C")
        return {
            # A CCU2C stands in the place of two LUT4; an SB_CARRY stands beside one.
            "lut_equivalents": lut4 + (2 * carries if self.device.family == "ecp5" else 0),
            "lut4": lut4,
            "carries": carries,
            "flip_flops": count("SB_DFF.*|TRELLIS_FF"),
            "block_rams": count("SB_RAM40_4K.*|DP16KD|PDPW16KD"),
            "lut_rams": count("TRELLIS_DPR16X4"),
            "dsp": count("SB_MAC16|MULT18X18D"),
        }

    def clocks(self, seeds: Sequence[int]) -> dict[str, Any]:
        """Logic cells after placement and the clock of each seed in MHz; None where it was not routed within `PLACE_SECONDS`."""
        self._synthesise("serial")
        clocks: list[float | None] = []
        logic_cells = 0
        for seed in seeds:
            report = self._place(seed)
            if report is None:
                clocks.append(None)
                continue
            used = utilisation_of(report)
            logic_cells = used["ICESTORM_LC" if self.device.family == "ice40" else "TRELLIS_COMB"]
            clocks.append(round(min(got for got, _ in clocks_of(report).values()) / 1e6, 1))
        return {"logic_cells": logic_cells or None, "mhz": clocks}

    def _synthesise(self, name: str) -> dict[str, int]:
        (self.folder / f"{name}.v").write_text(self.texts[name])
        script = (
            f"read_verilog {name}.v; {self.device.synthesis} -top top -json net.json; "
            "tee -q -o stat.json stat -json"
        )
        log = self.folder / f"{name}.log"
        yosys = find_tool("yosys").path
        if run_tool(
            [yosys, "-q", "-p", script], self.folder, log, timeout_seconds=SYNTHESIS_SECONDS
        ):
            raise RuntimeError(f"yosys: {last_error(log)}")
        if self.device.family == "ecp5":
            netlist = self.folder / "net.json"
            netlist.write_text(lighten_carry_cells(netlist.read_text()))
        return cells_of(self.folder / "stat.json")

    def _place(self, seed: int) -> dict[str, Any] | None:
        """Report of nextpnr, or None where it did not finish in time."""
        log = self.folder / f"place{seed}.log"
        nextpnr = find_tool(f"nextpnr-{self.device.family}").path
        command = [nextpnr, *self.device.place_command(seed)]
        try:
            status = run_tool(command, self.folder, log, timeout_seconds=PLACE_SECONDS)
        except BuildFailedError:
            return None
        # Without this line the clock in the log is an estimate before routing.
        if status or FINISHED not in log.read_text():
            raise RuntimeError(f"nextpnr: {last_error(log)}")
        return json.loads((self.folder / "report.json").read_text())
