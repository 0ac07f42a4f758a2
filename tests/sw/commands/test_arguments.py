"""`rbonn.sw.commands.arguments`, and the clock of `rbonn build` as a user writes it."""

import pytest
import typer
from rbonn.sw.cli import app
from rbonn.sw.commands.arguments import megahertz
from typer.testing import CliRunner


def test_a_clock_is_a_number_of_megahertz_or_left_out():
    assert megahertz(None) is None
    assert megahertz("37.5") == 37.5


@pytest.mark.parametrize("text", ["fast", "", "0.05", "1001", "nan", "Max"])
def test_any_other_clock_is_refused(text):
    with pytest.raises(typer.BadParameter, match="neither 'max' nor a number of MHz"):
        megahertz(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--clock", "fast"], "neither 'max' nor a number"),
        (["--clock", "36", "--clock-limit", "40"], "it is for --clock max"),
        (["--clock-limit", "40"], "it is for --clock max"),
        (["--clock", "max", "--seeds", "0"], "greater than or equal to 1"),
    ],
)
def test_wrong_clocks_of_a_build_are_wrong_usage(options, message):
    result = CliRunner().invoke(app, ["build", "mnist_mlp_1w1a", "--board", "icebreaker", *options])
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
