"""`rbonn.hw.primitives.multiply_add`: every form against integers, as it is written and as synthesis leaves it."""

from __future__ import annotations

import itertools
import random

import pytest
from rbonn.hw.primitives.multiply_add import MultiplyAddConfig, multiply_add
from rbonn.sw.build.design import component_verilog

from ..netlists import SYNTHESIS_OPTIONS, netlist
from .vectors import play

SHAPES = {
    "11 x 16": MultiplyAddConfig(11, True, 16, 27),
    "unsigned": MultiplyAddConfig(8, False, 12, 20),
    "dropped": MultiplyAddConfig(10, True, 13, 16, 5),
    "sign extended": MultiplyAddConfig(4, True, 5, 22, 2),
    "full": MultiplyAddConfig(16, True, 16, 32),
    "one bit": MultiplyAddConfig(1, True, 7, 9),
    "one bit, unsigned": MultiplyAddConfig(1, False, 1, 4),
}
SHAPES_OF_ECP5 = {
    "18 x 18": MultiplyAddConfig(18, True, 18, 36),
    "two blocks": MultiplyAddConfig(22, True, 16, 30, 4),
    "two blocks, unsigned": MultiplyAddConfig(18, False, 9, 27),
    "two full blocks": MultiplyAddConfig(35, True, 18, 53),
}


def with_form(config: MultiplyAddConfig, form: str) -> MultiplyAddConfig:
    fields = (config.x_bits, config.x_signed, config.multiplier_bits, config.output_bits, config.dropped)  # fmt: skip
    return MultiplyAddConfig(*fields, form)


def cases() -> list:
    shapes = [(name, form) for name in SHAPES for form in ("inferred", "logic", "ecp5", "ice40")]
    shapes += [(name, form) for name in SHAPES_OF_ECP5 for form in ("logic", "ecp5")]
    return [pytest.param(with_form((SHAPES | SHAPES_OF_ECP5)[name], form), id=f"{name}, {form}") for name, form in shapes]  # fmt: skip


def signed_value(code: int, bits: int, is_signed: bool = True) -> int:
    return code - (code >> bits - 1 << bits) if is_signed else code


def rows_of(config: MultiplyAddConfig, n_rows: int, seed: int = 0) -> list[dict[str, int]]:
    """Random operands, half of them at the ends, and enables."""
    rng = random.Random(seed)

    def code(bits: int) -> int:
        ends = [0, 1, (1 << bits) - 1, 1 << bits - 1, (1 << bits - 1) - 1]
        return rng.choice([rng.choice(ends) & (1 << bits) - 1, rng.getrandbits(bits)])

    return [
        {
            "enable": int(rng.random() < 0.8),
            "x": code(config.x_bits),
            "multiplier": code(config.multiplier_bits),
            "addend": code(config.output_bits),
        }
        for _ in range(n_rows)
    ]


def expected_of(config: MultiplyAddConfig, rows: list[dict[str, int]]) -> list[int | None]:
    """What is on `o` in each row; None before the first result."""
    enabled: list[dict[str, int]] = []
    expected: list[int | None] = []
    for row in rows:
        first = len(enabled) - config.latency_cycles
        if first < 0:
            expected.append(None)
        else:
            x = signed_value(enabled[first]["x"], config.x_bits, config.x_signed)
            multiplier = signed_value(enabled[first]["multiplier"], config.multiplier_bits)
            addend = enabled[first + config.addend_cycles]["addend"]
            total = (x * multiplier >> config.dropped) + addend
            expected.append(total & (1 << config.output_bits) - 1)
        if row["enable"]:
            enabled.append(row)
    return expected


def check(config: MultiplyAddConfig, verilog: str, family: str | None, n_rows: int = 300) -> None:
    rows = rows_of(config, n_rows)
    got = [row["o"] for row in play(verilog, rows, family=family)]
    pairs = [(o, want) for o, want in zip(got, expected_of(config, rows), strict=True) if want is not None]  # fmt: skip
    assert len(pairs) > n_rows // 2
    assert all(o == want for o, want in pairs)


