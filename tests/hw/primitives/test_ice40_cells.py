"""`sim/cells/ice40.v`: the models of cells, against those of yosys."""

from __future__ import annotations

import random

import pytest
from rbonn.sim.cell_models import own_models

from ...cell_bench import assert_equal, bench, theirs
from .vectors import play

MODELS = own_models("ice40")["SB_MAC16"] + theirs("ice40", "SB_MAC16")

REGISTERS = {f"{pin}_REG": 1 for pin in "ABCD"}
SUMS = REGISTERS | {
    "TOPADDSUB_LOWERINPUT": 2, "TOPADDSUB_UPPERINPUT": 1, "TOPADDSUB_CARRYSELECT": 2, "BOTADDSUB_LOWERINPUT": 2,
    "BOTADDSUB_UPPERINPUT": 1, "TOPOUTPUT_SELECT": 1, "BOTOUTPUT_SELECT": 1,
}  # fmt: skip
BYTES = REGISTERS | {
    "MODE_8x8": 1, "TOP_8x8_MULT_REG": 1, "BOT_8x8_MULT_REG": 1, "TOPOUTPUT_SELECT": 2, "BOTOUTPUT_SELECT": 2,
}  # fmt: skip
ZEROS = (
    "AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP", "OLOADBOT",
    "ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT", "CI", "ACCUMCI", "SIGNEXTIN",
)  # fmt: skip


def both(parameters: dict[str, int], held: str = "") -> str:
    """Our model and yosys' with the same parameters and inputs; the pin called `held` is one of them."""
    values = ", ".join(f".{name}({value})" for name, value in parameters.items())
    pins = ", ".join(f".{pin}({'a[0]' if pin == held else 0})" for pin in ZEROS)
    cells = "".join(
        f"{module} #({values}) {name}_block(.CLK(clk), .CE(enable), .A(a), .B(b), .C(c), .D(d), {pins}, .O({name}));\n"
        for module, name in (("SB_MAC16", "ours"), ("yosys_SB_MAC16", "theirs"))
    )
    return bench(cells, 32, enable=1, a=16, b=16, c=16, d=16) + MODELS


def rows(count: int) -> list[dict[str, int]]:
    """Random operands and their extremes; the first four cycles are enabled, so that every register is known."""
    rng = random.Random(5)
    words = [0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x80, 0x7F]
    return [
        {"enable": k < 4 or rng.random() < 0.7}
        | {pin: rng.choice(words) if rng.random() < 0.3 else rng.getrandbits(16) for pin in "abcd"}
        for k in range(count)
    ]


@pytest.mark.parametrize("signs", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("mode", [SUMS, BYTES], ids=["sums", "bytes"])
def test_sb_mac16_is_that_of_yosys(mode: dict[str, int], signs: tuple[int, int]) -> None:
    parameters = mode | dict(zip(("A_SIGNED", "B_SIGNED"), signs, strict=True))
    assert_equal(both(parameters), rows(300), values=100, unknown=4)


@pytest.mark.parametrize(
    ("parameters", "pin", "message"),
    [
        (SUMS | {"TOPOUTPUT_SELECT": 3}, "", "modelled in two modes only"),
        (SUMS | {"A_REG": 0}, "", "modelled in two modes only"),
        (BYTES | {"TOP_8x8_MULT_REG": 0}, "", "modelled in two modes only"),
        (SUMS, "AHOLD", "modelled without holds"),
        (SUMS, "ADDSUBTOP", "modelled without holds"),
    ],
)
def test_sb_mac16_refuses_what_it_does_not_model(
    parameters: dict[str, int], pin: str, message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        play(both(parameters, pin), rows(30))
