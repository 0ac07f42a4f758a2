"""`rbonn.sw.build.device_forms`: what a board's device is given, and from which folding on."""

from dataclasses import replace

import numpy as np
import pytest
from rbonn.boards import ICEBREAKER, ULX3S_25F
from rbonn.hw.matrix_vector_layer import MatrixVectorLayerConfig
from rbonn.sw.build.device_forms import LEAST_CODED_ROWS, PORTABLE, device_forms
from rbonn.sw.build.layer import layer_stages
from rbonn.sw.network import Bipolar, Dense, EdgeType, Network, Threshold
from rbonn.sw.plan.folding import Folding

ROWS, COLUMNS = 24, 24
PRODUCT = Dense("product", ("image",), np.ones((ROWS, COLUMNS), np.int8), Bipolar())
BITS = Threshold("bits", ("product",), np.zeros(ROWS, np.int64))
HEAD = Dense("head", ("bits",), np.ones((2, ROWS), np.int8), Bipolar())
NETWORK = Network(
    "t", EdgeType(Bipolar(), (1, 1, COLUMNS)), (PRODUCT, BITS, HEAD), 0, "head", ("a", "b")
)


def layer(forms, folding: Folding) -> MatrixVectorLayerConfig:
    config = layer_stages(NETWORK, PRODUCT, BITS, folding, forms).stages[-1][1]
    assert isinstance(config, MatrixVectorLayerConfig)
    return config


def test_every_ice40_has_a_clock_enable_and_no_cell_with_a_net_twice() -> None:
    for device in ("iCE40UP5K", "iCE40HX8K", "iCE40LP8K"):
        config = layer(device_forms(replace(ICEBREAKER, device=device)), Folding(4, 8))
        unit = config.unit
        assert (unit.form, unit.back_pressure, unit.read_latency) == ("ice40_no_twins", "enable", 1)
        assert {config.weights.form, config.presets.form, config.replay.form} == {"portable"}


def test_an_ecp5_has_credits_and_block_rams_with_output_registers() -> None:
    config = layer(device_forms(ULX3S_25F), Folding(4, 8))
    unit = config.unit
    assert (unit.form, unit.back_pressure, unit.read_latency) == ("ecp5", "credit", 2)
    assert {config.weights.form, config.presets.form, config.replay.form} == {"ecp5"}
    assert not unit.coded


def test_what_is_deeper_than_a_block_ram_is_left_to_synthesis() -> None:
    forms = device_forms(ULX3S_25F)
    assert forms.memory(16384) == {"read_latency": 2, "form": "ecp5"}
    assert forms.memory(16385) == {"read_latency": 2, "form": "portable"}


@pytest.mark.parametrize(
    ("pe", "coded"), [(LEAST_CODED_ROWS, True), (LEAST_CODED_ROWS - 1, False), (24, True)]
)
def test_lanes_are_coded_from_so_many_rows_on(pe: int, coded: bool) -> None:
    assert layer(device_forms(ICEBREAKER), Folding(pe, 8)).unit.coded == coded
    assert not layer(PORTABLE, Folding(pe, 8)).unit.coded


@pytest.mark.parametrize(("board", "most"), [(ICEBREAKER, 32), (ULX3S_25F, 64)])
def test_leaves_are_absorbed_as_deep_as_a_block_ram_allows(board, most: int) -> None:
    layer(device_forms(board), Folding(ROWS, COLUMNS * 2 // most or 1, "absorbed"))
    with pytest.raises(ValueError, match=f"at most {most} words"):
        layer(device_forms(board), Folding(1, 1, "absorbed"))
