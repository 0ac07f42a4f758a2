"""Simulation of generated Verilog with cocotb, compared bit for bit with expected arrays.

What a design must look like to be simulated by `simulate`:

- module ``top`` has the ports ``clk``, ``rst`` (synchronous, active high) and two streams, as ``amaranth.back.verilog.convert`` names those of
  a component with ports `i` and `o`: ``i__payload``, ``i__valid``, ``i__ready``, ``o__payload``, ``o__valid``, ``o__ready``;
- for each `Probe` the same module (not a submodule) has two wires, in Amaranth::

      strobe = Signal(name=f"probe_{edge}_strobe")
      data = Signal(lanes * element_bits, name=f"probe_{edge}_data")
      m.d.comb += [strobe.eq(stream.valid & stream.ready), data.eq(Value.cast(stream.payload))]

  Amaranth keeps every named signal that is driven, so no ``keep`` attribute is needed; without one, synthesis removes the probes, and what is
  simulated and what is built is the same Verilog. The bench reads them as ``dut.probe_<edge>_strobe``, in Verilator and in Icarus Verilog.
"""

from .plan import Limits
from .run import SIMULATORS
from .scoreboard import Mismatch
from .simulation import SimulationResult, simulate
from .specification import Field, OutputSpec, Probe, Stalls, StreamSpec

__all__ = [
    "SIMULATORS",
    "Field",
    "Limits",
    "Mismatch",
    "OutputSpec",
    "Probe",
    "SimulationResult",
    "Stalls",
    "StreamSpec",
    "simulate",
]
