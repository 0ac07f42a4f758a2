import json
from pathlib import Path

import pytest
from rbonn.boards import ICEBREAKER, ULX3S_25F
from rbonn.sw.build.report import (
    NoPlaceError,
    cells_of,
    check_finished,
    check_fits,
    clocks_of,
    resources_of,
    utilisation_of,
)
from rbonn.sw.errors import BuildFailedError, DoesNotFitError

TABLE = """Info: Device utilisation:
Info: \t         ICESTORM_LC: {logic:>7}/   5280   {percent}%
Info: \t        ICESTORM_RAM: {rams:>7}/     30    40%
Info: \t               SB_IO:       3/     39     7%
"""


def log(folder: Path, text: str) -> Path:
    path = folder / "nextpnr.log"
    path.write_text(text)
    return path


def test_cells_are_read_from_yosys_and_counted_by_kind(tmp_path: Path):
    stat = tmp_path / "stat.json"
    cells = {"SB_LUT4": 7, "SB_CARRY": 3, "SB_DFF": 2, "SB_DFFESR": 5, "SB_RAM40_4K": 4}
    stat.write_text(json.dumps({"modules": {}, "design": {"num_cells_by_type": cells}}))
    assert cells_of(stat) == cells
    resources = resources_of("ice40", cells, {"ICESTORM_LC": 12})
    assert resources.lut4 == 7
    assert resources.carry == 3
    assert resources.ff == 7
    assert resources.block_rams == 4
    assert resources.dsp == 0
    assert resources.logic_cells == 12


def test_a_carry_cell_of_an_ecp5_counts_as_the_two_lookup_tables_it_takes():
    cells = {"LUT4": 10, "CCU2C": 3, "TRELLIS_FF": 8, "DP16KD": 2, "PDPW16KD": 1, "PFUMX": 4}
    resources = resources_of("ecp5", cells, {"TRELLIS_COMB": 20})
    assert (resources.lut4, resources.carry, resources.ff) == (16, 3, 8)
    assert (resources.block_rams, resources.dsp, resources.logic_cells) == (3, 0, 20)


def test_clocks_and_utilisation_are_read_from_nextpnr():
    report = {
        "fmax": {"clk": {"achieved": 62.5, "constraint": 24.0}},
        "utilization": {"ICESTORM_LC": {"used": 5, "available": 5280}},
    }
    assert clocks_of(report) == {"clk": (62.5e6, 24e6)}
    assert utilisation_of(report) == {"ICESTORM_LC": 5}


def test_only_a_log_that_ends_normally_counts(tmp_path: Path):
    check_finished(log(tmp_path, "Info: Max frequency\n\nInfo: Program finished normally.\n"))
    with pytest.raises(BuildFailedError, match="did not finish"):
        check_finished(log(tmp_path, "Info: Max frequency for clock 'clk': 99 MHz\n"))


@pytest.mark.parametrize(
    ("logic", "rams", "expected"),
    [
        (6_377, 12, "the design needs 6377 logic cells, the iCE40UP5K has 5280"),
        (5_290, 44, "the design needs 44 block RAMs, the iCE40UP5K has 30"),
    ],
)
def test_the_resource_that_is_most_overused_is_named(tmp_path: Path, logic, rams, expected):
    text = TABLE.format(logic=logic, rams=rams, percent=100 * logic // 5_280)
    with pytest.raises(DoesNotFitError) as caught:
        check_fits(ICEBREAKER, log(tmp_path, text))
    assert caught.value.message == f"iCEBreaker: {expected}"
    assert caught.value.hint


@pytest.mark.parametrize(
    "error",
    [
        "Unable to find legal placement for all cells, design is probably at utilisation limit.",
        "Unable to find legal placement for cell 'top.x' of type 'ICESTORM_LC' after 155125 attempts",
        "failed to place chain starting at cell 'top.x_LC'",
    ],
)
def test_cells_that_are_few_enough_but_find_no_place_may_with_another_seed(tmp_path: Path, error):
    text = TABLE.format(logic=5_279, rams=3, percent=99)
    with pytest.raises(NoPlaceError, match="all of the design's 5279 cells, of 5280 on") as caught:
        check_fits(ICEBREAKER, log(tmp_path, f"{text}ERROR: {error}\n"))
    assert "--seed" in caught.value.hint
    # Too many cells are too many with every seed.
    text = TABLE.format(logic=5_281, rams=3, percent=100)
    with pytest.raises(DoesNotFitError, match="needs 5281 logic cells") as caught:
        check_fits(ICEBREAKER, log(tmp_path, f"{text}ERROR: {error}\n"))
    assert not isinstance(caught.value, NoPlaceError)


def test_a_full_device_does_not_fit_either(tmp_path: Path):
    text = TABLE.format(logic=5_279, rams=3, percent=99)
    error = (
        "ERROR: Unable to place cell 'x', no BELs remaining to implement cell type 'ICESTORM_LC'\n"
    )
    with pytest.raises(DoesNotFitError, match="needs 5279 LUT4s") as caught:
        check_fits(ICEBREAKER, log(tmp_path, text + error))
    assert not isinstance(caught.value, NoPlaceError)


def test_other_failures_are_no_matter_of_size(tmp_path: Path):
    text = TABLE.format(logic=100, rams=3, percent=2)
    check_fits(ICEBREAKER, log(tmp_path, text + "ERROR: unrouteable pin\n"))
    check_fits(ULX3S_25F, tmp_path / "missing.log")
