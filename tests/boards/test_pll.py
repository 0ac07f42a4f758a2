import re
import shutil
import subprocess
import sysconfig
from fractions import Fraction
from pathlib import Path

import pytest
from rbonn.boards.pll import Ecp5PllSetting, Ice40PllSetting, ecp5_pll, ice40_pll

MHZ = 1_000_000


@pytest.mark.parametrize("input_mhz", [10, 12, 16, 25, 48, 100, 133])
def test_every_ice40_setting_is_legal_and_makes_the_frequency_by_the_guides_formula(input_mhz):
    made = 0
    for output_khz in range(16_000, 275_001, 3_625):
        try:
            s = ice40_pll(input_mhz * MHZ, output_khz * 1_000)
        except ValueError:
            continue
        made += 1
        # The technote's formula in floating point, written out independently of the class.
        pfd = input_mhz / (1 + s.divr)
        vco = pfd * (1 + s.divf)
        output = vco / 2**s.divq
        assert 0 <= s.divr <= 15
        assert 0 <= s.divf <= 127
        assert 1 <= s.divq <= 6
        assert 10 <= pfd <= 133
        assert 533 <= vco <= 1066
        assert abs(output * 1_000 / output_khz - 1) <= 0.001
        assert float(s.output_hz) == pytest.approx(output * 1e6)
        assert s.filter_range == next(
            number
            for number, below in enumerate((17, 26, 44, 66, 101, 1_000), start=1)
            if pfd < below
        )
    assert made > 5


@pytest.mark.parametrize("input_mhz", [8, 10, 12, 25, 27, 48])
def test_every_ecp5_setting_is_legal_and_makes_the_frequency_by_the_guides_formula(input_mhz):
    made = 0
    for output_khz in range(3_125, 400_001, 12_675):
        try:
            s = ecp5_pll(input_mhz * MHZ, output_khz * 1_000)
        except ValueError:
            continue
        made += 1
        pfd = input_mhz / s.clki_div
        clkop = pfd * s.clkfb_div  # the loop holds CLKOP / CLKFB_DIV at the reference
        vco = clkop * s.clkop_div
        output = clkop if s.clkos_div is None else vco / s.clkos_div
        for divider in (s.clki_div, s.clkfb_div, s.clkop_div, s.clkos_div or 1):
            assert 1 <= divider <= 128
        assert 10 <= pfd <= 400
        assert 400 <= vco <= 800
        assert abs(output * 1_000 / output_khz - 1) <= 0.001
        assert float(s.output_hz) == pytest.approx(output * 1e6)
    assert made > 5 or input_mhz < 10  # below 10 MHz the phase detector is out of range


def test_the_boards_clocks_are_made_exactly():
    assert ice40_pll(12 * MHZ, 24 * MHZ) == Ice40PllSetting(12 * MHZ, 0, 63, 5)
    assert ice40_pll(12 * MHZ, 24 * MHZ).vco_hz == 768 * MHZ
    assert ecp5_pll(25 * MHZ, 50 * MHZ) == Ecp5PllSetting(25 * MHZ, 1, 2, 12)
    assert ecp5_pll(25 * MHZ, 50 * MHZ).vco_hz == 600 * MHZ


def test_an_ecp5_makes_frequencies_that_are_no_multiple_of_the_reference_through_clkos():
    setting = ecp5_pll(25 * MHZ, 60 * MHZ)
    assert setting.output_hz == 60 * MHZ
    assert setting.clkos_div is not None
    assert ecp5_pll(25 * MHZ, 33_333_333).output_hz == Fraction(100 * MHZ, 3)


@pytest.mark.parametrize(
    ("search", "input_mhz", "output_mhz", "message"),
    [
        (ice40_pll, 9, 24, "PLL input must be 10 to 133 MHz, not 9 MHz"),
        (ice40_pll, 12, 15, "PLL output must be 16 to 275 MHz, not 15 MHz"),
        (ice40_pll, 12, 276, "PLL output must be 16 to 275 MHz, not 276 MHz"),
        (ice40_pll, 12, 25, "not 25 MHz; the nearest is 25.125 MHz"),
        (ecp5_pll, 7, 50, "PLL input must be 8 to 400 MHz, not 7 MHz"),
        (ecp5_pll, 25, 401, "PLL output must be 3.125 to 400 MHz, not 401 MHz"),
        (ecp5_pll, 25, 48, "not 48 MHz; the nearest is 48.0769 MHz"),
    ],
)
def test_frequencies_that_cannot_be_made_are_refused_with_the_nearest(
    search, input_mhz, output_mhz, message
):
    with pytest.raises(ValueError, match=re.escape(message)):
        search(input_mhz * MHZ, output_mhz * MHZ)


@pytest.mark.synth
@pytest.mark.parametrize("output_mhz", [16.5, 24, 30, 48, 60, 96, 120])
def test_icestorms_own_calculator_finds_no_better_ice40_setting(output_mhz):
    icepll = shutil.which("yowasp-icepll", path=sysconfig.get_path("scripts"))
    assert icepll is not None
    text = subprocess.run(
        [icepll, "-i", "12", "-o", str(output_mhz)], capture_output=True, text=True, check=True
    ).stdout
    theirs = float(re.search(r"F_PLLOUT:\s*([\d.]+) MHz \(achieved\)", text)[1])
    ours = ice40_pll(12 * MHZ, int(output_mhz * MHZ))
    assert abs(float(ours.output_hz) / MHZ - output_mhz) <= abs(theirs - output_mhz) + 1e-6
    if float(ours.output_hz) / MHZ == theirs:
        assert f"FILTER_RANGE: {ours.filter_range} " in text


@pytest.mark.synth
@pytest.mark.parametrize("output_mhz", [25, 40, 50, 60, 75, 80, 100])
def test_trellis_own_calculator_finds_the_same_ecp5_frequency(output_mhz, tmp_path: Path):
    ecppll = shutil.which("yowasp-ecppll", path=sysconfig.get_path("scripts"))
    assert ecppll is not None
    subprocess.run(
        [ecppll, "-i", "25", "-o", str(output_mhz), "--highres", "-f", "pll.v"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    theirs = float(re.search(r"clkout0, // ([\d.]+) MHz", (tmp_path / "pll.v").read_text())[1])
    assert float(ecp5_pll(25 * MHZ, output_mhz * MHZ).output_hz) / MHZ == pytest.approx(theirs)
