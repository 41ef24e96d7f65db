"""When each of many things is due next."""

from __future__ import annotations

import gc
import math

from progress_sse.client.timetable import Timetable


class Thing:
    """Something that is due at times."""


def test_things_are_due_in_the_order_of_their_times() -> None:
    """A later plan replaces an earlier one, and each is due once."""
    timetable = Timetable[Thing]()
    first, second, never = Thing(), Thing(), Thing()
    for thing, at in ((first, 5), (second, 3), (never, 4), (never, math.inf), (second, 9)):
        timetable.plan(thing, at)
    assert timetable.wake_at() == 5
    assert timetable.take_due(4) == []
    timetable.plan(second, 5)
    assert timetable.take_due(6) == [first, second]
    assert timetable.wake_at() == math.inf


def test_a_thing_that_is_gone_is_not_due() -> None:
    """The timetable does not hold it."""
    timetable = Timetable[Thing]()
    timetable.plan(Thing(), 3)
    gc.collect()
    assert (timetable.wake_at(), timetable.take_due(3)) == (math.inf, [])