@pytest.mark.parametrize("config", cases())
def test_it_multiplies_and_adds_with_the_documented_latency(config: MultiplyAddConfig) -> None:
    family = config.form if config.form in ("ecp5", "ice40") else None
    check(config, component_verilog(multiply_add(config)), family)


@pytest.mark.synth
@pytest.mark.parametrize(
    ("name", "form", "family"),
    [
        ("11 x 16", "ecp5", "ecp5"),
        ("11 x 16", "ice40", "ice40"),
        pytest.param("two blocks", "ecp5", "ecp5", marks=pytest.mark.slow),
        pytest.param("11 x 16", "inferred", "ecp5", marks=pytest.mark.slow),
        pytest.param("11 x 16", "inferred", "ice40", marks=pytest.mark.slow),
        pytest.param("11 x 16", "logic", "ice40", marks=pytest.mark.slow),
        pytest.param("dropped", "logic", "ecp5", marks=pytest.mark.slow),
    ],
)
def test_the_netlist_does_the_same(
    name: str, form: str, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if form == "inferred":  # not with explicit blocks, whose registers that option takes away
        monkeypatch.setitem(SYNTHESIS_OPTIONS, "ice40", "-device u -dsp")
    config = with_form((SHAPES | SHAPES_OF_ECP5)[name], form)
    cells = netlist(multiply_add(config), family)
    block = {"ecp5": "MULT18X18D", "ice40": "SB_MAC16"}[family]
    assert cells.count(f" {block} ") == config.n_blocks
    check(config, cells, family)


@pytest.mark.parametrize(
    ("x_bits", "is_signed", "blocks"),
    [(1, True, 1), (1, False, 1), (17, False, 1), (18, True, 1), (18, False, 2), (19, True, 2)],
)
def test_a_block_takes_18_bits_with_their_sign(x_bits: int, is_signed: bool, blocks: int) -> None:
    for form in ("inferred", "ecp5"):
        assert MultiplyAddConfig(x_bits, is_signed, 4, 24, form=form).n_blocks == blocks


def test_small_operands_are_multiplied_exactly_in_logic() -> None:
    for x_bits, is_signed, bits in itertools.product((1, 2, 3), (False, True), (1, 2, 3)):
        config = MultiplyAddConfig(x_bits, is_signed, bits, x_bits + bits + 1, form="logic")
        rows = [
            {"enable": 1, "x": x, "multiplier": multiplier, "addend": 0}
            for x in range(1 << x_bits)
            for multiplier in range(1 << bits)
        ]
        rows += rows[:1] * config.latency_cycles
        got = [row["o"] for row in play(component_verilog(multiply_add(config)), rows)]
        expected = expected_of(config, rows)
        assert got[config.latency_cycles :] == expected[config.latency_cycles :]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((0, True, 4, 4), "X bits must be at least 1, not 0"),
        ((4, True, 0, 4), "Multiplier bits must be at least 1, not 0"),
        ((4, True, 4, 0), "Output bits must be at least 1, not 0"),
        ((4, True, 4, 4, -1), "Dropped must be at least 0, not -1"),
        ((4, True, 4, 4, 0, "dsp"), r"Multiplier must be one of \('inferred', 'logic', 'ecp5', 'ice40'\), not 'dsp'"),
        ((16, False, 16, 32, 0, "ice40"), "Operands of 'ice40' must have at most 16 and 16 bits, not 17 and 16"),
        ((8, True, 17, 32, 0, "ice40"), "Operands of 'ice40' must have at most 16 and 16 bits, not 8 and 17"),
        ((8, True, 16, 30, 3, "ice40"), "Sums of 'ice40' must have at most 32 bits, not 33"),
        ((8, True, 19, 30, 3, "ecp5"), "Operands of 'ecp5' must have at most 35 and 18 bits, not 8 and 19"),
        ((35, False, 18, 30, 3, "ecp5"), "Operands of 'ecp5' must have at most 35 and 18 bits, not 36 and 18"),
    ],
)  # fmt: skip
def test_bad_parameters_are_refused(fields: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        MultiplyAddConfig(*fields)
