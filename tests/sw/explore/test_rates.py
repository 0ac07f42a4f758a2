"""`rbonn.sw.explore.rates`: which frame rates are asked for."""

import pytest
from rbonn.sw.errors import UnknownNameError
from rbonn.sw.explore.rates import DEFAULT_POINTS, parse_rates


def test_a_list_is_taken_as_it_is_rising_and_each_once() -> None:
    assert parse_rates("500,20,500,1e3").asked == (20, 500, 1000)


def test_a_range_is_evenly_spaced_in_its_logarithm() -> None:
    assert parse_rates("10:1000:3").asked == pytest.approx((10, 100, 1000))
    assert len(parse_rates("10:1000").asked) == DEFAULT_POINTS


def test_without_rates_the_fastest_is_halved() -> None:
    rates = parse_rates(None)
    assert rates.asked == ()
    below = rates.below(1024)
    assert below[:3] == (512, 256, 128)
    assert len(below) == DEFAULT_POINTS - 1


@pytest.mark.parametrize(
    "text",
    ["", "fast", "100:10", "0:10", "-5", "10:100:1", "10:100:2:3", "10:x", "nan", "inf", "10:10"],
)
def test_what_is_no_frame_rate_is_named(text: str) -> None:
    with pytest.raises(UnknownNameError, match=f"--fps {text}: not frame rates") as caught:
        parse_rates(text)
    assert "LOW:HIGH" in caught.value.hint
