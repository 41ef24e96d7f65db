"""What the followers of a list have received of it, compared with the list itself."""

import json
import random
from collections.abc import Iterable

import pytest

from progress_sse.core.session_filter import SessionFilter, parse_statuses
from progress_sse.store.types import SessionSummary
from progress_sse.streaming.list_channel import MAX_OLDER, WINDOW, ListEvent, ListWindow
from tests.harness.list_fold import ListFold

WANTED = SessionFilter("a")


def summary(session_id: str, created_at: int = 0, version: int = 0) -> SessionSummary:
    time = f"2026-01-01T{created_at:06}"
    listed = {"session_id": session_id, "created_at": time, "version": version}
    return SessionSummary(session_id, "running", time, time, json.dumps(listed).encode())


class Reader:
    """A window over sessions that change, and a reader of its events."""

    def __init__(self, sessions: Iterable[SessionSummary] = ()) -> None:
        self.sessions = {each.session_id: each for each in sessions}
        self.window = ListWindow(WANTED, lambda _session_id, _is_shown: None)
        self.fold = ListFold()
        self.reset()
        self.begin()

    @property
    def listed(self) -> list[SessionSummary]:
        found = (each for each in self.sessions.values() if each.is_of(WANTED))
        return sorted(found, key=lambda each: each.order, reverse=True)

    def begin(self) -> None:
        """Get a new list, as a reader that came back."""
        self.fold.apply_text("list", self.window.encode().decode())

    def reset(self) -> None:
        reset = self.window.reset(self.listed[: WINDOW + 1])
        self.take(reset.events)
        for each in reset.changed:
            self.change(each.session_id, each)

    def take(self, events: Iterable[ListEvent]) -> None:
        for event in events:
            if self.fold.lists:
                self.fold.apply_text(event.name, event.data.decode())

    def change(self, session_id: str, now: SessionSummary | None) -> list[str]:
        """Change a session, and return the names of the events that show it."""
        self.sessions.pop(session_id, None)
        if now is not None:
            self.sessions[session_id] = now
        event = self.window.apply(session_id, now)
        events = [] if event is None else [event]
        self.take(events)
        return [each.name for each in events]

    def check(self) -> None:
        """The newest sessions that the reader knows are the list's."""
        assert self.fold.newest == [json.loads(each.listed) for each in self.listed[:WINDOW]]


def test_a_session_comes_changes_and_goes() -> None:
    """Each is one event; what changes nothing, and what belongs to no list, is none."""
    reader = Reader()
    assert reader.change("a", summary("a")) == ["session"]
    assert reader.change("a", summary("a")) == []
    assert reader.change("a", summary("a", version=1)) == ["session"]
    assert reader.change("b", summary("b")) == []
    assert reader.change("b", None) == []
    assert reader.change("a", None) == ["removed"]
    assert reader.change("a", None) == []
    reader.check()


def test_a_session_that_no_longer_belongs_is_removed() -> None:
    """As one that is gone."""
    window = ListWindow(SessionFilter(states=parse_statuses(["running"])), lambda _session_id, _is_shown: None)
    window.apply("a", summary("a"))
    other = SessionSummary("a", "failed", "", "", b"{}")
    assert window.apply("a", other) == ListEvent("removed", b'{"session_id":"a"}')
    assert window.apply("a", other) is None


def test_a_window_holds_the_newest() -> None:
    """Those that a newer one pushes out are still published, and so is their end."""
    reader = Reader(summary(f"a{number:03}", number) for number in range(WINDOW))
    assert not reader.window.has_more
    reader.change("a-new", summary("a-new", 999))
    assert reader.window.has_more
    assert reader.window.older == ("a000",)
    assert reader.change("a000", summary("a000", 0, version=1)) == ["session"]
    assert reader.change("a000", None) == ["removed"]
    assert not reader.window.is_short
    reader.check()


def test_a_gap_in_the_window_is_filled_from_the_list() -> None:
    """The next older session belongs there, and no event can show it until the list is read."""
    reader = Reader(summary(f"a{number:03}", number) for number in range(WINDOW + 5))
    assert reader.change("a100", None) == ["removed"]
    assert reader.window.is_short
    assert reader.change("a001", summary("a001", 1, version=1)) == ["session"]
    reader.reset()
    assert not reader.window.is_short
    reader.check()


def test_a_change_that_a_reset_finds_is_published_by_the_next_look() -> None:
    """So that no session is published too often; until then new readers get it as the others have it."""
    reader = Reader([summary("a"), summary("ab")])
    reset = reader.window.reset([summary("ab"), summary("a", version=1)])
    assert reset == ([], [summary("a", version=1)])
    assert b'"version": 1' not in reader.window.encode()
    assert reader.change("a", summary("a", version=1)) == ["session"]
    assert reader.window.reset([summary("ab"), summary("a", version=1)]) == ([], [])


def test_a_session_that_came_while_the_list_was_read_stays() -> None:
    """Or it would go and come again; what becomes of it, the next look at it shows. Others have gone."""
    reader = Reader([summary("a"), summary("ab"), summary("ac")])
    read = [summary("a")]
    reader.change("anew", summary("anew", 1))
    reader.take(reader.window.reset(read, ["anew", "ac"]).events)
    assert sorted(reader.fold.entries) == ["a", "ac", "anew"]
    assert reader.change("ac", None) == ["removed"]
    assert reader.change("anew", summary("anew", 1)) == []
    assert json.loads(reader.window.encode())["sessions"] == [
        json.loads(summary("anew", 1).listed),
        json.loads(summary("a").listed),
    ]


