"""Cuts integers into bit planes, so that an array of XNORs multiplies them with binary weights, bit by bit.

A transfer of `lanes` integers of n bits becomes n transfers of `lanes` bits: plane 0, the lowest bits, first. With weights of +1 and
-1, p_k being the lanes of plane k that match,

    sum over k of 2 ** k * p_k = sum of w * x + (2 ** n - 1) * (number of weights -1)

so the array counts the products up to a constant of each row, which its preset takes back (`code_offset`). Two's complement is made
unsigned by inverting the highest plane, which adds 2 ** (n - 1) to every integer and so another constant. A padded tap whose code is that
of 0 adds nothing but its constant: zero padding needs no border classes.

Plane 0 first, because the array then halves what it has counted instead of doubling it: its adder stays as narrow as one beat's count.

Latency is 1 cycle, throughput is one plane per cycle without a gap. A reset drops what is held. Storage is lanes * n registers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from amaranth import *
from amaranth.lib import stream, wiring

from .counter import step_counter
from .stage import stage_ports


@dataclass(frozen=True, slots=True)
class BitPlanesConfig:
    """Shape of a `BitPlanes`.

    Parameters
    ----------
    element_bits : int - bits of an integer, the number of planes, at least 1
    lanes : int - integers per transfer, at least 1
    transfers : int - input transfers of a frame, at least 1; only the numbers per frame depend on it
    signed : bool - integers are two's complement
    """

    element_bits: int
    lanes: int
    transfers: int = 1
    signed: bool = False

    def __post_init__(self) -> None:
        for name in ("element_bits", "lanes", "transfers"):
            if getattr(self, name) < 1:
                subject = name.replace("_", " ").capitalize()
                raise ValueError(f"{subject} must be at least 1, not {getattr(self, name)!r}")

    @property
    def input_width(self) -> int:
        return self.lanes * self.element_bits

    @property
    def output_width(self) -> int:
        return self.lanes

    @property
    def inputs_per_frame(self) -> int:
        return self.transfers

    @property
    def outputs_per_frame(self) -> int:
        return self.transfers * self.element_bits

    @property
    def interval_cycles(self) -> int:
        """Cycles per frame: every plane takes one."""
        return self.outputs_per_frame

    @property
    def latency_cycles(self) -> int:
        """Cycles from the acceptance of a transfer to the offer of its plane 0."""
        return 1

    def component(self) -> BitPlanes:
        return BitPlanes(self)


def code_offset(matrix: np.ndarray, element_bits: int, signed: bool) -> np.ndarray:
    """What products of integers and binary weights count beyond the signed sum, when both are taken as unsigned codes.

    A lane with weight -1 counts ``2 ** n - 1 - code`` instead of ``-x``, one with weight +1 its code; the code of a two's complement
    integer is ``x + 2 ** (n - 1)``. So the offset is ``(2 ** n - 1) * n_negative``, or for two's complement
    ``2 ** (n - 1) * n_columns - n_negative``.

    Parameters
    ----------
    matrix : (rows, columns) - weights, +1 or -1
    element_bits : int - n, bits of an integer
    signed : bool - integers are two's complement

    Returns int64 (rows)
    """
    n_negative = np.count_nonzero(matrix < 0, axis=1).astype(np.int64)
    if signed:
        return (1 << (element_bits - 1)) * matrix.shape[1] - n_negative
    return ((1 << element_bits) - 1) * n_negative


class BitPlanes(wiring.Component):
    """See the module.

    Members
    -------
    i : In(stream.Signature(unsigned(lanes * element_bits))) - lane 0 least significant
    o : Out(stream.Signature(unsigned(lanes))) - plane by plane, lane 0 least significant
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: BitPlanesConfig) -> None:
        self.config = config
        super().__init__(stage_ports(config.input_width, config.output_width))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits, lanes = self.config.element_bits, self.config.lanes
        plane, is_last = Signal(range(bits)), Signal(init=bits == 1)
        load, shift = Signal(), Signal()
        m.d.comb += [
            shift.eq(self.o.valid & self.o.ready),
            self.i.ready.eq(~self.o.valid | (self.o.ready & is_last)),
            load.eq(self.i.valid & self.i.ready),
        ]
        with m.If(shift):
            step_counter(m, plane, is_last, bits)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid)

        # Every lane is a shift register, its lowest bit on the output.
        for lane in range(lanes):
            element = self.i.payload.word_select(lane, bits)
            code = element ^ (self.config.signed << (bits - 1))
            register = Signal(bits, name=f"lane{lane}", reset_less=True)
            with m.If(load):
                m.d.sync += register.eq(code)
            with m.Elif(shift):
                m.d.sync += register.eq(Cat(register[1:], register[-1]))
            m.d.comb += self.o.payload[lane].eq(register[0])
        return m
