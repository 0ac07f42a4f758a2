"""`rbonn.hw.thermometer`: every value, order of the levels, rate."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.thermometer import ThermometerConfig

from .stream_driver import Stalls, drive


def expected_outputs(values: np.ndarray, config: ThermometerConfig) -> list[int]:
    """Output transfers for values (transfer, lane)."""
    bits = values[:, :, None] >= np.array(config.thresholds)  # (transfer, lane, level)
    weights = 1 << np.arange(config.output_width, dtype=object)
    return [int(row @ weights) for row in bits.reshape(len(values), -1).astype(object)]


def inputs_of(values: np.ndarray, config: ThermometerConfig) -> list[int]:
    codes = values & ((1 << config.input_bits) - 1)
    weights = 1 << (config.input_bits * np.arange(config.lanes, dtype=object))
    return [int(row @ weights) for row in codes.astype(object)]


def test_every_pixel_value_has_its_code() -> None:
    config = ThermometerConfig(8, (1, 32, 64, 128, 192, 255), 1, 64)
    values = np.arange(256)[:, None]
    run = drive(config.component(), inputs_of(values, config), n_outputs=256)
    assert run.outputs == expected_outputs(values, config)
    assert run.outputs[0] == 0
    assert run.outputs[64] == 0b000111
    assert {run.latency(k, k) for k in range(256)} == {config.latency_cycles}
    assert run.intervals(config.outputs_per_frame) == [config.interval_cycles] * 3


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_levels_agree_with_numpy_under_stalls(data: st.DataObject) -> None:
    bits, lanes = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 3))
    limits = st.integers(-(1 << bits) - 1, (1 << bits) + 1)
    thresholds = data.draw(st.lists(limits, min_size=1, max_size=6, unique=True))
    signed = data.draw(st.booleans())
    config = ThermometerConfig(bits, tuple(sorted(thresholds)), lanes, lanes * 5, signed)
    seed = data.draw(st.integers(0, 1000))
    lowest = -(1 << bits - 1) if signed else 0
    values = np.random.default_rng(seed).integers(lowest, lowest + (1 << bits), (20, lanes))
    run = drive(
        config.component(),
        inputs_of(values, config),
        n_outputs=20,
        stalls=Stalls(seed),
        reset_after=seed % 3,
        ready_after_valid=seed % 2 == 0,
    )
    assert run.outputs == expected_outputs(values, config)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_bits": 0}, "Input bits must be at least 1, not 0"),
        ({"lanes": 0}, "Lanes must be at least 1, not 0"),
        ({"elements_per_frame": 0}, "Elements per frame must be at least 1, not 0"),
        ({"lanes": 3}, "Lanes must divide elements_per_frame=4, not 3"),
        ({"thresholds": ()}, r"Thresholds must be rising, not \(\)"),
        ({"thresholds": (3, 3)}, r"Thresholds must be rising, not \(3, 3\)"),
        ({"thresholds": (3, 1)}, r"Thresholds must be rising, not \(3, 1\)"),
    ],
)
def test_bad_parameters_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        dataclasses.replace(ThermometerConfig(8, (1, 2, 3), 1, 4), **change)