def test_a_session_that_went_while_the_list_was_read_does_not_come_again() -> None:
    """But the window may then lack one, which the next reading fills in."""
    reader = Reader(summary(f"a{number:03}", number) for number in range(WINDOW + 5))
    read = reader.listed[: WINDOW + 1]
    assert reader.change("a050", None) == ["removed"]
    assert reader.window.reset(read, ["a050"]) == ([], [])
    assert reader.window.is_short
    reader.reset()
    reader.check()


def test_a_session_that_came_while_a_full_list_was_read_stays() -> None:
    """In a window that it overflows, or beyond it; so does an older one that was published."""
    sessions = [summary(f"a{number:03}", number) for number in range(1, WINDOW + 1)]
    reader = Reader(sessions)
    for session_id, created_at in (("anew", 999), ("a000", 0)):
        reader.change(session_id, summary(session_id, created_at))
    assert reader.window.older == ("a001", "a000")
    reset = reader.window.reset(sessions[::-1], ["anew", "a000"])
    assert [each.name for each in reset.events] == ["session"]  # It was pushed out before.
    assert reader.window.has_more
    assert reader.window.older == ("a000", "a001")
    assert reader.change("a000", None) == ["removed"]
    reader.check()


def test_an_older_session_that_is_as_it_was_published_is_no_event() -> None:
    """Else each look at a list would show some again, to all of its readers; also one that was pushed out."""
    reader = Reader(summary(f"a{number:03}", number) for number in range(1, WINDOW + 5))
    for _ in range(2):
        looked = reader.change("a001", summary("a001", 1, version=1))
    assert looked == []
    reader.change("a-new", summary("a-new", 999))
    assert reader.window.older == ("a001", "a005")
    assert reader.change("a005", summary("a005", 5)) == []
    assert reader.change("a005", summary("a005", 5, version=1)) == ["session"]
    reader.check()


def test_older_sessions_are_looked_at_in_turn() -> None:
    """Some each time, and then again from the first."""
    reader = Reader(summary(f"a{number:03}", number) for number in range(WINDOW + 5))
    for number in range(5):
        reader.change(f"a{number:03}", summary(f"a{number:03}", number, version=1))
    looked = [reader.window.next_older(2) for _ in range(4)]
    assert looked == [("a000", "a001"), ("a002", "a003"), ("a004",), ("a000", "a001")]


def test_older_sessions_are_forgotten_at_last() -> None:
    """A window stays small, however many sessions it published."""
    reader = Reader(summary(f"a{number:05}", number) for number in range(2000))
    for number in range(1500):
        reader.change(f"a{number:05}", summary(f"a{number:05}", number, version=1))
    assert len(reader.window.older) == MAX_OLDER
    reader.check()


@pytest.mark.protocol("P-25.14")
@pytest.mark.parametrize("seed", range(20))
def test_a_reader_ends_in_what_the_list_says(seed: int) -> None:
    """Over random changes, some of which the window misses until it reads the list again."""
    chance = random.Random(seed)
    reader = Reader(summary(f"a{number}", chance.randrange(1000)) for number in range(chance.choice([0, 99, 101, 300])))
    for turn in range(400):
        session_id = f"{chance.choice('aaaab')}{chance.randrange(250)}"
        now = None if chance.random() < 0.4 else summary(session_id, chance.randrange(1000), turn)
        if chance.random() < 0.9:
            reader.change(session_id, now)
        else:  # Missed.
            reader.sessions.pop(session_id, None)
            reader.sessions |= {} if now is None else {session_id: now}
        if chance.random() < 0.05:
            reader.begin()
    reader.reset()
    for session_id in reader.window.older:
        reader.change(session_id, reader.sessions.get(session_id))
    if reader.window.is_short:
        reader.reset()
    reader.check()
    for session_id, entry in reader.fold.entries.items():
        assert entry == json.loads(reader.sessions[session_id].listed)


@pytest.mark.parametrize("seed", range(5))
def test_a_list_that_was_read_before_some_changes_harms_none_of_them(seed: int) -> None:
    """It arrives after they were published; once they are read again, a reader has the list."""
    chance = random.Random(seed)
    reader = Reader(summary(f"a{number}", chance.randrange(1000)) for number in range(chance.choice([0, 97, 100, 150])))
    for turn in range(30):
        read, unsure = reader.listed[: WINDOW + 1], [f"a{chance.randrange(160)}" for _ in range(chance.randrange(6))]
        for session_id in unsure:
            is_gone = chance.random() < 0.4
            reader.change(session_id, None if is_gone else summary(session_id, chance.randrange(1000), turn))
        reset = reader.window.reset(read, unsure)
        reader.take(reset.events)
        for session_id in (*(each.session_id for each in reset.changed), *unsure):
            reader.change(session_id, reader.sessions.get(session_id))
        if reader.window.is_short:
            reader.reset()
        reader.check()
