"""What a duration may be, and the arithmetic of that: whole numbers alone, so that all of it is exact.

Points are milliseconds that are equally likely, the shortest first. They stand for what a step takes, or for what is
left of it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache, reduce
from itertools import pairwise
from typing import Final, TypeAlias

Points: TypeAlias = tuple[int, ...]

MAX_POINTS: Final = 20
"""Points of a distribution: enough for a ninetieth percentile, and cheap to add."""

_TOGETHER: Final = 4
"""One in so many parts of their spread the steps of a run have in common, as on a slow machine."""

_TAIL_TENTHS: Final = (2, 6, 15)
"""Where the tail lies beyond the longest sample, in tenths of its distance from the middle."""


def certain(ms: int) -> Points:
    """Return the distribution of a duration that is known."""
    return (ms,)


def quantile(points: Points, percent: int) -> int:
    """Return the milliseconds that are not exceeded in so many of a hundred cases."""
    place, rest = divmod(2 * len(points) * percent - 100, 200)
    if place < 0:
        return points[0]
    if place + 1 >= len(points):
        return points[-1]
    return points[place] + (points[place + 1] - points[place]) * rest // 200


def weighed(samples: Iterable[tuple[int, int]]) -> Points:
    """Return the distribution of pairs of milliseconds and weight."""
    ordered = sorted(samples)
    whole = sum([weight for _, weight in ordered])
    points: list[int] = []
    moment = 0
    room = whole
    for ms, weight in ordered:
        rest = weight * MAX_POINTS
        while rest >= room:
            points.append((moment + ms * room) // whole)
            rest -= room
            moment = 0
            room = whole
        moment += ms * rest
        room -= rest
    return tuple(points)


def with_tail(samples: Sequence[tuple[int, int]], count: int) -> Sequence[tuple[int, int]]:
    """Return weighed samples, the shortest first, and what the next one may take beyond all of them.

    The next one of n + 1 exceeds each rank of the n as often as any other, so one more sample stands for those beyond.
    It is spread as far beyond the longest as that lies beyond the middle.
    """
    longest_ms = samples[-1][0]
    spread_ms = longest_ms - quantile(weighed(samples), 50)
    weight = sum([weight for _, weight in samples]) // (len(_TAIL_TENTHS) * count)
    return [*samples, *((longest_ms + spread_ms * tenths // 10, weight) for tenths in _TAIL_TENTHS)]


def left_after(points: Points, spent_ms: int) -> Points:
    """Return what is left of a duration of which so much has passed; nothing, if it exceeds all that is known."""
    return tuple([ms - spent_ms for ms in points if ms > spent_ms]) or certain(0)


def mixed(points: Points, ms: int, part: int, whole: int) -> Points:
    """Return the distribution drawn toward `ms`: not at all where `part` is 0, and entirely where it is `whole`."""
    return tuple([(each * (whole - part) + ms * part) // whole for each in points])


def total(each: Iterable[Points]) -> Points:
    """Return the distribution of the sum of durations: of steps that run one after the other."""
    known_ms = 0
    unknown: list[Points] = []
    for points in each:
        if len(points) == 1:
            known_ms += points[0]
        else:
            unknown.append(points)
    return plus(_total(tuple(unknown)), certain(known_ms))


@lru_cache(maxsize=1024)
def _total(each: tuple[Points, ...]) -> Points:
    """Return the sum, by parts that are counted from the last step, so that they are found again as steps end."""
    if len(each) < 2:
        return each[0] if each else certain(0)
    last = 1 << ((len(each) - 1).bit_length() - 1)
    return plus(_total(each[:-last]), _total(each[-last:]))


def plus(left: Points, right: Points) -> Points:
    """Return the distribution of the sum of the durations of two steps."""
    if len(left) == 1:
        return tuple([left[0] + ms for ms in right])
    if len(right) == 1:
        return tuple([right[0] + ms for ms in left])
    independent = _reduced(sorted([a + b for a in left for b in right]))
    return tuple(
        [
            (apart * (_TOGETHER - 1) + a + b) // _TOGETHER
            for apart, a, b in zip(_stretched(independent), _stretched(left), _stretched(right), strict=True)
        ]
    )


def longest(each: Iterable[Points]) -> Points:
    """Return the distribution of the longest of independent durations: of steps that run at the same time."""
    return reduce(_longer, each, certain(0))


def _longer(left: Points, right: Points) -> Points:
    """Return the distribution of the longer one: each point, as often as the other duration is no longer."""
    weights = [(ms, bisect_right(right, ms)) for ms in left] + [(ms, bisect_left(left, ms)) for ms in right]
    if len(left) * len(right) > MAX_POINTS:
        return weighed(weights)
    return tuple([ms for ms, weight in sorted(weights) for _ in range(weight)])


def _reduced(ordered: Sequence[int]) -> Points:
    """Return the distribution with at most `MAX_POINTS` points, each the mean of those that it stands for."""
    count = len(ordered)
    if count <= MAX_POINTS:
        return tuple(ordered)
    bounds = [number * count // MAX_POINTS for number in range(MAX_POINTS + 1)]
    return tuple([sum(ordered[first:end]) // (end - first) for first, end in pairwise(bounds)])


def _stretched(points: Points) -> Points:
    """Return the distribution with `MAX_POINTS` points, of at most so many."""
    count = len(points)
    if count == MAX_POINTS:
        return points
    return tuple([points[(2 * number + 1) * count // (2 * MAX_POINTS)] for number in range(MAX_POINTS)])
