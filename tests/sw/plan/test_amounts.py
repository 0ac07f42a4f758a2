"""`rbonn.sw.plan.amounts`: resources as numbers and back."""

from rbonn.sw.plan.amounts import amounts, fits, price, resources
from rbonn.sw.plan.resources import Resources


def test_lone_carries_are_cells_and_the_numbers_go_back() -> None:
    cost = Resources(lut4=5, ff=7, block_rams=2, dsp=3, carries=4)
    assert amounts(cost) == (9, 2, 3, 7)
    assert resources(amounts(cost)) == Resources(lut4=9, ff=7, block_rams=2, dsp=3)
    assert amounts(resources((1, 2, 3, 4))) == (1, 2, 3, 4)


def test_what_fits_is_no_more_of_anything() -> None:
    there = resources((9, 2, 3, 7))
    assert fits(there, there)
    for kind in range(4):
        more = [9, 2, 3, 7]
        more[kind] += 1
        assert not fits(resources(more), there)


def test_a_price_is_of_all_kinds() -> None:
    assert price(resources((1, 2, 3, 4)), (1000, 100, 10, 1)) == 1234
