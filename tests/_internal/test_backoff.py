"""How the pauses between failing attempts grow."""

from progress_sse._internal.backoff import Backoff


def test_the_span_doubles_up_to_the_longest() -> None:
    """However often something fails, the pause has a bound."""
    backoff = Backoff(0.5, 3, chance=lambda: 1.0)
    assert [backoff.next_s() for _ in range(5)] == [0.5, 1, 2, 3, 3]
    for _ in range(10_000):
        assert backoff.next_s() == 3


def test_a_pause_is_a_random_part_of_the_span() -> None:
    """The span itself grows alike, after any part of it."""
    parts = iter([0.0, 0.25, 0.75])
    backoff = Backoff(1, 60, chance=lambda: next(parts))
    assert [backoff.next_s() for _ in range(3)] == [0, 0.5, 3]


def test_a_success_brings_back_the_first_span() -> None:
    """The next failure counts as the first one."""
    backoff = Backoff(1, 60, chance=lambda: 1.0)
    assert [backoff.next_s(), backoff.next_s()] == [1, 2]
    backoff.reset()
    assert backoff.next_s() == 1


def test_pauses_differ_by_themselves() -> None:
    """Processes that lose one server at the same moment come back one by one."""
    pauses = {Backoff(1, 60).next_s() for _ in range(20)}
    assert len(pauses) > 1
    assert all(0 <= each <= 1 for each in pauses)
