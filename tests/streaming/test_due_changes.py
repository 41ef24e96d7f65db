"""When the changes of sessions are published to the followers of lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progress_sse.core.model import SessionStatus
from progress_sse.store.types import ChangedSession
from progress_sse.streaming.lists import INTERVAL_S, DueChanges

RUNNING = ChangedSession("s", "running")


def published(due: DueChanges, now: float, status: SessionStatus | None = "running") -> list[str]:
    """The sessions that are due, which are then published."""
    taken = list(due.take(now, 100))
    for session_id in taken:
        due.add_published(session_id, status, now)
    return taken


def test_a_first_change_is_published_at_once() -> None:
    """And once only."""
    due = DueChanges()
    assert due.wait_s(0) is None
    due.add(RUNNING, 0)
    due.add(RUNNING, 0)
    assert due.wait_s(0) == 0
    assert published(due, 0) == ["s"]
    assert published(due, 0) == []
    assert due.wait_s(0) is None


def test_further_changes_wait_for_their_time() -> None:
    """They are published together; after a rest, a change is again published at once."""
    due = DueChanges()
    due.add(RUNNING, 0)
    published(due, 0)
    due.add(RUNNING, 0.1)
    due.add(RUNNING, 0.2)
    assert due.wait_s(0.2) == INTERVAL_S - 0.2
    assert published(due, 0.2) == []
    assert published(due, INTERVAL_S) == ["s"]
    due.add(RUNNING, 1)
    assert published(due, 1) == ["s"]


def test_an_end_is_published_at_once() -> None:
    """As completed, failed or gone; but not again and again."""
    ends: list[SessionStatus | None] = ["completed", "error", None]
    for status in ends:
        due = DueChanges()
        due.add(RUNNING, 0)
        published(due, 0)
        due.add(RUNNING, 0.01)
        due.add(ChangedSession("s", status), 0.02)
        assert published(due, 0.02, status) == ["s"]
        due.add(ChangedSession("s", status), 0.03)
        assert published(due, 0.03, status) == []
        assert published(due, 0.02 + INTERVAL_S, status) == ["s"]


def test_a_change_after_an_end_waits_its_full_time() -> None:
    """Even if another one was waiting when the end came."""
    due = DueChanges()
    due.add(RUNNING, 0)
    published(due, 0)
    due.add(RUNNING, 0.1)
    due.add(ChangedSession("s", "error"), 0.15)
    assert published(due, 0.15, "error") == ["s"]
    due.add(RUNNING, 0.2)
    assert published(due, INTERVAL_S) == []
    assert due.wait_s(INTERVAL_S) == pytest.approx(0.15)
    assert published(due, 0.15 + INTERVAL_S) == ["s"]
    assert due.wait_s(0.15 + INTERVAL_S) is None


def test_a_change_while_its_session_is_read_waits_as_any() -> None:
    """Or it would be published right after the one before; but an end does not wait."""
    due = DueChanges()
    due.add(RUNNING, 0)
    assert list(due.take(0, 9)) == ["s"]
    due.add(RUNNING, 0.01)
    due.add_published("s", "running", 0.02)
    assert published(due, 0.02) == []
    due.add(RUNNING, INTERVAL_S)
    assert list(due.take(INTERVAL_S, 9)) == ["s"]
    due.add(ChangedSession("s", "completed"), INTERVAL_S + 0.01)
    assert published(due, INTERVAL_S + 0.01, "completed") == ["s"]


def test_no_more_are_taken_than_wanted() -> None:
    """The others stay due, in their order."""
    due = DueChanges()
    due.add_now(f"s{number}" for number in range(5))
    assert list(due.take(0, 2)) == ["s0", "s1"]
    assert due.wait_s(0) == 0
    assert list(due.take(0, 9)) == ["s2", "s3", "s4"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 60)), max_size=100))
def test_every_change_is_published_in_time_and_none_too_often(changes: list[tuple[str, int]]) -> None:
    """Within the interval after the change, and of one session never sooner than that after the one before."""
    due, told_at = DueChanges(), {session_id: [-1.0] for session_id in "abc"}
    waiting: dict[str, float] = {}
    by_time = sorted((tenth, session_id) for session_id, tenth in changes)
    for tick in range(700):
        now = tick / 100
        while by_time and by_time[0][0] * 10 == tick:
            _, session_id = by_time.pop(0)
            due.add(ChangedSession(session_id, "running"), now)
            waiting.setdefault(session_id, now)
        for session_id in published(due, now):
            assert now - told_at[session_id][-1] >= INTERVAL_S - 1e-9
            told_at[session_id].append(now)
            assert now - waiting.pop(session_id) <= INTERVAL_S + 0.01
    assert not waiting
