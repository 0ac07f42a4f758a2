"""`rbonn.sw.plan.pareto`: designs that no other one beats."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st
from rbonn.sw.plan.pareto import Merit, on_front


def merit(
    lut4: int, fps: float, accuracy: float | None = 0.9, network: str = "a", dataset: str = "mnist"
) -> Merit:
    return Merit(lut4, fps, accuracy, network, dataset)


def test_what_is_slower_and_larger_is_not_on_the_front() -> None:
    merits = [merit(100, 10), merit(90, 20), merit(200, 30), merit(200, 29), merit(80, 5)]
    assert on_front(merits) == [False, True, True, False, True]


def test_of_equals_the_first_is_on_the_front() -> None:
    assert on_front([merit(100, 10), merit(100, 10), merit(100, 10)]) == [True, False, False]


def test_a_larger_network_is_on_the_front_by_its_accuracy() -> None:
    small, large = merit(100, 10, 0.95, "small"), merit(300, 10, 0.99, "large")
    assert on_front([small, large]) == [True, True]
    assert on_front([small, merit(300, 10, 0.94, "large")]) == [True, False]


def test_networks_of_other_data_sets_and_of_unknown_accuracy_do_not_compete() -> None:
    better = merit(100, 10)
    assert on_front([better, merit(200, 5, 0.5, "b", "cifar10")]) == [True, True]
    assert on_front([better, merit(200, 5, None, "b")]) == [True, True]
    assert on_front([merit(100, 10, 0.9, "a", ""), merit(200, 5, 0.5, "b", "")]) == [True, True]


def test_designs_of_one_network_compete_without_an_accuracy() -> None:
    assert on_front([merit(100, 10, None), merit(200, 5, None)]) == [True, False]


POINTS = st.lists(
    st.builds(
        merit,
        st.integers(1, 4),
        st.integers(1, 4),
        st.sampled_from([0.8, 0.9]),
        st.just("a"),
    ),
    min_size=1,
    max_size=5,
)


@given(POINTS)
def test_every_design_is_on_the_front_or_beaten_by_one_that_is(merits: list[Merit]) -> None:
    front = [merit for merit, kept in zip(merits, on_front(merits), strict=True) if kept]
    assert front
    assert all(any(best.is_as_good_as(merit) for best in front) for merit in merits)
    assert not any(a.is_as_good_as(b) for a, b in permutations(front, 2))
