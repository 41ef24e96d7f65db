import math

from progress_sse._internal.timetable import Timetable


def test_keys_are_due_in_the_order_of_their_times() -> None:
    """A later plan replaces an earlier one, and each is due once."""
    timetable = Timetable[str]()
    for key, at in (("first", 5), ("second", 3), ("never", 4), ("never", math.inf), ("second", 9)):
        timetable.plan(key, at)
    assert (timetable.wake_at(), timetable.at("second"), timetable.at("never")) == (5, 9, math.inf)
    assert timetable.take_due(4) == []
    timetable.plan("second", 5)
    assert timetable.take_due(6) == ["first", "second"]
    assert (timetable.wake_at(), list(timetable)) == (math.inf, [])


def test_at_most_so_many_are_taken() -> None:
    """The others stay due."""
    timetable = Timetable[int]()
    for key in range(3):
        timetable.plan(key, 1)
    assert (timetable.take_due(1, 2), timetable.take_due(1, 2)) == ([0, 1], [2])
