"""The study of how right `finish_at` is."""

from collections import Counter
from random import Random
from statistics import fmean

from tests.bench.durations import KINDS, runs_of
from tests.bench.finish_times import LOOKED_AT, SHARES, Look, begin_of, looks_at, replay, table


def test_a_kind_draws_the_same_runs_again() -> None:
    """So that the tables can be made again."""
    for draw in KINDS.values():
        first, again = (next(runs_of(draw, Random(1))) for _ in range(2))
        assert first == again
        assert all(step.ms > 0 for step in first)


def test_a_run_teaches_the_same_whether_it_is_looked_at() -> None:
    """Reports of how far it is teach nothing."""
    run = next(runs_of(KINDS["regular"], Random(1)))
    _, lesson = replay(run, begin_of(0))
    assert Counter(lesson.cells).total() == 1 + len(run)


def test_most_runs_end_before_p90() -> None:
    """And a look is taken at each share of each run that is to be looked at."""
    looks = [look for seed in range(3) for look in looks_at("cached", KINDS["cached"], seed)]
    assert Counter((look.earlier, look.share) for look in looks) == {(n, s): 3 for n in LOOKED_AT for s in SHARES}
    assert 0.85 <= fmean(look.is_before_p90 for look in looks) <= 0.97
    assert all(look.is_before_p90 for look in looks if look.is_between)


def test_a_table_has_a_row_for_each_group() -> None:
    """A guess that most of a group cannot make has no error."""
    looks = [
        Look("a", 5, 10, is_before_p90, False, {"p50": 0.25, "last run": 2, "mean": 1, "linear": linear})
        for is_before_p90, linear in ((True, None), (True, None), (False, 0.5))
    ]
    assert table(looks, lambda look: (look.kind,), ["kind"]).splitlines()[2:] == [
        "| a | 67% | 0% | 25% | 200% | 100% | none |"
    ]
