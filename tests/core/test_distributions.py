"""The arithmetic of durations that are not known for certain."""

from itertools import product
from statistics import fmean

from hypothesis import given
from hypothesis import strategies as st

from progress_sse.core.distributions import (
    MAX_POINTS,
    Points,
    certain,
    left_after,
    longest,
    mixed,
    plus,
    quantile,
    total,
    weighed,
    with_tail,
)

durations = st.integers(0, 10**9)
full_points = st.lists(durations, min_size=MAX_POINTS, max_size=MAX_POINTS).map(lambda each: tuple(sorted(each)))
some_points = st.lists(durations, min_size=1, max_size=MAX_POINTS).map(lambda each: tuple(sorted(each)))
samples = st.dictionaries(durations, st.integers(1, 1000), min_size=1, max_size=60).map(
    lambda weights: sorted(weights.items())
)
percents = st.integers(1, 100)


class TestQuantile:
    """`quantile`."""

    @given(some_points, percents, percents)
    def test_rises_with_the_percentage(self, points: Points, percent: int, other: int) -> None:
        """Within what is possible."""
        less, more = sorted((percent, other))
        assert points[0] <= quantile(points, less) <= quantile(points, more) <= points[-1]

    @given(durations, percents)
    def test_of_a_certain_duration_is_that_duration(self, ms: int, percent: int) -> None:
        """Whatever is asked."""
        assert quantile(certain(ms), percent) == ms

    def test_lies_between_the_points_beside_it(self) -> None:
        """Each point stands in the middle of its share."""
        points = tuple(range(0, 200, 10))
        assert [quantile(points, percent) for percent in (1, 50, 90, 100)] == [0, 95, 175, 190]


class TestWeighed:
    """`weighed`: from samples to points."""

    @given(samples)
    def test_keeps_the_mean(self, weights: list[tuple[int, int]]) -> None:
        """To the millisecond."""
        points = weighed(weights)
        assert len(points) == MAX_POINTS
        assert list(points) == sorted(points)
        mean = sum(ms * weight for ms, weight in weights) / sum(weight for _, weight in weights)
        assert 0 <= mean - fmean(points) <= 1

    def test_gives_each_sample_as_many_points_as_it_weighs(self) -> None:
        """And mixes those that share one."""
        assert weighed([(20, 1), (10, 3)]) == (10,) * 15 + (20,) * 5
        assert weighed([(10, 1), (30, 39)]) == (20, *(30,) * 19)


@given(samples, st.integers(1, 100))
def test_the_next_duration_may_exceed_all_before(weights: list[tuple[int, int]], count: int) -> None:
    """By up to half as much again as lies between the middle one and the longest."""
    longest_ms = weights[-1][0]
    middle_ms = quantile(weighed(weights), 50)
    before = with_tail(weights, count)[: len(weights)]
    tail = with_tail(weights, count)[len(weights) :]
    assert before == weights
    assert longest_ms <= tail[0][0] <= tail[-1][0] == longest_ms + (longest_ms - middle_ms) * 15 // 10
    assert sum(weight for _, weight in tail) <= sum(weight for _, weight in weights) / count


class TestSum:
    """`plus` and `total`: steps one after the other."""

    @given(st.lists(full_points | st.builds(certain, durations), max_size=4))
    def test_has_the_mean_of_the_sum(self, each: list[Points]) -> None:
        """As exactly as in whole milliseconds, however many points are drawn together."""
        added = total(each)
        expected = sum(map(fmean, each))
        assert len(added) <= MAX_POINTS
        assert list(added) == sorted(added)
        assert abs(fmean(added) - expected) <= 3 * len(each)

    @given(st.lists(durations, max_size=50))
    def test_of_certain_durations_is_certain(self, each: list[int]) -> None:
        """With numbers that do not grow with their number."""
        assert total(map(certain, each)) == certain(sum(each))

    @given(some_points, durations)
    def test_with_a_certain_duration_is_exact(self, points: Points, ms: int) -> None:
        """All come so much later."""
        assert plus(points, certain(ms)) == plus(certain(ms), points) == tuple(each + ms for each in points)

    def test_is_wider_than_if_the_steps_had_nothing_in_common(self) -> None:
        """And narrower than if they were slow together."""
        points = tuple(range(0, 200, 10))
        assert 2 * quantile(points, 79) < quantile(plus(points, points), 90) < 2 * quantile(points, 90)


@given(full_points, full_points)
def test_the_longest_of_two_is_the_longer_one_in_each_of_all_cases(left: Points, right: Points) -> None:
    """Twenty of each make four hundred cases; each point is the mean of twenty of them."""
    cases = sorted(max(pair) for pair in product(left, right))
    assert longest([left, right]) == tuple(sum(cases[first : first + 20]) // 20 for first in range(0, 400, 20))


@given(st.lists(some_points, min_size=1, max_size=4))
def test_the_longest_is_not_shorter_than_any(each: list[Points]) -> None:
    """Nor longer than the longest of all."""
    found = longest(each)
    assert len(found) <= MAX_POINTS
    assert max(points[0] for points in each) <= found[0]
    assert found[-1] <= max(points[-1] for points in each)


@given(some_points, durations)
def test_what_is_left_is_longer_than_nothing_while_more_is_known_to_be_possible(points: Points, spent_ms: int) -> None:
    """Durations that have passed already do not count."""
    left = left_after(points, spent_ms)
    assert left == certain(0) if spent_ms >= points[-1] else left[0] > 0
    assert spent_ms >= points[-1] or left[-1] == points[-1] - spent_ms


@given(some_points, durations, st.integers(1, 100))
def test_points_are_drawn_toward_a_duration(points: Points, ms: int, whole: int) -> None:
    """Not at all, entirely, or in between."""
    assert mixed(points, ms, 0, whole) == points
    assert set(mixed(points, ms, whole, whole)) == {ms}
    for before, after in zip(points, mixed(points, ms, 1, whole), strict=True):
        assert min(before, ms) <= after <= max(before, ms)
