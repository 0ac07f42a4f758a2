"""Settings of the PLLs of iCE40 and ECP5: which dividers make a frequency from an oscillator.

The search tries every combination of dividers that can be nearest; among equally good ones it takes the fastest phase detector,
then the VCO nearest the middle of its range (least jitter, most margin). Limits are those of the data sheets.

References
----------
Lattice, iCE40 sysCLOCK PLL Design and Usage Guide (FPGA-TN-02052), section 3 and iCE40 UltraPlus data sheet (FPGA-DS-02008),
table 4.22. Lattice, ECP5 and ECP5-5G data sheet (FPGA-DS-02012), sysCLOCK PLL timing; sysCLOCK guide (FPGA-TN-02200).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import TypeVar

TOLERANCE = Fraction(1, 1000)
"""Largest relative distance of the clock that is made from the one that was asked for."""

MHZ = 1_000_000


@dataclass(frozen=True, slots=True)
class Range:
    """A closed range of frequencies.

    Parameters
    ----------
    low_hz, high_hz : int - its ends, both allowed
    """

    low_hz: int
    high_hz: int

    def __contains__(self, frequency_hz: Fraction | int) -> bool:
        return self.low_hz <= frequency_hz <= self.high_hz

    def __str__(self) -> str:
        return f"{self.low_hz / MHZ:g} to {self.high_hz / MHZ:g} MHz"


@dataclass(frozen=True, slots=True)
class Ice40PllSetting:
    """Dividers of an SB_PLL40 with simple feedback.  (f_out = f_in * (divf + 1) / (divr + 1) / 2**divq)

    Parameters
    ----------
    input_hz : int - frequency of the oscillator
    divr, divf, divq : int - reference 0 .. 15, feedback 0 .. 127 and output 1 .. 6 dividers as the primitive takes them
    """

    input_hz: int
    divr: int
    divf: int
    divq: int

    INPUT = Range(10 * MHZ, 133 * MHZ)
    PHASE_DETECTOR = Range(10 * MHZ, 133 * MHZ)
    VCO = Range(533 * MHZ, 1066 * MHZ)
    OUTPUT = Range(16 * MHZ, 275 * MHZ)
    _FILTER_BELOW_MHZ = (17, 26, 44, 66, 101)

    @property
    def phase_detector_hz(self) -> Fraction:
        return Fraction(self.input_hz, self.divr + 1)

    @property
    def vco_hz(self) -> Fraction:
        return self.phase_detector_hz * (self.divf + 1)

    @property
    def output_hz(self) -> Fraction:
        return self.vco_hz / 2**self.divq

    @property
    def filter_range(self) -> int:
        """Setting of the loop filter, 1 .. 6, by the frequency at the phase detector."""
        return 1 + sum(self.phase_detector_hz >= limit * MHZ for limit in self._FILTER_BELOW_MHZ)


@dataclass(frozen=True, slots=True)
class Ecp5PllSetting:
    """Dividers of an EHXPLLL whose feedback is its output CLKOP.  (f_vco = f_in / clki_div * clkfb_div * clkop_div)

    The clock is CLKOP itself where that divides well, else CLKOS, the same VCO through a divider of its own.

    Parameters
    ----------
    input_hz : int - frequency of the oscillator
    clki_div, clkfb_div, clkop_div : int - reference, feedback and first output's dividers, 1 .. 128 each
    clkos_div : int | None - divider of CLKOS, 1 .. 128; None: the clock is CLKOP
    """

    input_hz: int
    clki_div: int
    clkfb_div: int
    clkop_div: int
    clkos_div: int | None = None

    INPUT = Range(8 * MHZ, 400 * MHZ)
    PHASE_DETECTOR = Range(10 * MHZ, 400 * MHZ)
    VCO = Range(400 * MHZ, 800 * MHZ)
    OUTPUT = Range(3_125_000, 400 * MHZ)

    @property
    def phase_detector_hz(self) -> Fraction:
        return Fraction(self.input_hz, self.clki_div)

    @property
    def vco_hz(self) -> Fraction:
        return self.phase_detector_hz * self.clkfb_div * self.clkop_div

    @property
    def feedback_hz(self) -> Fraction:
        """Frequency of CLKOP."""
        return self.vco_hz / self.clkop_div

    @property
    def output_hz(self) -> Fraction:
        return self.vco_hz / (self.clkos_div or self.clkop_div)


PllSetting = Ice40PllSetting | Ecp5PllSetting
Setting = TypeVar("Setting", Ice40PllSetting, Ecp5PllSetting)


def ice40_pll(input_hz: int, output_hz: int) -> Ice40PllSetting:
    """Dividers that make `output_hz` from `input_hz` on an iCE40.

    Returns
    -------
    Ice40PllSetting - the setting nearest to `output_hz`; its `output_hz` is what it makes

    Raises
    ------
    ValueError - `input_hz` or `output_hz` is out of range, or no setting comes within `TOLERANCE`
    """
    settings = (
        Ice40PllSetting(input_hz, divr, divf, divq)
        for divr in range(16)
        for divq in range(1, 7)
        for divf in _around(Fraction(output_hz * 2**divq * (divr + 1), input_hz) - 1, 0, 127)
    )
    return _nearest(settings, Ice40PllSetting, input_hz, output_hz)


def ecp5_pll(input_hz: int, output_hz: int) -> Ecp5PllSetting:
    """Dividers that make `output_hz` from `input_hz` on an ECP5.

    Returns
    -------
    Ecp5PllSetting - the setting nearest to `output_hz`; its `output_hz` is what it makes

    Raises
    ------
    ValueError - `input_hz` or `output_hz` is out of range, or no setting comes within `TOLERANCE`
    """
    most_clki_div = max(1, min(128, input_hz // Ecp5PllSetting.PHASE_DETECTOR.low_hz))
    direct = (
        Ecp5PllSetting(input_hz, clki_div, clkfb_div, clkop_div)
        for clki_div in range(1, most_clki_div + 1)
        for clkfb_div in _around(Fraction(output_hz * clki_div, input_hz), 1, 128)
        for clkop_div in range(1, 129)
    )
    try:
        return _nearest(direct, Ecp5PllSetting, input_hz, output_hz, TOLERANCE / 1000)
    except ValueError:
        pass  # not an exact multiple of the reference: divide the VCO apart
    through_clkos = (
        Ecp5PllSetting(input_hz, clki_div, 1, clkop_div, clkos_div)
        for clki_div in range(1, most_clki_div + 1)
        for clkop_div in range(1, 129)
        for clkos_div in _around(Fraction(input_hz * clkop_div, clki_div * output_hz), 1, 128)
    )
    return _nearest(through_clkos, Ecp5PllSetting, input_hz, output_hz)


def _around(quotient: Fraction, least: int, most: int) -> tuple[int, ...]:
    """The dividers from `least` to `most` just below and above `quotient`."""
    return tuple(n for n in (floor(quotient), floor(quotient) + 1) if least <= n <= most)


def _nearest(
    settings: Iterable[Setting],
    kind: type[Setting],
    input_hz: int,
    output_hz: int,
    tolerance: Fraction = TOLERANCE,
) -> Setting:
    """The legal one of `settings` whose output is nearest; ValueError where it is further than `tolerance`."""
    for name, value, allowed in (
        ("input", input_hz, kind.INPUT),
        ("output", output_hz, kind.OUTPUT),
    ):
        if value not in allowed:
            raise ValueError(f"PLL {name} must be {allowed}, not {value / MHZ:g} MHz")
    middle = (kind.VCO.low_hz + kind.VCO.high_hz) // 2
    possible = (
        setting
        for setting in settings
        if setting.phase_detector_hz in kind.PHASE_DETECTOR
        and setting.vco_hz in kind.VCO
        and setting.output_hz in kind.OUTPUT
    )
    best = min(
        possible,
        key=lambda s: (
            abs(s.output_hz - output_hz),
            -s.phase_detector_hz,
            abs(s.vco_hz - middle),
        ),
        default=None,
    )
    if best is None or abs(best.output_hz - output_hz) > tolerance * output_hz:
        nearest = "" if best is None else f"; the nearest is {float(best.output_hz) / MHZ:g} MHz"
        raise ValueError(
            f"PLL output must be a frequency that its dividers make from {input_hz / MHZ:g} MHz, "
            f"not {output_hz / MHZ:g} MHz{nearest}"
        )
    return best
